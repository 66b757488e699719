/* A round of work with Lua: a script in a state of its own. */
#include <string.h>

#include "lauxlib.h"
#include "lua.h"
#include "lualib.h"

#include "turns.h"

static const char script[] =
    "emit(_VERSION)\n"
    "emit('abs ' .. math.abs(-7) .. ' ' .. math.abs(2.5))\n"
    "emit('text ' .. ('shout'):upper() .. ' ' .. ('abc'):rep(3, '-') .. ' ' .. ('abc'):reverse())\n"
    "emit('concat ' .. table.concat({ 1, 2.5, 'x' }, ', '))\n"
    "emit('numbers ' .. 1 / 3 .. ' ' .. 10 // 3 .. ' ' .. 2^53 .. ' ' .. -7 % 3)\n"
    "emit('types ' .. type(1) .. ' ' .. type('') .. ' ' .. type({}) .. ' ' .. type(print))\n"
    "emit('error ' .. select(2, pcall(function() local t; t.x = 1 end)))\n"
    "emit('argument ' .. select(2, pcall(select, 0)))\n"
    "local list = { 5, 3, 9, 1 }\n"
    "table.sort(list)\n"
    "emit('sorted ' .. table.concat(list, ' '))\n"
    "local squares = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i * i) end end)\n"
    "emit('squares ' .. squares() .. ' ' .. squares() .. ' ' .. squares())\n"
    "emit('format ' .. ('%5.2f|%-5s|%x|%q'):format(3.14159, 'ab', 255, 'a\\nb'))\n"
    "local sum = 0\n"
    "for i = 1, 500 do sum = sum + (i % 7) * 2; local x = { i, tostring(i) } end\n"
    "collectgarbage()\n"
    "emit('sum ' .. sum)\n"
    "emit('find ' .. ('hello world'):find('o w') .. ' ' .. ('x=1'):gsub('%w', '%0%0'))\n"
    "emit('deep ' .. tostring(select(2, pcall(string.find, ('a'):rep(250), ('a?'):rep(250)))))\n"
    "local seven = 7\n"
    "emit('minus ' .. -seven)\n"
    "emit('utf8 ' .. utf8.len('h\\u{e4}user'))\n"
    "emit('shout ' .. (string.shout and ('psst'):shout() or 'none'))\n"
    "emit('cube ' .. (math.cube and math.cube(3) or 'none'))\n"
    "emit('host ' .. host())\n";

static const char *motto(void) {
    return "state survives";
}

/* What a script is told of this file. */
static int host(lua_State *L) {
    lua_pushfstring(L, "%s", motto());
    return 1;
}

static int emit(lua_State *L) {
    FILE *out = lua_touserdata(L, lua_upvalueindex(1));
    fprintf(out, "%s\n", luaL_checkstring(L, 1));
    return 0;
}

static lua_State *opened(FILE *out) {
    lua_State *L = luaL_newstate();
    luaL_openlibs(L);
    lua_pushlightuserdata(L, out);
    lua_pushcclosure(L, emit, 1);
    lua_setglobal(L, "emit");
    lua_pushcfunction(L, host);
    lua_setglobal(L, "host");
    return L;
}

void work(FILE *out) {
    lua_State *L = opened(out);
    int failed = luaL_loadbuffer(L, script, strlen(script), "=round") || lua_pcall(L, 0, 0, 0);
    if (failed) fprintf(out, "failed: %s\n", lua_tostring(L, -1));
    lua_close(L);
}

/* Objects of Lua that are older than the code that uses them. */
static lua_State *kept;

long use_kept(void) {
    static const char more[] =
        "log = log or {}\n"
        "log[#log + 1] = ('entry %d'):format(#log + 1)\n"
        "step = step or coroutine.wrap(function() local n = 0; while true do n = n + 1; coroutine.yield(n) end end)\n"
        "count = step()\n"
        "if count ~= #log or log[count] ~= 'entry ' .. count then count = -count end\n";
    if (kept == NULL) kept = opened(NULL);
    if (luaL_dostring(kept, more)) {
        printf("failed: %s\n", lua_tostring(kept, -1));
        return -1;
    }
    lua_getglobal(kept, "count");
    long count = (long)lua_tointeger(kept, -1);
    lua_settop(kept, 0);
    return count;
}

void forget_kept(void) {
    if (kept != NULL) lua_close(kept);
    kept = NULL;
}
