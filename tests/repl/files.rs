//! Files that become modules.

use crate::place::Place;

const SOURCE: &str = "static int hidden(int x) { return x + 1; }\nint shown(int x) { return hidden(x) * 2; }\nint count = 3;\n";

#[test]
fn a_c_file_is_loaded_and_loaded_again() {
    let place = Place::new();
    place.write("m.h", "typedef struct { int x; } pair;\n#define N 4\n");
    place.write(
        "m.c",
        &format!("#include \"m.h\"\n{SOURCE}pair make(int x) {{ pair p = {{x}}; return p; }}\n"),
    );
    place.write("n.c", &SOURCE.replace("* 2", "* 3"));
    let told = place.run_with(
        &["m.c"],
        "shown(1)\ncount = 5;\nmake(N).x\nint use(void) { return shown(1); }\n\
         #include <stdio.h>\nrename(\"n.c\", \"m.c\")\n:load m.c\nshown(1)\nuse()\ncount\n",
    );
    assert_eq!(told.lines(), ["4", "4", "0", "6", "6", "5"]);
}

#[test]
fn what_a_file_chooses_by_its_conditions_is_known() {
    let place = Place::new();
    place.write("own.h", "#define OWN 5\n");
    place.write(
        "m.c",
        "/* see \"other\" */\n#include \"own.h\"\n#if OWN > 4\n#define SIZE 2\ntypedef struct pair { int v[SIZE]; } pair;\n#else\n\
         typedef int pair;\n#endif\n#ifdef __linux__\nint sum(pair p) { return p.v[0] + p.v[1]; }\n#else\n\
         int sum(pair p);\n#endif\n#define NAME(x) get_##x\nint NAME(one)(void) { return 1; }\n",
    );
    std::fs::create_dir(place.0.path().join("in")).unwrap();
    for file in ["own.h", "m.c"] {
        std::fs::rename(place.0.path().join(file), place.0.path().join("in").join(file)).unwrap();
    }
    let told = place.run(
        ":load in/m.c\nsum((pair){{OWN, SIZE}})\nget_one()\n:type sum\n#include \"in/own.h\"\n\
         #include <unistd.h>\nchdir(\"/\")\n#define OTHER OWN\nOTHER\n",
    );
    assert_eq!(told.lines(), ["7", "1", "int (pair)", "0", "5"]);
}

#[test]
fn what_is_typed_takes_the_place_of_what_was_loaded() {
    let place = Place::new();
    place.write("m.c", "int inner(int x) { return x; }\nint outer(int x) { return inner(x) + 1; }\n");
    let told = place.run(":load m.c\nouter(1)\nint inner(int x) { return 10 * x; }\nouter(1)\n:undo\nouter(1)\n:load m.c\nouter(2)\n");
    assert_eq!(told.lines(), ["2", "11", "undone: int inner(int x) { return 10 * x; }", "2", "3"]);
}

#[test]
fn ir_bitcode_objects_and_libraries_are_loaded() {
    let place = Place::new();
    place.write("a.c", "int from_ir(void) { return 1; }\n");
    place.write("b.c", "int from_bitcode(void) { return 2; }\n");
    place.write("c.c", "int from_object(void) { return 3; }\n");
    place.write("d.c", "int from_library(void) { return 4; }\n");
    place.compile("clang-19", &["-S", "-emit-llvm", "a.c"]);
    place.compile("clang-19", &["-c", "-emit-llvm", "b.c"]);
    place.compile("clang-19", &["-c", "-fPIC", "c.c"]);
    place.compile("clang-19", &["-shared", "-fPIC", "d.c", "-o", "libd.so"]);
    let told = place.run(
        ":load a.ll\n:load b.bc\n:load c.o\n:load ./libd.so\nint from_ir(void), from_bitcode(void), from_object(void), from_library(void);\n\
         from_ir() + from_bitcode() * 10 + from_object() * 100 + from_library() * 1000\n:load libm.so.6\ndouble cbrt(double);\ncbrt(8) == 2\n",
    );
    assert_eq!(told.lines(), ["4321", "1"]);
}

#[test]
fn a_file_that_cannot_be_loaded_changes_nothing() {
    let place = Place::new();
    place.write("m.c", "int good(void) { return 1; }\n");
    place.write("bad.c", "int bad(void) { return none; }\n");
    place.write("bad.o", "not an object");
    let told =
        place.run(":load m.c\n:load bad.c\n:load bad.o\n:load none.c\n:load -lnone_of_that_name\ngood()\n");
    assert_eq!(told.lines_despite(&["'none'", "bad.o", "none.c", "none_of_that_name"]), ["1"]);
}

#[test]
fn what_a_file_relies_on_stays_as_it_is_there() {
    let place = Place::new();
    place.write(
        "m.c",
        "struct s { int a; };\nstruct s g = {4};\nint inner(int x) { return x; }\nint outer(int x) { return inner(x) + 1; }\n\
         int geta(struct s *p) { return p->a; }\n",
    );
    let told = place.run(
        ":load m.c\nint inner(int x, int y) { return x + y; }\nouter(1)\nstruct s { int z; int a; };\ngeta(&g)\n\
         int inner(int y) { return -y; }\nouter(1)\n",
    );
    let refused = ["outer (m.c) uses inner as it is there", "geta (m.c) uses s as it is there"];
    assert_eq!(told.lines_despite(&refused), ["2", "4", "0"]);
}
