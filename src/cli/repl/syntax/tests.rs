//! What inputs are split into, and where they go on.

use super::*;

struct Types(&'static [&'static str]);

impl Known for Types {
    fn is_type(&self, name: &str) -> bool {
        self.0.contains(&name)
    }
}

fn kinds(input: &str) -> Vec<(Kind, String)> {
    let items = parse(input, &Types(&["FILE", "T"])).unwrap();
    items.into_iter().map(|item| (item.kind, item.text)).collect()
}

fn told(input: &str) -> String {
    kinds(input).into_iter().map(|(kind, text)| format!("{kind:?} {text}\n")).collect()
}

#[test]
fn an_input_is_taken_apart() {
    assert_eq!(told("1 + 1"), "Expression 1 + 1\n");
    assert_eq!(told("x = 3;"), "Statement x = 3;\n");
    assert_eq!(told("f(2); g(3)"), "Statement f(2);\nExpression g(3)\n");
    assert_eq!(
        told("int sq(int x) { return x * x; } sq(7)"),
        "Function int sq(int x) { return x * x; }\nExpression sq(7)\n"
    );
    assert_eq!(told("int a, *b = &a;"), "Variable int a;\nVariable int *b = &a;\n");
    assert_eq!(
        told("struct p { int x; } o = {1};"),
        "Type struct p { int x; };\nVariable struct p o = {1};\n"
    );
    assert_eq!(
        told("if (a) { b(); } else c();\nd()"),
        "Statement if (a) { b(); } else c();\nExpression d()\n"
    );
    assert_eq!(told("do x++; while (x < 3);"), "Statement do x++; while (x < 3);\n");
    assert_eq!(told("#define N \\\n 3\nN"), "Directive #define N \\\n 3\nExpression N\n");
    assert_eq!(told(":type 1 + 1\n2"), "Command :type 1 + 1\nExpression 2\n");
    assert_eq!(told("T x; FILE *f; x"), "Variable T x;\nVariable FILE *f;\nExpression x\n");
    assert_eq!(told("int f(int), g(void);"), "Prototype int f(int);\nPrototype int g(void);\n");
    assert_eq!(told("extern int e;"), "Prototype extern int e;\n");
    assert_eq!(told("sq(1)\nsq(2)\n"), "Expression sq(1)\nExpression sq(2)\n");
    assert_eq!(told("typedef struct n n; n *first;"), "Type typedef struct n n;\nVariable n *first;\n");
    assert_eq!(told("foo bar;"), "Variable foo bar;\n");
    assert_eq!(told("a * b"), "Expression a * b\n");
    assert_eq!(told("// nothing\n;"), "");
    assert_eq!(told("int (*f(int a))(void) { return 0; }"), "Function int (*f(int a))(void) { return 0; }\n");
    assert_eq!(told("enum { A, B };"), "Type enum { A, B };\n");
    assert_eq!(told("_Static_assert(1, \"\");"), "Statement _Static_assert(1, \"\");\n");
}

#[test]
fn names_are_found() {
    let items = parse("enum e { A = 1, B } x[2] = {A};", &Types(&[])).unwrap();
    let names = |item: &Item| item.defines.iter().map(|name| name.text.clone()).collect::<Vec<_>>();
    assert_eq!(names(&items[0]), ["e", "A", "B"]);
    assert_eq!(names(&items[1]), ["x"]);
    assert_eq!(items[1].declaration.as_deref(), Some("extern enum e x[2];"));
    let tag = Name { space: Space::Tag, text: "e".to_owned() };
    assert!(items[1].uses.contains(&tag), "{:?}", items[1].uses);
    let items = parse("static inline int f(struct s *p) { return p->next->x; }", &Types(&[])).unwrap();
    assert_eq!(items[0].declaration.as_deref(), Some("int f(struct s *p);"));
    assert!(items[0].uses.iter().all(|name| name.text != "next"));
    let items = parse("struct { int a; } anonymous;", &Types(&[])).unwrap();
    assert_eq!((items.len(), items[0].kind), (1, Kind::Variable));
    let declared = names_declared(
        "typedef int T; extern T f(int a); static inline int g(void) { return 1; } enum { E };",
        &Types(&[]),
    );
    let declared: Vec<_> = declared.into_iter().map(|(name, is_type)| (name.text, is_type)).collect();
    let expected = [("T", true), ("f", false), ("g", false), ("E", false)];
    assert_eq!(declared, expected.map(|(name, is_type)| (name.to_owned(), is_type)));
}

#[test]
fn what_is_open_goes_on() {
    for open in [
        "int f(int x) {",
        "int f(int x)",
        "(1 +",
        "1 +",
        "struct p { int x; }",
        "/* a",
        "\"a\\",
        "#if 1",
        "x = 3 *",
        "#define A \\",
        "for (;;)",
        "do { }",
        "int x",
        "typedef int",
        "a ? b :",
        "if (a)",
        "f(1,",
        "int a[] = {1,\n",
    ] {
        assert!(!is_complete(&format!("{open}\n"), &Types(&[])), "{open}");
    }
    for whole in [
        "1",
        "x++",
        "f()",
        "int f(int x) { }",
        "int x;",
        "struct p { int x; };",
        "#if 1\n#endif",
        "}",
        ")",
        "\"a",
        ":load x",
        "do { } while (0);",
        "if (a) b();",
        "# include <x>",
        "x--",
        "p->q",
        "'a",
        "",
    ] {
        assert!(is_complete(&format!("{whole}\n"), &Types(&[])), "{whole}");
    }
}

#[test]
fn what_closes_nothing_is_told() {
    let trouble = parse("a;\n b)", &Types(&[])).unwrap_err();
    assert_eq!((trouble.line, trouble.column), (2, 3));
}
