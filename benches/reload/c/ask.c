/* The main of Lua as it is edited: it runs a script again and again, and says which number the
 * edited function has left.
 *
 * A line on stdin is `INDEX SCRIPT`; from then on that script runs every millisecond. An edited
 * function stores a number to `asked[INDEX]`; when that is another one than before, it is
 * written to stdout. A script that begins with `!` gets a state of its own each time, for what
 * happens only where a state is made. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lauxlib.h"
#include "lua.h"
#include "lualib.h"

int asked[64];

static lua_State *lasting;

static lua_State *fresh(void) {
  lua_State *L = luaL_newstate();
  if (L == NULL) exit(2);
  luaL_openlibs(L);
  return L;
}

static int run(lua_State *L, const char *script) {
  int failed = luaL_dostring(L, script);
  if (failed) fprintf(stderr, "ask: %s\n", lua_tostring(L, -1));
  lua_settop(L, 0);
  return failed;
}

/* Not static and called in each turn: an edit of it is seen as well. */
int turn(int index, const char *script) {
  asked[index] = 0;
  if (script[0] == '!') {
    lua_State *L = fresh();
    if (run(L, script + 1)) exit(3);
    lua_close(L);
  }
  else if (run(lasting, script)) exit(3);
  return asked[index];
}

static void say(int number) {
  char text[32];
  int length = snprintf(text, sizeof text, "%d\n", number);
  if (write(1, text, (size_t)length) != length) exit(4);
}

static int read_line(char *line, size_t size) {
  size_t length = 0;
  while (length + 1 < size && read(0, line + length, 1) == 1) {
    if (line[length] == '\n') {
      line[length] = '\0';
      return 1;
    }
    length++;
  }
  return 0;
}

int main(void) {
  static char line[4096];
  const char *script = "";
  int index = 0, told = 0;
  lasting = fresh();
  for (;;) {
    struct pollfd input = {0, POLLIN, 0};
    if (poll(&input, 1, 1) > 0) {
      char *end;
      if (!read_line(line, sizeof line)) return 0;
      index = (int)strtol(line, &end, 10);
      script = *end == ' ' ? end + 1 : end;
      told = 0;
    }
    {
      int answer = turn(index, script);
      if (answer != told) say(told = answer);
    }
  }
}
