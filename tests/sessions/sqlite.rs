//! The session with SQLite: one file of nine megabytes, and some of ours that it calls back.

use super::step::{Changes, Save, Step, step};

const SQLITE: &str = "sqlite/sqlite3.c";
const VERSION: &str = "SQLITE_API const char *sqlite3_libversion(void){ return sqlite3_version; }";

/// Each edit is of the files as those before have left them. The large file is compiled for
/// seconds, and so it is edited in a third of them.
pub fn steps() -> Vec<Step> {
    let mut steps = large();
    steps.extend(functions());
    steps.extend(errors());
    steps.extend(variables());
    steps.extend(saves());
    steps
}

fn large() -> Vec<Step> {
    vec![
        step("two functions")
            .sub(SQLITE, "      sqlite3_result_int(context, (int)(z-z0));", "      sqlite3_result_int(context, 100 + (int)(z-z0));")
            .sub(SQLITE, "        iVal = -iVal;\n      }\n      sqlite3_result_int64(context, iVal);", "        iVal = 1000 - iVal;\n      }\n      sqlite3_result_int64(context, iVal);")
            .live("absFunc lengthFunc")
            .says("105, 2, 616263, 1005"),
        step("a comment in the large file").sub(SQLITE, "/* IMP: R-37434-19929 Abs(X)", "/* IMP: R-37434-19930 Abs(X)").no_effect("the code is the same"),
        step("a save of what was there").unchanged(),
        step("a constant and a new function")
            .sub(SQLITE, "static const char hexdigits[] = {\n  '0', '1',", "static const char hexdigits[] = {\n  'o', '1',")
            .sub(SQLITE, VERSION, "static const char *hotVersion(void){ return \"3.hot\"; }\nSQLITE_API const char *sqlite3_libversion(void){ return hotVersion(); }")
            .live_with(Changes { swapped: "sqlite3_libversion *", new: "hotVersion", modules: 1, ..Changes::default() })
            .says("version 3.hot"),
        step("a table that the library has changed itself")
            .sub(SQLITE, "    FUNCTION(nullif,             2, 0, 1, nullifFunc       ),", "    FUNCTION(nullif,             2, 0, 1, nullifFunc       ),\n    FUNCTION(hotif,              2, 0, 1, nullifFunc       ),")
            .refused("variable", "sqlite3RegisterBuiltinFunctions.aBuiltinFunc"),
        step("taken back")
            .sub(SQLITE, "\n    FUNCTION(hotif,              2, 0, 1, nullifFunc       ),", "")
            .reverted(),
        step("without the new function")
            .sub(SQLITE, "static const char *hotVersion(void){ return \"3.hot\"; }\nSQLITE_API const char *sqlite3_libversion(void){ return hotVersion(); }", VERSION_AGAIN)
            .live_with(Changes { swapped: "sqlite3_libversion *", removed: "hotVersion", modules: 1, ..Changes::default() })
            .says("version 3.54.1!"),
        step("the layout of a connection")
            .sub(SQLITE, "struct sqlite3 {\n  sqlite3_vfs *pVfs;", "struct sqlite3 {\n  i64 hotField[3];\n  sqlite3_vfs *pVfs;")
            .at_rest()
            .live("openDatabase sqlite3_exec *")
            .quietly(),
    ]
}

const VERSION_AGAIN: &str = "SQLITE_API const char *sqlite3_libversion(void){ return SQLITE_VERSION \"!\"; }";

fn functions() -> Vec<Step> {
    vec![
        step("a function that SQLite has a pointer to")
            .sub("functions.c", "\"%s %s\", GREETING", "\"%s, %s\", GREETING")
            .live("greet")
            .says("42, hello, you"),
        step("a header of two files").sub("functions.h", "\"hello\"", "\"good day\"").live("greet").says("good day, you"),
        step("two files at once")
            .sub("functions.c", "return value * 2;", "return value * 3;")
            .sub("with_sqlite.c", "? \"many\" :", "? \"plenty\" :")
            .live_with(Changes { swapped: "describe weight *", modules: 2, ..Changes::default() })
            .says("63, good day, you, plenty 60 rows"),
        step("a new SQL function")
            .sub("functions.c", "int add_functions(sqlite3 *db) {", "static void halve(sqlite3_context *context, int count, sqlite3_value **values) {\n    sqlite3_result_double(context, sqlite3_value_double(values[count - 1]) / 2);\n}\n\nint add_functions(sqlite3 *db) {")
            .sub("functions.c", "    return sqlite3_create_function(db, \"weigh\"", "    return sqlite3_create_function(db, \"halve\", 1, flags, NULL, halve, NULL, NULL)\n        || sqlite3_create_function(db, \"weigh\"")
            .sub("with_sqlite.c", "    \"SELEC 1\",", "    \"SELECT halve(5)\",\n    \"SELEC 1\",")
            .live_with(Changes { swapped: "add_functions *", new: "halve", modules: 2, ..Changes::default() })
            .says("2.5"),
        step("removed")
            .sub("functions.c", "static void halve(sqlite3_context *context, int count, sqlite3_value **values) {\n    sqlite3_result_double(context, sqlite3_value_double(values[count - 1]) / 2);\n}\n\n", "")
            .sub("functions.c", "sqlite3_create_function(db, \"halve\", 1, flags, NULL, halve, NULL, NULL)\n        || ", "")
            .live_with(Changes { swapped: "add_functions", removed: "halve", modules: 1, ..Changes::default() })
            .says("no such function: halve"),
        step("another signature without the callers")
            .sub("functions.h", "int weight(int value);", "")
            .sub("functions.c", "int weight(int value) {\n    return value * 3;", "long weight(long value) {\n    return value * 4;")
            .sub("with_sqlite.c", "    if (sqlite3_open(\":memory:\", &db) ||", "    extern int weight(int value);\n    fprintf(out, \"weight %d\\n\", weight(1));\n    if (sqlite3_open(\":memory:\", &db) ||")
            .refused("signature", "weight"),
        step("the callers as well")
            .sub("with_sqlite.c", "extern int weight(int value);\n    fprintf(out, \"weight %d", "extern long weight(long value);\n    fprintf(out, \"weight %ld")
            .live_with(Changes { swapped: "weigh weight work", modules: 2, ..Changes::default() })
            .says("weight 4"),
        step("a static function for other files")
            .sub("functions.c", "static const char *unit(void) {", "const char *unit(void) {")
            .sub("with_sqlite.c", "    fprintf(out, \"version", "    extern const char *unit(void);\n    fprintf(out, \"unit %s\\n\", unit());\n    fprintf(out, \"version")
            .live_with(Changes { swapped: "work *", modules: 2, new: "*", removed: "*", ..Changes::default() })
            .says("unit rows"),
        step("static again while it is used").sub("functions.c", "const char *unit(void) {", "static const char *unit(void) {").link_error("missing", "unit"),
        step("and not used any more")
            .sub("with_sqlite.c", "    extern const char *unit(void);\n    fprintf(out, \"unit %s\\n\", unit());\n", "")
            .live_with(Changes { swapped: "work *", modules: 2, new: "*", removed: "*", ..Changes::default() }),
        step("the layout of an aggregate")
            .sub("functions.h", "    long rows;\n", "    char name[40];\n    long rows;\n")
            .at_rest()
            .live_with(Changes { swapped: "describe tally_end tally_step *", modules: 2, ..Changes::default() })
            .quietly(),
        step("a macro's use").sub("functions.h", "#define GREETING \"good day\"", "#define GREETING (sqlite3_libversion() + 2)").live("greet").says("54.1!, you"),
    ]
}

fn errors() -> Vec<Step> {
    vec![
        step("a syntax error in a header").sub("functions.h", "long sum;\n};", "long sum;\n}").compile_error("expected"),
        step("mended, and more").sub("functions.h", "long sum;\n}", "long sum;\n};").sub("functions.c", "\"%s, %s\"", "\"%s - %s\"").live("greet").says("54.1! - you"),
        step("an error in the large file").sub(SQLITE, "iVal = 1000 - iVal;", "iVal = 1000 - iValue;").compile_error("iValue"),
        step("undone in the editor").sub(SQLITE, "iVal = 1000 - iValue;", "iVal = 1000 - iVal;").reverted(),
        step("a function that nobody has")
            .sub("with_sqlite.c", "    fprintf(out, \"version", "    extern int absent(void);\n    fprintf(out, \"absent %d\\n\", absent());\n    fprintf(out, \"version")
            .link_error("missing", "absent"),
        step("now somebody has it").append("functions.c", "\nint absent(void) {\n    return 5;\n}\n").live_with(Changes { swapped: "work", new: "absent", modules: 2, ..Changes::default() }).says("absent 5"),
        step("a function that two have").append("turns.c", "\nint absent(void) {\n    return 6;\n}\n").link_error("double", "absent"),
        step("taken back again").revert("turns.c").reverted(),
    ]
}

fn variables() -> Vec<Step> {
    vec![
        step("a new variable")
            .sub("functions.c", "long weight", "long offset = 7;\nlong weight")
            .sub("functions.c", "return value * 4;", "return value * 4 + offset;")
            .live_with(Changes {
                swapped: "weight *",
                new_variables: "offset",
                modules: 1,
                ..Changes::default()
            })
            .says("weight 11"),
        step("another initial value")
            .sub("functions.c", "offset = 7;", "offset = 9;")
            .no_effect("offset keeps the value")
            .keeps(&[("weight 13\n", "weight 11\n"), ("93, ", "91, ")]),
        step("the old initial value").sub("functions.c", "offset = 9;", "offset = 7;").no_effect("offset"),
        step("another type")
            .sub("functions.c", "long offset = 7;", "short offset = 7;")
            .refused("variable", "offset"),
        step("another name")
            .sub("functions.c", "short offset = 7;", "short shift = 8;")
            .sub("functions.c", "4 + offset;", "4 + shift;")
            .live_with(Changes {
                swapped: "weight *",
                new_variables: "shift",
                modules: 1,
                ..Changes::default()
            })
            .says("weight 12"),
    ]
}

fn saves() -> Vec<Step> {
    vec![
        step("in one write")
            .save(Save::Over)
            .sub("with_sqlite.c", "\"plenty\"", "\"plenty of\"")
            .live("describe")
            .says("plenty of 60 rows"),
        step("by a backup")
            .save(Save::Backup)
            .sub("functions.c", "\"rows\"", "\"lines\"")
            .eventually()
            .says("plenty of 60 lines"),
        step("in pieces")
            .save(Save::Slowly)
            .sub("functions.c", "\"lines\"", "\"records\"")
            .eventually()
            .says("60 records"),
        step("many times")
            .save(Save::Often)
            .sub("functions.c", "\"records\"", "\"entries\"")
            .eventually()
            .says("60 entries"),
        step("all as it was").revert_all().at_rest().eventually().says("version 3.54.1\n"),
    ]
}
