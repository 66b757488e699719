//! The values that are looked at.
//!
//! Each case is a declaration of `$`, the type it must have and the value; `@name` in what is
//! expected is an address in the program.

/// Declaration, type, value.
pub type Case = (&'static str, &'static str, &'static str);

pub const PRELUDE: &str = r#"
#include <stdint.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <uchar.h>
#include <wchar.h>
struct point { int x; int y; };
typedef struct point point_t;
typedef struct { double re, im; } pair;
enum color { RED, GREEN, BLUE };
enum flags { READ = 1, WRITE = 2, EXEC = 4, ALL = 7 };
enum sign { LESS = -1, SAME, MORE };
typedef enum { NORTH, SOUTH } way_t;
union number { int i; float f; };
struct list { int value; struct list *next; };
struct opaque;
struct fields { int a : 3; unsigned b : 5; long c : 40; _Bool d : 1; enum color e : 2; };
struct tagged { int kind; union { int i; char c; }; struct { short s; } in; };
struct flexible { int n; int more[]; };
struct named { const char *name; char code[4]; double weight; };
struct inner { int a[3]; struct point p; };
struct outer { struct inner in[2]; int *p; };
struct many { int a0,a1,a2,a3,a4,a5,a6,a7,a8,a9; struct many *self; };
typedef int (*callback)(int, char);
typedef int triple[3];
typedef float float4 __attribute__((vector_size(16)));
typedef int int3 __attribute__((ext_vector_type(3)));
int add(int a, char b) { return a + b; }
int none(void) { return 0; }
void log_to(const char *form, ...) {}
struct point origin = {1, 2};
char long_text[] = "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789tail";
"#;

pub const NUMBERS: &[Case] = &[
    ("int $ = 42;", "int", "42"),
    ("int $ = -2147483647 - 1;", "int", "-2147483648"),
    ("unsigned $ = 4294967295u;", "unsigned int", "4294967295"),
    ("short $ = -3;", "short", "-3"),
    ("unsigned short $ = 65535;", "unsigned short", "65535"),
    ("long $ = -5;", "long", "-5"),
    ("unsigned long $ = 18446744073709551615ul;", "unsigned long", "18446744073709551615"),
    ("long long $ = 7;", "long long", "7"),
    ("size_t $ = 3;", "size_t", "3"),
    ("uint8_t $ = 65;", "uint8_t", "65"),
    ("signed char $ = -1;", "signed char", "-1"),
    ("unsigned char $ = 200;", "unsigned char", "200"),
    ("int64_t $ = -9;", "int64_t", "-9"),
    ("__int128 $ = (__int128)-1 << 100;", "__int128", "-1267650600228229401496703205376"),
    ("unsigned __int128 $ = -1;", "unsigned __int128", "340282366920938463463374607431768211455"),
    (
        "_BitInt(200) $ = (_BitInt(200))-12345678901234567890wb * 100000000000wb;",
        "_BitInt",
        "-1234567890123456789000000000000",
    ),
    ("_Bool $ = 1;", "_Bool", "true"),
    ("bool $ = 0;", "_Bool", "false"),
    ("double $ = 3.14;", "double", "3.14"),
    ("double $ = 1e300;", "double", "1e+300"),
    ("double $ = -0.0;", "double", "-0"),
    ("double $ = 3;", "double", "3"),
    ("double $ = __builtin_nan(\"\");", "double", "nan"),
    ("double $ = -__builtin_inf();", "double", "-inf"),
    ("double $ = 0.1 + 0.2;", "double", "0.30000000000000004"),
    ("float $ = 0.1f;", "float", "0.1"),
    ("float $ = 16777216.f;", "float", "16777216"),
    ("long double $ = 0.1L;", "long double", "0.1"),
    ("long double $ = -1e-4000L;", "long double", "-1e-4000"),
    ("long double $ = 3.14159265358979323846L;", "long double", "3.1415926535897932385"),
    ("_Float16 $ = 0.1f16;", "_Float16", "0.1"),
    ("__bf16 $ = 3.140625;", "__bf16", "3.14"),
    ("__float128 $ = 1;", "__float128", "1"),
    ("_Complex double $ = 1.5 - 2i;", "_Complex double", "1.5 - 2i"),
    ("_Complex float $ = 2;", "_Complex float", "2 + 0i"),
    ("_Complex long double $ = 0.25L + 1e30Li;", "_Complex long double", "0.25 + 1e+30i"),
    ("const int $ = 4;", "const int", "4"),
    ("volatile const int $ = 4;", "const volatile int", "4"),
];

pub const CHARACTERS: &[Case] = &[
    ("char $ = 'a';", "char", "'a'"),
    ("char $ = '\\n';", "char", "'\\n'"),
    ("char $ = 0;", "char", "'\\0'"),
    ("char $ = '\\'';", "char", "'\\''"),
    ("char $ = -1;", "char", "'\\xff'"),
    ("wchar_t $ = L'é';", "wchar_t", "L'é'"),
    ("char16_t $ = u'x';", "char16_t", "u'x'"),
    ("char32_t $ = U'🦀';", "char32_t", "U'🦀'"),
    ("char $[] = \"hello\";", "char [6]", "\"hello\""),
    ("char $[10] = \"hello\";", "char [10]", "\"hello\""),
    ("char $[3] = \"abc\";", "char [3]", "\"abc\""),
    ("char $[] = \"a\\0b\";", "char [4]", "\"a\\0b\""),
    ("char $[4];", "char [4]", "\"\""),
    ("char $[2][4] = {\"ab\", \"cd\"};", "char [2][4]", "{\"ab\", \"cd\"}"),
    ("wchar_t $[] = L\"größer\";", "wchar_t [7]", "L\"größer\""),
    ("char16_t $[] = u\"a🦀\";", "char16_t [4]", "u\"a🦀\""),
    ("const char *$ = \"say \\\"hi\\\"\\n\";", "const char *", "\"say \\\"hi\\\"\\n\""),
    ("char *$ = \"a\\xff\\x01\";", "char *", "\"a\\xff\\x01\""),
    ("const wchar_t *$ = L\"wide\";", "const wchar_t *", "L\"wide\""),
    ("const char32_t *$ = U\"日本\";", "const char32_t *", "U\"日本\""),
    ("char *$ = 0;", "char *", "(char *) NULL"),
    ("char *$ = (char *)16;", "char *", "(char *) 0x10 <cannot be read>"),
    ("const char *const $ = \"\";", "const char *const", "\"\""),
    (
        "const char *$[] = {\"one\", 0, (char *)16};",
        "const char *[3]",
        "{\"one\", NULL, 0x10 <cannot be read>}",
    ),
    ("signed char $[2] = {1, 2};", "signed char [2]", "{1, 2}"),
    ("uint8_t $[2] = \"a\";", "uint8_t [2]", "{97, 0}"),
    ("char $[1000] = {[0 ... 998] = 'x'};", "char [1000]", "\"@xs\"... 799 more"),
    ("char *$ = long_text;", "char *", "\"@digits\"..."),
];

pub const POINTERS: &[Case] = &[
    ("int *$ = (int *)0x1000;", "int *", "(int *) 0x1000"),
    ("int *$;", "int *", "(int *) NULL"),
    ("void *$ = (void *)7;", "void *", "(void *) 0x7"),
    ("int *restrict $;", "int *restrict", "(int *restrict) NULL"),
    ("const volatile int *const $ = 0;", "const volatile int *const", "(const volatile int *const) NULL"),
    ("char **$ = (char **)8;", "char **", "(char **) 0x8"),
    ("unsigned char *$ = (unsigned char *)8;", "unsigned char *", "(unsigned char *) 0x8"),
    ("point_t *$ = &origin;", "point_t *", "(point_t *) @origin <origin>"),
    ("struct opaque *$;", "struct opaque *", "(struct opaque *) NULL"),
    ("struct { int a; } *$;", "struct {int a;} *", "(struct {int a;} *) NULL"),
    ("int (*$)(int, char) = add;", "int (*)(int, char)", "(int (*)(int, char)) @add <add>"),
    ("callback $ = add;", "callback", "(callback) @add <add>"),
    ("int (*$)(void) = none;", "int (*)(void)", "(int (*)(void)) @none <none>"),
    ("int (*$)() = (int (*)())1;", "int (*)()", "(int (*)()) 0x1"),
    (
        "void (*$)(const char *, ...) = log_to;",
        "void (*)(const char *, ...)",
        "(void (*)(const char *, ...)) @log_to <log_to>",
    ),
    ("callback $[2] = {add};", "callback [2]", "{@add <add>, NULL}"),
    ("int (*$[2])(void) = {none};", "int (*[2])(void)", "{@none <none>, NULL}"),
    ("int (*$)[3];", "int (*)[3]", "(int (*)[3]) NULL"),
    ("int *$[2];", "int *[2]", "{NULL, NULL}"),
    (
        "int (*(*$)(int (*)(void)))(char);",
        "int (*(*)(int (*)(void)))(char)",
        "(int (*(*)(int (*)(void)))(char)) NULL",
    ),
    ("int (*(*$)[2])(void);", "int (*(*)[2])(void)", "(int (*(*)[2])(void)) NULL"),
    ("const triple *$;", "const triple *", "(const triple *) NULL"),
    ("struct list $ = {1, 0};", "struct list", "{value = 1, next = NULL}"),
];

pub const AGGREGATES: &[Case] = &[
    ("struct point $ = {1, -2};", "struct point", "{x = 1, y = -2}"),
    ("point_t $ = {3, 4};", "point_t", "{x = 3, y = 4}"),
    ("pair $ = {0.5, 2};", "pair", "{re = 0.5, im = 2}"),
    ("const point_t $ = {3, 4};", "const point_t", "{x = 3, y = 4}"),
    ("struct { int a : 2; char *s; } $;", "struct {int a : 2; char *s;}", "{a = 0, s = NULL}"),
    (
        "struct { struct { int q; }; union { int i; float f; } u; } $ = {{1}, {2}};",
        "struct {struct {int q;}; union {int i; float f;} u;}",
        "{{q = 1}, u = {i = 2, f = 3e-45}}",
    ),
    ("struct {} $;", "struct {}", "{}"),
    (
        "struct fields $ = {-2, 17, -123456789012, 1, BLUE};",
        "struct fields",
        "{a = -2, b = 17, c = -123456789012, d = true, e = BLUE}",
    ),
    (
        "struct { long long a : 37; long long b : 60; } $ = {-1, 1ll << 58};",
        "struct {long long a : 37; long long b : 60;}",
        "{a = -1, b = 288230376151711744}",
    ),
    (
        "struct __attribute__((packed)) { int a : 5; long long b : 62; int c; } $ = {-3, -4, 9};",
        "struct {int a : 5; long long b : 62; int c;}",
        "{a = -3, b = -4, c = 9}",
    ),
    ("struct tagged $ = {1, {65}, {-7}};", "struct tagged", "{kind = 1, {i = 65, c = 'A'}, in = {s = -7}}"),
    ("struct flexible $ = {2, {1, 2}};", "struct flexible", "{n = 2, more = <array of unknown size>}"),
    (
        "struct named $ = {\"bob\", \"x1\", 1.5};",
        "struct named",
        "{name = \"bob\", code = \"x1\", weight = 1.5}",
    ),
    ("union number $ = {.i = 1065353216};", "union number", "{i = 1065353216, f = 1}"),
    ("enum color $ = GREEN;", "enum color", "GREEN"),
    ("enum color $ = (enum color)7;", "enum color", "(enum color)7"),
    ("enum color $ = (enum color)3;", "enum color", "(enum color)3"),
    ("enum flags $ = READ | EXEC;", "enum flags", "READ | EXEC"),
    ("enum flags $ = ALL;", "enum flags", "ALL"),
    ("enum flags $ = 9;", "enum flags", "(enum flags)9"),
    ("enum flags $ = 0;", "enum flags", "(enum flags)0"),
    ("enum sign $ = LESS;", "enum sign", "LESS"),
    ("enum sign $ = -5;", "enum sign", "(enum sign)-5"),
    ("way_t $ = SOUTH;", "way_t", "SOUTH"),
    ("way_t $ = 9;", "way_t", "(way_t)9"),
    ("enum { ONE_ = 1, FIVE_ = 5, SIX_ } $ = 6;", "enum {ONE_ = 1, FIVE_ = 5, SIX_}", "SIX_"),
    ("int $[] = {1, 2, 3};", "int [3]", "{1, 2, 3}"),
    ("triple $ = {1, 2, 3};", "triple", "{1, 2, 3}"),
    ("int $[2][3] = {{1, 2, 3}, {4, 5, 6}};", "int [2][3]", "{{1, 2, 3}, {4, 5, 6}}"),
    ("int $[2][2][2] = {{{1}}, {{0}, {0, 2}}};", "int [2][2][2]", "{{{1, 0}, {0, 0}}, {{0, 0}, {0, 2}}}"),
    ("int $[0];", "int [0]", "{}"),
    ("int $[100];", "int [100]", "{0 <repeats 100 times>}"),
    ("int $[13] = {5, [12] = 6};", "int [13]", "{5, 0 <repeats 11 times>, 6}"),
    ("int $[9];", "int [9]", "{0, 0, 0, 0, 0, 0, 0, 0, 0}"),
    ("point_t $[20] = {{1, 2}};", "point_t [20]", "{{x = 1, y = 2}, {x = 0, y = 0} <repeats 19 times>}"),
    (
        "char $[3][20][8];",
        "char [3][20][8]",
        "{{\"\" <repeats 20 times>}, {\"\" <repeats 20 times>}, {\"\" <repeats 20 times>}}",
    ),
    ("int $[3000000] = {1};", "int [3000000]", "{1, 0 <repeats 2999999 times>}"),
    ("float4 $ = {1, 2.5, 3, 4};", "float4", "{1, 2.5, 3, 4}"),
    ("int3 $ = {1, 2, 3};", "int3", "{1, 2, 3}"),
    (
        "float $ __attribute__((vector_size(8))) = {1, 2};",
        "float __attribute__((ext_vector_type(2)))",
        "{1, 2}",
    ),
    (
        "struct outer $ = {{{{1, 2, 3}, {4, 5}}}, (int *)9};",
        "struct outer",
        "{in = {{a = {1, 2, 3}, p = {x = 4, y = 5}}, {a = {0, 0, 0}, p = {x = 0, y = 0}}}, p = 0x9}",
    ),
    (
        "va_list $;",
        "va_list",
        "{{gp_offset = 0, fp_offset = 0, overflow_arg_area = NULL, reg_save_area = NULL}}",
    ),
];

/// What DWARF 5 has words for.
pub const NEWER: &[Case] = &[
    ("_Atomic int $ = 3;", "_Atomic(int)", "3"),
    ("_Atomic(int) *$;", "_Atomic(int) *", "(_Atomic(int) *) NULL"),
    ("int *_Atomic $;", "_Atomic(int *)", "(_Atomic(int *)) NULL"),
    ("const _Atomic point_t $;", "const _Atomic(point_t)", "{x = 0, y = 0}"),
];

pub const C23: &[Case] = &[
    ("bool $ = true;", "bool", "true"),
    ("nullptr_t $;", "nullptr_t", "nullptr"),
    ("char8_t $[] = u8\"é\";", "char8_t [3]", "u8\"é\""),
    ("enum small : unsigned char { BIG = 200 } $ = BIG;", "enum small", "BIG"),
    (
        "enum : signed char { MINUS = -100 } $ = (typeof($))-3;",
        "enum {MINUS = -100}",
        "(enum {MINUS = -100})-3",
    ),
    (
        "enum huge : unsigned long { TOP = 0x8000000000000000, LOW = 1 } $ = TOP | LOW;",
        "enum huge",
        "TOP | LOW",
    ),
    ("int (*$)();", "int (*)(void)", "(int (*)(void)) NULL"),
];
