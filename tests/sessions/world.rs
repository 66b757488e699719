//! The session with a CMake project of some fifty units in C, C++ and assembler.

use super::step::{Changes, Save, Step, step};

const LIFE: &str = "include/world/life.h";

/// Each edit is of the files as those before have left them.
pub fn steps() -> Vec<Step> {
    let mut steps = bodies();
    steps.extend(functions());
    steps.extend(errors());
    steps.extend(state());
    steps.extend(headers());
    steps.extend(saves());
    steps
}

/// C++ names are mangled, and an edit of a template is one of all who use it.
fn some(modules: usize) -> Changes {
    Changes { swapped: "*", new: "*", removed: "*", modules, ..Changes::default() }
}

fn bodies() -> Vec<Step> {
    vec![
        step("a function in C")
            .sub("life/rabbit.c", "(int)rng_below(3) - 1", "(int)rng_below(3) - 2")
            .live("*"),
        step("a virtual function")
            .sub("physics/gravity.cpp", "-9.81 * body.mass", "-1.62 * body.mass")
            .live_with(some(1)),
        step("a comment")
            .sub("physics/bounce.cpp", "    return true;\n}", "    return true; // It did.\n}")
            .no_effect("the code is the same"),
        step("a save of what was there").unchanged(),
        step("the text of an exception")
            .sub("report/table.cpp", "\"no column \"", "\"nothing is called \"")
            .live_with(some(1))
            .says("caught: nothing is called colour"),
        step("two files at once, in two languages")
            .sub(
                "core/text.c",
                "    while (length + 1 < room && count-- > 0) to[length++] = c;",
                "    while (length + 2 < room && count-- > 0) to[length++] = c, to[length++] = '.';",
            )
            .sub("physics/bounce.cpp", "* 0.8;", "* 0.5;")
            .live_with(some(2)),
        step("the same file in two units")
            .sub("shared/sampler.c", "(i + 0.5) / STEPS)", "(i + 0.25) / STEPS)")
            .live_with(some(2)),
        // Another file has a table with its address.
        step("a constant structure")
            .sub("life/moss.c", "{'%', 25, step}", "{'!', 25, step}")
            .alone()
            .no_effect("goes on using the old place of species_moss"),
        step("as it was").revert("life/moss.c").quietly().eventually(),
        step("assembler").sub("app/mix.S", "imull $31, %eax, %eax", "imull $33, %eax, %eax").eventually(),
    ]
}

fn functions() -> Vec<Step> {
    vec![
        step("a C function for C++")
            .append("core/text.c", "\nint text_extra(int n) { return n + 1; }\n")
            .sub("app/main.cpp", "static const char *remark() {\n    return \"nothing\";", "extern \"C\" int text_extra(int n);\nstatic const char *remark() {\n    return text_extra(1) == 2 ? \"two\" : \"other\";")
            .live_with(some(2))
            .says("remark: two"),
        step("another signature without the caller").sub("core/text.c", "int text_extra(int n) {", "double text_extra(double n) {").refused("signature", "text_extra"),
        step("the caller as well")
            .sub("app/main.cpp", "int text_extra(int n);", "double text_extra(double n);")
            .sub("app/main.cpp", "text_extra(1) == 2 ? \"two\"", "text_extra(1.5) == 2.5 ? \"two and a half\"")
            .live_with(some(2))
            .says("remark: two and a half"),
        step("another one again").sub("core/text.c", "double text_extra(double n) {", "float text_extra(double n) {").refused("signature", "text_extra"),
        step("taken back").sub("core/text.c", "float text_extra(double n) {", "double text_extra(double n) {").reverted(),
        step("every place of a signature")
            .sub("include/world/core.h", "int text_width(const char *text);", "int text_width(const char *text, int more);")
            .sub("core/text.c", "int text_width(const char *text) {\n    int width = 0;", "int text_width(const char *text, int more) {\n    int width = more;")
            .sub("app/window.cpp", "text_width(line.c_str())", "text_width(line.c_str(), 2)")
            .at_rest()
            .live_with(some(2))
            .quietly(),
        step("a new file of the project")
            .put("core/hot.c", "#include \"world/core.h\"\nint hot_number(void);\nint hot_number(void) { return 12; }\n")
            .sub("core/CMakeLists.txt", "rng.c grid.c", "hot.c rng.c grid.c")
            .sub("app/main.cpp", "extern \"C\" double text_extra", "extern \"C\" int hot_number(void);\nextern \"C\" double text_extra")
            .sub("app/main.cpp", "\"two and a half\"", "(hot_number() == 12 ? \"a dozen\" : \"less\")")
            .configure()
            .eventually()
            .says("remark: a dozen"),
        step("an edit of the new file").sub("core/hot.c", "return 12;", "return 11;").live("hot_number").says("remark: less"),
        step("without it")
            .delete("core/hot.c")
            .sub("core/CMakeLists.txt", "hot.c rng.c", "rng.c")
            .sub("app/main.cpp", "extern \"C\" int hot_number(void);\n", "")
            .sub("app/main.cpp", "(hot_number() == 12 ? \"a dozen\" : \"less\")", "\"half\"")
            .configure()
            .at_rest()
            .eventually()
            .says("remark: half"),
    ]
}

fn errors() -> Vec<Step> {
    vec![
        step("a syntax error in a header of many")
            .sub(LIFE, "    int start;", "    int start")
            .compile_error("expected ';' at end of declaration list"),
        step("mended, with other code")
            .sub(LIFE, "    int start\n", "    int start;\n")
            .sub("physics/drag.cpp", "(-0.1 * body.mass)", "(-0.6 * body.mass)")
            .live_with(some(1)),
        step("an error in C++").sub("physics/bounce.cpp", "* 0.5;", "* quarter;").compile_error("quarter"),
        step("undone in the editor").sub("physics/bounce.cpp", "* quarter;", "* 0.5;").reverted(),
        step("a function that nobody has")
            .sub(
                "app/main.cpp",
                "static const char *remark() {",
                "extern \"C\" const char *absent();\nstatic const char *remark() {",
            )
            .sub("app/main.cpp", "\"half\"", "absent()")
            .link_error("missing", "absent"),
        step("now somebody has it")
            .append(
                "core/text.c",
                "\nconst char *absent(void);\nconst char *absent(void) { return \"present\"; }\n",
            )
            .live_with(some(2))
            .says("remark: present"),
    ]
}

fn state() -> Vec<Step> {
    vec![
        step("a new variable")
            .sub("core/text.c", "return \"present\"; }", "return present; }")
            .sub("core/text.c", "\nconst char *absent(void);\n", "\nconst char *present = \"here\";\nconst char *absent(void);\n")
            .live_with(Changes { swapped: "absent", new_variables: "present", modules: 1, ..Changes::default() })
            .says("remark: here"),
        step("another initial value").sub("core/text.c", "\"here\"", "\"there\"").no_effect("present").keeps(&[("remark: there", "remark: here")]),
        step("the old one").sub("core/text.c", "\"there\"", "\"here\"").no_effect("present"),
        step("another type").sub("core/text.c", "const char *present = \"here\";", "char present[] = \"here it is\";").refused("variable", "present"),
        step("another name").sub("core/text.c", "char present[] = \"here it is\";", "char now[] = \"here it is\";").sub("core/text.c", "return present;", "return now;").live_with(Changes { swapped: "absent", new_variables: "now", modules: 1, ..Changes::default() }).says("remark: here it is"),
        // It is made after the new code is live: a thread at work could be there first.
        step("an object with a constructor")
            .sub("app/main.cpp", "static const char *remark() {", "static std::string label = std::string(\"la\") + \"bel \";\nstatic const char *remark() {\n    static std::string all = label + \"once\";\n    if (label.size()) return all.c_str();")
            .at_rest()
            .live_with(Changes { swapped: "*", new: "*", new_variables: "*", modules: 1, ..Changes::default() })
            .says("remark: label once"),
    ]
}

fn headers() -> Vec<Step> {
    vec![
        step("a template of many files").sub("include/world/physics.hpp", "sum[i] = v[i] + other[i];", "sum[i] = v[i] + other[i] * 1.5;").live_with(some(1)),
        step("a structure of all files in C")
            .sub(LIFE, "int species, x, y, energy;", "int species; long hot_field; int x, y, energy;")
            .sub("app/scene.cpp", "being{species, x, y,", "being{species, 0, x, y,")
            .at_rest().live_with(some(8)).quietly(),
        step("a virtual function more")
            .sub(
                "include/world/report.hpp",
                "    virtual std::string number(",
                "    virtual double hot(double value) const { return value + 1; }\n    virtual std::string number(",
            )
            .at_rest()
            .live_with(Changes { new_variables: "*", ..some(4) })
            .quietly(),
        step("and its use").sub("report/rounded.cpp", "\"%.3f\", value", "\"%.3f\", hot(value)").live_with(some(1)).says(" 3.567"),
    ]
}

fn saves() -> Vec<Step> {
    vec![
        step("in one write")
            .save(Save::Over)
            .sub("report/table.cpp", "\"nothing is called \"", "\"nothing at all is called \"")
            .live_with(some(1))
            .says("nothing at all is called colour"),
        step("by a backup")
            .save(Save::Backup)
            .sub("report/table.cpp", "\"nothing at all is called \"", "\"no \"")
            .eventually()
            .says("caught: no colour"),
        step("in pieces")
            .save(Save::Slowly)
            .sub("report/table.cpp", "\"no \"", "\"never \"")
            .eventually()
            .says("caught: never colour"),
        step("many times")
            .save(Save::Often)
            .sub("report/table.cpp", "\"never \"", "\"not \"")
            .eventually()
            .says("caught: not colour"),
        step("files of three languages as they were")
            .revert("app/main.cpp")
            .revert("app/mix.S")
            .revert("life/rabbit.c")
            .revert("report/table.cpp")
            .eventually()
            .says("remark: nothing"),
    ]
}
