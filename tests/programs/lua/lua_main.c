/* A small Lua host for the tests. `lua_main SCRIPT...` runs each script in a fresh state,
 * `lua_main -e CODE` runs a string. An uncaught error goes to stderr with a traceback and
 * makes the exit code 1. Scripts get a table `host`, whose functions lead through libc and back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lauxlib.h"
#include "lua.h"
#include "lualib.h"

/* What all states together hold: a static variable that the allocator writes through a pointer. */
static size_t live_bytes;

static void *counting_alloc(void *ud, void *ptr, size_t old_size, size_t new_size) {
  size_t *total = ud;
  *total += new_size - (ptr ? old_size : 0);
  if (new_size == 0) {
    free(ptr);
    return NULL;
  }
  return realloc(ptr, new_size);
}

static lua_State *sorting;

static int compare_in_lua(const void *a, const void *b) {
  int result;
  lua_pushvalue(sorting, 2);
  lua_pushinteger(sorting, *(const int *)a);
  lua_pushinteger(sorting, *(const int *)b);
  lua_call(sorting, 2, 1); /* an error jumps out of qsort */
  result = (int)lua_tointeger(sorting, -1);
  lua_pop(sorting, 1);
  return result;
}

/* host.qsort(array, compare): libc's qsort with a Lua function. */
static int host_qsort(lua_State *L) {
  int values[64], n, i;
  n = (int)luaL_len(L, 1);
  luaL_argcheck(L, n <= 64, 1, "at most 64 elements");
  luaL_checktype(L, 2, LUA_TFUNCTION);
  for (i = 0; i < n; i++) {
    lua_rawgeti(L, 1, i + 1);
    values[i] = (int)luaL_checkinteger(L, -1);
    lua_pop(L, 1);
  }
  sorting = L;
  qsort(values, (size_t)n, sizeof values[0], compare_in_lua);
  for (i = 0; i < n; i++) {
    lua_pushinteger(L, values[i]);
    lua_rawseti(L, 1, i + 1);
  }
  return 0;
}

static int resumed(lua_State *L, int status, lua_KContext context) {
  lua_pushfstring(L, "continued: status %d, context %d", status, (int)context);
  lua_insert(L, 2);
  return lua_gettop(L) - 1;
}

/* host.pcallk(f, ...): a protected call that a coroutine may yield across. */
static int host_pcallk(lua_State *L) {
  int nargs = lua_gettop(L) - 1;
  lua_pushboolean(L, 1);
  lua_insert(L, 1);
  return resumed(L, lua_pcallk(L, nargs, LUA_MULTRET, 0, 77, resumed), 77);
}

static int host_abort(lua_State *L) {
  fprintf(stderr, "%s\n", luaL_checkstring(L, 1));
  fflush(stdout);
  abort();
}

static const luaL_Reg host_functions[] = {
    {"qsort", host_qsort}, {"pcallk", host_pcallk}, {"abort", host_abort}, {NULL, NULL}};

static int traceback(lua_State *L) {
  luaL_traceback(L, L, luaL_tolstring(L, 1, NULL), 1);
  return 1;
}

static int on_panic(lua_State *L) {
  fprintf(stderr, "unprotected error: %s\n", lua_tostring(L, -1));
  return 0;
}

/* Scripts lie in different directories on different machines; messages must not show it. */
static int load(lua_State *L, const char *text, const char *path) {
  static char buffer[1 << 16];
  const char *slash;
  char name[256];
  FILE *file;
  size_t length;
  if (!path) return luaL_loadbuffer(L, text, strlen(text), "=command");
  if (!(file = fopen(path, "rb"))) {
    lua_pushfstring(L, "cannot open %s", path);
    return LUA_ERRFILE;
  }
  length = fread(buffer, 1, sizeof buffer, file);
  fclose(file);
  slash = strrchr(path, '/');
  snprintf(name, sizeof name, "=%s", slash ? slash + 1 : path);
  return luaL_loadbuffer(L, buffer, length, name);
}

static int run(const char *text, const char *path) {
  int failed;
  lua_State *L = luaL_newstate();
  if (!L) return 1;
  /* What the state has taken so far came from the allocator it was made with. */
  live_bytes += (size_t)lua_gc(L, LUA_GCCOUNT) * 1024 + (size_t)lua_gc(L, LUA_GCCOUNTB);
  lua_setallocf(L, counting_alloc, &live_bytes);
  lua_atpanic(L, on_panic);
  luaL_openlibs(L);
  luaL_newlib(L, host_functions);
  lua_setglobal(L, "host");
  lua_pushcfunction(L, traceback);
  failed = load(L, text, path) || lua_pcall(L, 0, 0, 1);
  if (failed) fprintf(stderr, "error: %s\n", lua_tostring(L, -1));
  lua_close(L);
  return failed;
}

static void at_exit_first(void) { printf("atexit: registered first, runs last\n"); }
static void at_exit_second(void) { printf("atexit: registered last, runs first\n"); }

int main(int argc, char **argv) {
  int i, failed = 0;
  atexit(at_exit_first);
  atexit(at_exit_second);
  printf("argv[0] = %s, argc = %d, argv[argc] is %s\n", argv[0], argc,
         argv[argc] ? "set" : "NULL");
  for (i = 1; i < argc; i++) {
    if (!strcmp(argv[i], "-e") && i + 1 < argc)
      failed |= run(argv[++i], NULL);
    else
      failed |= run(NULL, argv[i]);
  }
  fprintf(stderr, "left allocated: %s\n", live_bytes == 0 ? "nothing" : "something");
  return failed;
}
