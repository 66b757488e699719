//! The edits: in each C file of Lua one function, and in its configuration a macro.
//!
//! An edit has the function store a number where the program looks for it (`c/ask.c`), so that
//! new code tells itself from old code. The functions are of the middle of each file by size,
//! as far as a short script gets at them. Two files of Lua, `lctype.c` and `lopcodes.c`, hold a
//! table each and no function.

/// What is edited, and the script that runs it.
#[derive(Clone, Copy)]
pub struct Edit {
    /// The file's name in the tree.
    pub file: &'static str,
    /// What stands before the place where the number is stored.
    anchor: &'static str,
    how: How,
    /// The program's index of the number.
    pub index: usize,
    /// What the program runs to get there.
    pub script: &'static str,
}

#[derive(Clone, Copy)]
enum How {
    /// A statement at the beginning of a function.
    Statement,
    /// A part of an expression that a macro stands for.
    Expression,
}

/// File, function up to its brace, script.
const FUNCTIONS: &[[&str; 3]] = &[
    ["lapi.c", "LUA_API const char *lua_pushlstring (lua_State *L, const char *s, size_t len) {", SUB],
    ["lauxlib.c", "LUALIB_API void luaL_addvalue (luaL_Buffer *B) {", "table.concat{'a', 'b'}"],
    ["lbaselib.c", "static int luaB_next (lua_State *L) {", "next({})"],
    ["lcode.c", "void luaK_exp2nextreg (FuncState *fs, expdesc *e) {", "load('f(1)')"],
    ["lcorolib.c", "static int luaB_cocreate (lua_State *L) {", "coroutine.create(print)"],
    ["ldblib.c", "static int makemask (const char *smask, int count) {", HOOK],
    ["ldebug.c", "l_noret luaG_errormsg (lua_State *L) {", "pcall(error, 'x')"],
    ["ldo.c", "static StkId tryfuncTM (lua_State *L, StkId func) {", CALL],
    ["ldump.c", "static void dumpUpvalues (DumpState *D, const Proto *f) {", "string.dump(load('f()'))"],
    ["lfunc.c", "void luaF_initupvals (lua_State *L, LClosure *cl) {", "load('f()')"],
    ["lgc.c", "void luaC_fullgc (lua_State *L, int isemergency) {", "collectgarbage()"],
    ["linit.c", "LUALIB_API void luaL_openlibs (lua_State *L) {", "!"],
    ["liolib.c", "static FILE *getiofile (lua_State *L, const char *findex) {", "io.write('')"],
    ["llex.c", "void luaX_next (LexState *ls) {", "load('f()')"],
    ["lmathlib.c", "static int math_max (lua_State *L) {", "math.max(1, 2)"],
    ["lmem.c", "void *luaM_malloc_ (lua_State *L, size_t size, int tag) {", "local t = {{}}"],
    ["loadlib.c", NOT_FOUND, "package.searchpath('none', '?.nothing')"],
    ["lobject.c", "size_t luaO_str2num (const char *s, TValue *o) {", "tonumber('12')"],
    ["loslib.c", "static int os_clock (lua_State *L) {", "os.clock()"],
    ["lparser.c", "static void funcstat (LexState *ls, int line) {", "load('function f() end')"],
    ["lstate.c", "static void f_luaopen (lua_State *L, void *ud) {", "!"],
    ["lstring.c", "TString *luaS_newlstr (lua_State *L, const char *str, size_t l) {", SUB],
    ["lstrlib.c", "static int str_reverse (lua_State *L) {", "string.reverse('abc')"],
    ["ltable.c", "static const TValue *getgeneric (Table *t, const TValue *key, int deadok) {", GET],
    ["ltablib.c", "static int tpack (lua_State *L) {", "table.pack(1, 2)"],
    ["ltm.c", "const TValue *luaT_gettmbyobj (lua_State *L, const TValue *o, TMS event) {", ADD],
    ["lundump.c", "static void checkliteral (LoadState *S, const char *s, const char *msg) {", UNDUMP],
    ["lutf8lib.c", "static int iter_aux (lua_State *L, int strict) {", "for _ in utf8.codes('ab') do end"],
    ["lvm.c", "int luaV_tonumber_ (const TValue *obj, lua_Number *n) {", "math.sin(1)"],
    ["lzio.c", "int luaZ_fill (ZIO *z) {", "load(function() return nil end)"],
    ["ask.c", "int turn(int index, const char *script) {\n  asked[index] = 0;", "local _ = 1"],
];

const SUB: &str = "string.sub('abc', 2)";
const HOOK: &str = "debug.sethook(print, '', 1000000) debug.sethook()";
const CALL: &str = "setmetatable({}, {__call = function() end})()";
const GET: &str = "local t = {} t[1] = t[1.5]";
const ADD: &str = "pcall(function() return {} + 1 end)";
const UNDUMP: &str = "load(string.dump(load('f()')), 'x', 'b')";
const NOT_FOUND: &str = "static void pusherrornotfound (lua_State *L, const char *path) {";

/// How many files of Lua have no function.
pub const WITHOUT: usize = 2;

/// The edits of one function each.
pub fn functions() -> Vec<Edit> {
    let edit = |(index, &[file, anchor, script]): (usize, &[&'static str; 3])| Edit {
        file,
        anchor,
        how: How::Statement,
        index,
        script,
    };
    FUNCTIONS.iter().enumerate().map(edit).collect()
}

/// The header that every file of Lua includes.
const EVERYWHERE: &str = "luaconf.h";

/// A macro that three functions of three files use.
pub fn few_users() -> Edit {
    let anchor = "#define lua_numbertointeger(n,p) \\\n  (";
    let script = "math.tointeger(3.0)";
    Edit { file: EVERYWHERE, anchor, how: How::Expression, index: FUNCTIONS.len(), script }
}

/// A macro that several hundred functions of 19 files use.
pub fn many_users() -> Edit {
    let anchor = "#define luai_likely(x)\t\t(";
    Edit { file: EVERYWHERE, anchor, how: How::Expression, index: FUNCTIONS.len() + 1, script: CALL }
}

impl Edit {
    /// The file's text with the number `number` stored.
    pub fn apply(&self, text: &str, number: i64) -> String {
        let Self { file, anchor, index, .. } = self;
        let at = text.find(anchor).unwrap_or_else(|| panic!("{file} has no `{anchor}`"));
        let (before, after) = text.split_at(at + anchor.len());
        match self.how {
            How::Statement => format!("{before} extern int asked[]; asked[{index}] = {number};{after}"),
            How::Expression => {
                let line = at - text[..at].rfind('\n').map_or(at, |newline| at - newline - 1);
                let (above, before) = before.split_at(line);
                format!("{above}extern int asked[];\n{before}asked[{index}] = {number}, {after}")
            }
        }
    }
}
