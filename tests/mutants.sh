#!/usr/bin/env bash
# Shows that the tests notice each of the deliberate bugs in src/seeded.rs.
#
#   tests/mutants.sh [BUG...]
#
# Builds everything once with the bugs in, in a target directory of its own. Runs the tests of
# the table without a bug: all must pass. Then runs each again with its bug: it must fail,
# crash, or take longer than the limit.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Seconds for one row.
limit=${HOTSLOT_MUTANT_LIMIT:-120}

# Bug, what to build, which test. A bug with several rows is killed by each of them.
table='
RelaxedCommitWord   -p hotslot-models   commit::a_caller_never_goes_back
RelaxedCommitWord   -p hotslot --lib    table::publish::tests::more_slots_go_through_gates
SkipGates           -p hotslot-models   commit::a_caller_never_goes_back
BodiesBeforeWord    -p hotslot-models   commit::a_caller_never_goes_back
WordBeforeGates     -p hotslot-models   commit::a_caller_never_goes_back
SkipSettle          -p hotslot-models   commit::new_code_finds_what_came_with_it
SkipSettle          -p hotslot-models   commit::a_caller_with_plain_loads_never_goes_back
SwappedGate         -p hotslot-models   commit::a_caller_never_goes_back
SwappedGate         -p hotslot --lib    table::gates::tests::gates_lead_from_the_old_body_to_the_new
FreeGatesAtOnce     -p hotslot-models   reclaim::gates_of_two_commits_live_while_a_thread_is_in_them
FreeGatesAtOnce     -p hotslot --lib    table::gates::tests::gates_lead_from_the_old_body_to_the_new
OvertakenUnnoticed  -p hotslot-models   commit::an_overtaken_update_undoes_nothing
OvertakenUnnoticed  -p hotslot --lib    table::publish::tests::a_commit_overtakes_what_was_prepared_before_it
FreeAtRetire        -p hotslot-models   reclaim::a_body_lives_while_a_thread_is_in_it
SkipThread          -p hotslot-models   reclaim::every_thread_counts
SkipRegisters       -p hotslot-models   reclaim::a_body_lives_while_a_register_leads_to_it
IgnoreSilent        -p hotslot-models   reclaim::a_body_lives_while_a_thread_is_in_it
IgnoreKeeps         -p hotslot-models   reclaim::a_body_lives_while_a_thread_is_in_it
NoTraps             -p hotslot --lib    table::gates::tests::gates_lead_from_the_old_body_to_the_new
FreeAtRetire        -p hotslot --test=growth        threads_in_old_code_hold_only_that
SkipThread          -p hotslot --lib    reclaim::threads::tests::threads::a_thread_that_runs_holds_its_code
SkipRegisters       -p hotslot --lib    reclaim::threads::tests::threads::a_register_is_enough
IgnoreSilent        -p hotslot --test=reclaim       what_cannot_be_asked_keeps_everything
IgnoreKeeps         -p hotslot --test=reclaim       code_that_switches_stacks_is_kept
NoUnwindInfo        -p hotslot --test=linker_items  eh_cross::ir
KeepGrown           -p hotslot --test=state         a_variable_that_no_longer_fits_is_refused_reset_or_migrated
InitialiseAgain     -p hotslot --test=state         cxx::constructors_run_for_new_variables_only
ForgetStorage       -p hotslot --test=state         what_fits_is_kept
FreeConstants       -p hotslot --test=constants     pointers_to_constants_outlive_the_code
LeaveSymbol         -p hotslot --lib    runtime::tests::faults::a_failure_at_any_step_changes_nothing
RollbackForgetsSlot -p hotslot --test=history       several_modules_go_back_together
'

# Bugs that the library does not ask for yet; some of them models show. Every other one must
# be in the table.
waiting='
'

listed() { [[ "$2" =~ (^|[[:space:]])$1([[:space:]]|$) ]]; }
die() { printf 'mutants: %s\n' "$@" >&2; exit 1; }

export RUSTFLAGS="${RUSTFLAGS:-} --cfg hotslot_bugs"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/mutants"
logs=$CARGO_TARGET_DIR/logs
mkdir -p "$logs"

rows=()
while read -r bug rest; do
    [ -z "$bug" ] || rows+=("$bug ${rest% *}"$'\t'"${rest##* }")
done <<<"$table"

# The list of bugs is the source's.
bugs=$(sed -n 's/^    \([A-Z][A-Za-z]*\),$/\1/p' src/seeded.rs)
[ -n "$bugs" ] || die "no bugs found in src/seeded.rs"
for bug in $bugs; do
    if ! grep -rqw --include='*.rs' "Bug::$bug" src; then
        listed "$bug" "$waiting" || die "nothing in src/ asks for $bug"
    elif listed "$bug" "$waiting"; then
        die "src/ asks for $bug: take it off the list of those that wait"
    elif ! listed "$bug" "$table"; then
        die "$bug has no row in the table"
    fi
done
for bug in $(awk '{ print $1 }' <<<"$table") $waiting "$@"; do
    grep -qx "$bug" <<<"$bugs" || die "$bug is not in src/seeded.rs"
done

selected() {
    [ $# -gt 1 ] || return 0
    local bug=$1 one
    shift
    for one in "$@"; do [ "$one" != "$bug" ] || return 0; done
    return 1
}

# test TARGET NAME: runs one test.
run_test() {
    # shellcheck disable=SC2086 # the target is several words
    timeout -k 5 "$limit" cargo test -q $1 -- --exact "$2"
}

targets=$(for row in "${rows[@]}"; do target=${row%%$'\t'*}; echo "${target#* }"; done | sort -u)
while read -r target; do
    # shellcheck disable=SC2086
    cargo test -q --no-run $target || die "the build failed: $target"
done <<<"$targets"

# Without a bug everything passes, and every name in the table is that of a test.
echo "without a bug:"
failed=0
declare -A clean=()
for row in "${rows[@]}"; do
    target=${row%%$'\t'*} target=${target#* } name=${row##*$'\t'}
    selected "${row%% *}" "$@" && [ -z "${clean["$target $name"]:-}" ] || continue
    clean["$target $name"]=1
    log=$logs/clean.log
    if HOTSLOT_BUG='' run_test "$target" "$name" </dev/null >"$log" 2>&1 && grep -q '^test result: ok. 1 passed' "$log"
    then printf '  ok      %s\n' "$name"
    else
        printf '  FAILED  %s\n' "$name"
        cat "$log"
        failed=1
    fi
done
[ $failed = 0 ] || die "tests fail without a bug"

printf '\n%-20s %-9s %8s  %s\n' bug verdict seconds by
for row in "${rows[@]}"; do
    bug=${row%% *} target=${row%%$'\t'*} target=${target#* } name=${row##*$'\t'}
    selected "$bug" "$@" || continue
    log=$logs/$bug.${name##*::}.log
    start=$EPOCHREALTIME
    status=0
    HOTSLOT_BUG=$bug run_test "$target" "$name" </dev/null >"$log" 2>&1 || status=$?
    seconds=$(awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }')
    case $status in
        0)         verdict=SURVIVED failed=1 ;;
        124 | 137) verdict=hangs ;;
        *)         verdict=killed ;;
    esac
    printf '%-20s %-9s %8s  %s\n' "$bug" "$verdict" "$seconds" "$name"
done
[ $# -gt 0 ] || printf '\nnot in the library yet: %s\n' "$(echo $waiting)"
[ $failed = 0 ] || die "bugs survive; what the tests said is in $logs"
