//! The session with Lua: 33 files and headers that all of them include.

use super::step::{Changes, Save, Step, step};

const HOST: &str = "    lua_pushfstring(L, \"%s\", motto());\n";

/// Each edit is of the files as those before have left them.
pub fn steps() -> Vec<Step> {
    let mut steps = bodies();
    steps.extend(functions());
    steps.extend(errors());
    steps.extend(variables());
    steps.extend(headers());
    steps.extend(saves());
    steps
}

fn bodies() -> Vec<Step> {
    vec![
        step("the body of a function")
            .sub(
                "lua/lmathlib.c",
                "    lua_pushinteger(L, n);\n  }\n  else\n    lua_pushnumber(L, l_mathop(fabs)",
                "    lua_pushinteger(L, n + 1000);\n  }\n  else\n    lua_pushnumber(L, l_mathop(fabs)",
            )
            .live("math_abs")
            .says("abs 1007 2.5"),
        step("a comment")
            .sub(
                "lua/lmathlib.c",
                "/* value is not convertible to integer */",
                "/* no integer has this value */",
            )
            .no_effect("the code is the same"),
        step("lines that move")
            .sub("lua/lvm.c", "#define lvm_c", "/*\n * More lines.\n */\n#define lvm_c")
            .no_effect("the code is the same"),
        step("a save of what was there").unchanged(),
        step("two functions of a file")
            .sub("lua/lstrlib.c", "p[i] = s[l - i - 1];", "p[i] = s[i] + 1;")
            .sub(
                "lua/lstrlib.c",
                "p[i] = toupper(uchar(s[i]));",
                "p[i] = i % 2 ? s[i] : toupper(uchar(s[i]));",
            )
            .live("str_reverse str_upper")
            .says("ShOuT abc-abc-abc bcd"),
        step("the interpreter's loop")
            .sub("lua/lvm.c", "setivalue(s2v(ra), intop(-, 0, ib));", "setivalue(s2v(ra), intop(-, 1, ib));")
            .live("luaV_execute")
            .says("minus -6"),
        step("two files at once")
            .sub("lua/lutf8lib.c", "    posi = s1 - s;\n    n++;", "    posi = s1 - s;\n    n += 2;")
            .sub(
                "lua/ltablib.c",
                "luaL_addlstring(&b, sep, lsep);\n  }",
                "luaL_addlstring(&b, sep, lsep);\n    luaL_addchar(&b, '_');\n  }",
            )
            .live_with(Changes { swapped: "tconcat utflen", modules: 2, ..Changes::default() })
            .says("utf8 12"),
        step("a constant table")
            .sub(
                "lua/ltm.c",
                "\"nil\", \"boolean\", udatatypename, \"number\",",
                "\"nil\", \"boolean\", udatatypename, \"numeric\",",
            )
            .live("*")
            .says("types numeric string"),
        step("a macro")
            .sub("lua/lstrlib.c", "#define MAXCCALLS\t200", "#define MAXCCALLS\t400")
            .live("*")
            .says("deep 1"),
    ]
}

fn functions() -> Vec<Step> {
    vec![
        step("a new function")
            .sub("lua/lstrlib.c", "static int str_rep (lua_State *L) {", "static int str_shout (lua_State *L) {\n  lua_pushfstring(L, \"%s!\", luaL_checkstring(L, 1));\n  return 1;\n}\n\nstatic int str_rep (lua_State *L) {")
            .sub("lua/lstrlib.c", "  {\"upper\", str_upper},\n", "  {\"upper\", str_upper},\n  {\"shout\", str_shout},\n")
            .live_with(Changes { swapped: "luaopen_string", new: "str_shout", ..Changes::default() })
            .says("shout psst!"),
        step("the new one's body").sub("lua/lstrlib.c", "\"%s!\"", "\"%s!!!\"").live("str_shout").says("shout psst!!!"),
        step("a removed function")
            .sub("lua/lstrlib.c", "static int str_shout (lua_State *L) {\n  lua_pushfstring(L, \"%s!!!\", luaL_checkstring(L, 1));\n  return 1;\n}\n\n", "")
            .sub("lua/lstrlib.c", "  {\"shout\", str_shout},\n", "")
            .live_with(Changes { swapped: "luaopen_string", removed: "str_shout", ..Changes::default() })
            .says("shout none"),
        step("a function of one file for another")
            .append("lua/lauxlib.c", "\nint luaL_cube (int n) {\n  return n * n * n;\n}\n")
            .sub("lua/lmathlib.c", "static int math_abs (lua_State *L) {", "extern int luaL_cube (int n);\n\nstatic int math_cube (lua_State *L) {\n  lua_pushinteger(L, luaL_cube((int)luaL_checkinteger(L, 1)));\n  return 1;\n}\n\nstatic int math_abs (lua_State *L) {")
            .sub("lua/lmathlib.c", "  {\"ceil\",  math_ceil},", "  {\"ceil\",  math_ceil},\n  {\"cube\",  math_cube},")
            .live_with(Changes { swapped: "luaopen_math", new: "luaL_cube math_cube", modules: 2, ..Changes::default() })
            .says("cube 27"),
        step("another signature without the callers")
            .sub("lua/lauxlib.c", "int luaL_cube (int n) {\n  return n * n * n;", "double luaL_cube (double n) {\n  return n * n * n + 0.5;")
            .refused("signature", "luaL_cube"),
        step("the callers as well")
            .sub("lua/lmathlib.c", "extern int luaL_cube (int n);", "extern double luaL_cube (double n);")
            .sub("lua/lmathlib.c", "  lua_pushinteger(L, luaL_cube((int)luaL_checkinteger(L, 1)));", "  lua_pushnumber(L, luaL_cube(luaL_checknumber(L, 1)));")
            .live_with(Changes { swapped: "luaL_cube math_cube", modules: 2, ..Changes::default() })
            .says("cube 27.5"),
        step("another signature again")
            .sub("lua/lauxlib.c", "double luaL_cube (double n) {", "double luaL_cube (double n, int more) {")
            .refused("signature", "luaL_cube"),
        step("taken back").sub("lua/lauxlib.c", "(double n, int more) {", "(double n) {").reverted(),
        step("a static function for other files")
            .sub("with_lua.c", "static const char *motto(void) {", "const char *motto(void) {")
            .sub("turns.c", "    fputs(text, stdout);\n", "    fputs(text, stdout);\n    extern const char *motto(void);\n    printf(\"motto %s\\n\", motto());\n")
            .live_with(Changes { swapped: "do_turn *", modules: 2, ..Changes::default() })
            .says("motto state survives"),
        step("static again while another file uses it")
            .sub("with_lua.c", "const char *motto(void) {", "static const char *motto(void) {")
            .link_error("missing", "motto"),
        step("not used any more")
            .sub("turns.c", "    extern const char *motto(void);\n    printf(\"motto %s\\n\", motto());\n", "")
            .live_with(Changes { swapped: "do_turn *", modules: 2, ..Changes::default() }),
        step("every place of a signature")
            .sub("lua/lobject.h", "luaO_ceillog2 (unsigned int x);", "luaO_ceillog2 (unsigned long x, int more);")
            .sub("lua/lobject.c", "int luaO_ceillog2 (unsigned int x) {", "int luaO_ceillog2 (unsigned long x, int more) {\n  (void)more;")
            .sub("lua/lcode.c", "luaO_ceillog2(hsize) + 1", "luaO_ceillog2(hsize, 1) + 1")
            .sub("lua/ltable.c", "nums[luaO_ceillog2(k)]++", "nums[luaO_ceillog2(k, 2)]++")
            .sub("lua/ltable.c", "luaO_ceillog2(size);", "luaO_ceillog2(size, 3);")
            .live("luaO_ceillog2 *")
            .quietly(),
    ]
}

fn errors() -> Vec<Step> {
    vec![
        step("a syntax error")
            .sub("lua/ltablib.c", "luaL_addchar(&b, '_');", "luaL_addchar(&b, '_')")
            .compile_error("expected ';'"),
        step("another file meanwhile")
            .sub("lua/lmathlib.c", "lua_pushinteger(L, n + 1000);", "lua_pushinteger(L, n + 2000);")
            .live("math_abs")
            .beside()
            .says("abs 2007"),
        step("mended, and other code")
            .sub("lua/ltablib.c", "luaL_addchar(&b, '_')", "luaL_addchar(&b, '+');")
            .live("tconcat"),
        step("an error of types")
            .sub("lua/lmathlib.c", "n + 2000);", "n + \"2000\");")
            .compile_error("incompatible"),
        step("undone in the editor").sub("lua/lmathlib.c", "n + \"2000\");", "n + 2000);").reverted(),
        step("a function that nobody has")
            .sub(
                "with_lua.c",
                HOST,
                "    extern int absent(void);\n    lua_pushfstring(L, \"%s %d\", motto(), absent());\n",
            )
            .link_error("missing", "absent"),
        step("now somebody has it")
            .append("lua/lauxlib.c", "\nint absent (void) {\n  return 17;\n}\n")
            .live_with(Changes { swapped: "host *", new: "absent", modules: 2, ..Changes::default() })
            .says("host state survives 17"),
        step("a function that two have")
            .append("lua/linit.c", "\nint absent (void) {\n  return 18;\n}\n")
            .link_error("double", "absent"),
        step("moved to there")
            .sub("lua/lauxlib.c", "\nint absent (void) {\n  return 17;\n}\n", "")
            .live_with(Changes {
                swapped: "",
                new: "absent",
                removed: "absent",
                modules: 2,
                ..Changes::default()
            })
            .says("host state survives 18"),
    ]
}

fn variables() -> Vec<Step> {
    vec![
        step("a new variable")
            .sub(
                "with_lua.c",
                "/* What a script is told of this file. */",
                "int bonus = 5;\n\n/* What a script is told of this file. */",
            )
            .sub(
                "with_lua.c",
                "\"%s %d\", motto(), absent());",
                "\"%s %d bonus %d\", motto(), absent(), bonus);",
            )
            .live_with(Changes { swapped: "host *", new_variables: "bonus", ..Changes::default() })
            .says("bonus 5"),
        step("another initial value")
            .sub("with_lua.c", "int bonus = 5;", "int bonus = 9;")
            .no_effect("bonus keeps the value")
            .keeps(&[("bonus 9", "bonus 5")]),
        step("and code that uses it")
            .sub("with_lua.c", "\"%s %d bonus %d\"", "\"%s, %d bonus %d\"")
            .live("host *")
            .keeps(&[("bonus 9", "bonus 5")]),
        step("the old initial value")
            .sub("with_lua.c", "int bonus = 9;", "int bonus = 5;")
            .no_effect("bonus"),
        step("another type")
            .sub("with_lua.c", "int bonus = 5;", "double bonus[4] = {5};")
            .refused("variable", "bonus"),
        step("another name")
            .sub("with_lua.c", "double bonus[4] = {5};", "double prize[4] = {6};")
            .sub(
                "with_lua.c",
                "bonus %d\", motto(), absent(), bonus);",
                "prize %d\", motto(), absent(), (int)prize[0]);",
            )
            .live_with(Changes { swapped: "host *", new_variables: "prize", ..Changes::default() })
            .says("prize 6"),
        step("a thread's own variable")
            .sub("with_lua.c", "double prize[4] = {6};", "static _Thread_local int own = 70;")
            .sub(
                "with_lua.c",
                "prize %d\", motto(), absent(), (int)prize[0]);",
                "own %d\", motto(), absent(), own + 1);",
            )
            .live_with(Changes { swapped: "host *", new_variables: "own", ..Changes::default() })
            .says("own 71"),
    ]
}

fn headers() -> Vec<Step> {
    vec![
        step("a header of all files, of use to one")
            .sub("lua/luaconf.h", "\"%.14g\"", "\"%.10g\"")
            .live("tostringbuff *")
            .says("numbers 0.3333333333 3"),
        step("the version")
            .sub("lua/lua.h", "#define LUA_VERSION_MINOR\t\"4\"", "#define LUA_VERSION_MINOR\t\"4 hot\"")
            .live("luaopen_base *")
            .says("Lua 5.4 hot"),
        step("a macro of most files")
            .sub(
                "lua/lauxlib.h",
                "luaL_argerror(L, (arg), (extramsg))))",
                "luaL_argerror(L, (arg) + 10, (extramsg))))",
            )
            .live_with(Changes { swapped: "luaB_select *", modules: 6, ..Changes::default() })
            .says("bad argument #11"),
        step("the layout of a structure")
            .sub(
                "lua/lstate.h",
                "  lu_byte status;\n  lu_byte allowhook;",
                "  long hot_field[2];\n  lu_byte status;\n  lu_byte allowhook;",
            )
            .at_rest()
            .live_with(Changes { swapped: "luaV_execute lua_gettop *", modules: 12, ..Changes::default() })
            .quietly(),
        step("a new header")
            .put("hot.h", "#define GREETING \"hello\"\n")
            .sub("with_lua.c", "#include \"turns.h\"\n", "#include \"turns.h\"\n#include \"hot.h\"\n")
            .sub("with_lua.c", "\"%s, %d", "GREETING \" %s, %d")
            .live("host *")
            .says("host hello state"),
        step("an edit of it")
            .put("hot.h", "#define GREETING \"good morning\"\n")
            .live("host *")
            .says("host good morning state"),
        step("without it").delete("hot.h").compile_error("'hot.h' file not found"),
        step("it comes back")
            .put("hot.h", "#define GREETING \"good evening\"\n")
            .live("host *")
            .says("host good evening state"),
    ]
}

fn saves() -> Vec<Step> {
    vec![
        step("in one write")
            .save(Save::Over)
            .sub("with_lua.c", "state survives", "state survives all")
            .live("motto *")
            .says("state survives all"),
        step("by a backup")
            .save(Save::Backup)
            .sub("with_lua.c", "survives all", "outlives")
            .eventually()
            .says("state outlives"),
        step("in pieces")
            .save(Save::Slowly)
            .sub(
                "lua/lbaselib.c",
                "lua_pushstring(L, lua_typename(L, t));",
                "lua_pushfstring(L, \"%s?\", lua_typename(L, t));",
            )
            .eventually()
            .says("types numeric? string?"),
        step("many times")
            .save(Save::Often)
            .sub("lua/lstrlib.c", "p[i] = s[i] + 1;", "p[i] = s[i] + 2;")
            .eventually()
            .says("cde"),
        step("all as it was").revert_all().at_rest().eventually().says("abs 7 2.5"),
    ]
}
