/* The main of Lua as it is edited: `main SCRIPT` or `main -e CODE`. It registers nothing for
 * the end of the process, which LLVM's loaders cannot do for code of a JITDylib. */
#include <stdio.h>
#include <string.h>

#include "lauxlib.h"
#include "lua.h"
#include "lualib.h"

static int report(lua_State *L) {
  fprintf(stderr, "lua: %s\n", lua_tostring(L, -1));
  return 1;
}

int main(int argc, char **argv) {
  lua_State *L = luaL_newstate();
  int failed;
  if (L == NULL || argc < 2) return 1;
  luaL_openlibs(L);
  failed = argc > 2 && strcmp(argv[1], "-e") == 0 ? luaL_dostring(L, argv[2])
                                                   : luaL_dofile(L, argv[1]);
  if (failed) failed = report(L);
  lua_close(L);
  return failed;
}
