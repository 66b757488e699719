//! Definitions that take the place of others.

use crate::place::Place;

#[test]
fn callers_follow_functions() {
    let told = Place::new().run(
        "int sq(int x) { return x * x; }\nint twice(int x) { return 2 * sq(x); }\ntwice(3)\n\
         int sq(int x) { return x * x * x; }\ntwice(3)\nint (*p)(int) = sq;\np(2)\nint sq(int x) { return -x; }\np(2)\n",
    );
    assert_eq!(told.lines(), ["18", "54", "8", "-2"]);
}

#[test]
fn functions_may_call_each_other_before_both_are_there() {
    let told = Place::new().run(
        "int odd(int);\nint even(int n) { return n == 0 || odd(n - 1); }\nint odd(int n) { return n != 0 && even(n - 1); }\neven(10)\n\
         int a(int n) { return n ? b(n - 1) : 7; }\n",
    );
    assert_eq!(told.lines_despite(&["undeclared function 'b'"]), ["1"]);
    let told = Place::new().run("int later(int);\nlater(1)\nint later(int n) { return n; }\nlater(1)\n");
    assert_eq!(told.lines_despite(&["later is called by input 2", "not defined"]), ["1"]);
}

#[test]
fn another_signature_takes_callers_along_or_is_refused() {
    let told = Place::new().run(
        "int f(int x) { return x; }\nint g(void) { return f(2); }\nlong f(long x) { return x + 1; }\ng()\n\
         int f(int x, int y) { return x + y; }\ng()\nint g(void) { return 0; }\nint f(int x, int y) { return x + y; }\nf(1, 2)\n",
    );
    let refused = ["compiled again: g", "g (input 2) would not compile any more", "too few arguments"];
    assert_eq!(told.lines_despite(&refused), ["3", "3", "3"]);
}

#[test]
fn variables_keep_their_values_or_start_anew() {
    let told = Place::new().run(
        "int n = 5;\nint get(void) { return n; }\nn = 7;\nint n;\nget()\nint n = 8;\nget()\nlong n = 9;\nget()\nint *p = (int *)&n;\nlong n = 3;\n*p\n",
    );
    assert_eq!(told.lines(), ["7", "8", "9", "3"]);
}

#[test]
fn a_changed_structure_takes_all_along_that_use_it() {
    let told = Place::new().run(
        "struct p { int x; int y; };\nstruct p origin;\nint other = 6;\nint getx(struct p *q) { return q->x; }\n\
         int of(void) { return getx(&origin) + other; }\norigin.x = 1;\nof()\nother = 7;\n\
         struct p { char pad[8]; int x; };\nof()\norigin.x = 4;\nof()\n",
    );
    assert_eq!(told.lines(), ["7", "7", "11"]);
    assert!(told.err.contains("of another type now: origin starts anew"), "{}", told.err);
    assert!(told.err.contains("compiled again: getx, of, origin"), "{}", told.err);
}

#[test]
fn typedefs_enumerations_and_macros_take_their_users_along() {
    let told = Place::new().run(
        "typedef int T;\nint size(void) { return sizeof(T); }\nsize()\ntypedef char T;\nsize()\n\
         enum e { A, B };\nint b(void) { return B; }\nb()\nenum e { X, A, B };\nb()\n\
         #define K 4\nint k(void) { return K; }\nk()\n#define K 5\nk()\n",
    );
    assert_eq!(told.lines(), ["4", "1", "1", "2", "4", "5"]);
}

#[test]
fn types_may_refer_to_each_other_and_change_their_order() {
    let told = Place::new().run(
        "struct a { struct b *p; };\nstruct b { struct a v; int n; };\nstruct b x = {{&x}, 3};\nx.v.p->n\n\
         typedef struct node node;\nstruct node { node *next; int n; };\nnode last = {0, 4};\nnode first = {&last, 1};\nfirst.next->n\n\
         struct in { int n; };\nstruct out { int n; };\nstruct in { struct out o; int m; };\nsizeof(struct in) == 8\n",
    );
    assert_eq!(told.lines(), ["3", "4", "1"]);
}

#[test]
fn one_input_is_one_step() {
    let told = Place::new().run(
        "int f(void) { return 1; } int g(void) { return 1; }\nint f(void) { return 2; } int g(void) { return two; }\nf() + g()\n",
    );
    assert_eq!(told.lines_despite(&["'two'"]), ["2"]);
}

#[test]
fn a_macro_that_breaks_what_is_there_is_refused() {
    let told = Place::new().run("int n = 3;\nint get(void) { int local = n; return local; }\n#define local )\nget()\n#include \"nowhere.h\"\nget()\n");
    assert_eq!(told.lines_despite(&["nowhere.h", "get (input 2) would not compile any more"]), ["3", "3"]);
}
