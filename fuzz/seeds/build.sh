#!/bin/sh
# Makes the seeds under corpus/ again. Needs clang-19 and gcc for x86-64, and llvm-19.
set -eu
cd "$(dirname "$0")"
out=../corpus/object

# object NAME SOURCE COMPILER FLAGS...
object() {
    name=$1 source=$2 compiler=$3
    shift 3
    case $source in
    *.cc) standard=-std=c++17 ;;
    *) standard=-std=c17 ;;
    esac
    "$compiler" "$standard" -Wno-undefined-internal -c "$@" -o "$out/$name.o" "$source"
}

object c-clang-O2-pic c.c clang-19 -O2 -fPIC
object c-clang-O0-debug c.c clang-19 -O0 -g1 -fdebug-compilation-dir=. -fPIC
object c-gcc-O2-pic c.c gcc -O2 -fPIC
object c-gcc-O2-no-plt c.c gcc -O2 -fPIC -fno-plt
object c-gcc-O1-sections-pic c.c gcc -O1 -fPIC -ffunction-sections -fdata-sections
object c-clang-O1-large c.c clang-19 -O1 -fPIC -mcmodel=large
object cc-clang-O1-pic cc.cc clang++-19 -O1 -fPIC
object cc-gcc-O2-pic cc.cc g++ -O2 -fPIC
object cc-gcc-O1-no-pic cc.cc g++ -O1 -fno-pic
object tls-clang-O2-pic tls.c clang-19 -O2 -fPIC
object tls-gcc-O2-pic tls.c gcc -O2 -fPIC
object tls-gcc-O2-tlsdesc tls.c gcc -O2 -fPIC -mtls-dialect=gnu2
object tls-clang-O1-initial-exec tls.c clang-19 -O1 -fPIC -ftls-model=initial-exec
object tls-gcc-O1-local-exec tls.c gcc -O1 -fno-pic -ftls-model=local-exec
object odd-clang-O1-pic odd.c clang-19 -O1 -fPIC
object odd-gcc-O1-no-pic odd.c gcc -O1 -fno-pic
object odd-gcc-O1-pic odd.c gcc -O1 -fPIC
object common-gcc-O1-pic common.c gcc -O1 -fPIC -fcommon
object common-clang-O2-no-plt common.c clang-19 -O2 -fPIC -fcommon -fno-plt

# Reproducible archives: no times, no owners. The second has long names and no index.
archives=../corpus/archive
rm -f "$archives"/*.a
llvm-ar-19 rcD "$archives/short.a" "$out/common-gcc-O1-pic.o" "$out/tls-gcc-O2-pic.o"
llvm-ar-19 rcDS "$archives/long.a" "$out/c-clang-O2-pic.o" "$out/tls-clang-O1-initial-exec.o"
cp "$out/common-gcc-O1-pic.o" main.o
llvm-objcopy-19 --redefine-sym first_common=main main.o
llvm-ar-19 rcD "$archives/needed.a" main.o "$out/common-gcc-O1-pic.o"
llvm-ar-19 rcD --format=bsd "$archives/bsd.a" "$out/common-gcc-O1-pic.o"
rm main.o
