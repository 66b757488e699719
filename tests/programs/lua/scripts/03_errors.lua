-- Errors: each raised with longjmp through C frames.
print("== errors")

print(pcall(error, "plain"))
print(pcall(error, "level 0", 0))
print(pcall(error))
print(select("#", pcall(error, nil)))
print(pcall(function() error({ 1, 2, 3 }) end) == false)

local function message(f, ...) return (select(2, pcall(f, ...))) end
print(message(function() local t; t.x = 1 end))
print(message(function() local a = {}; a.b.c() end))
print(message(function() return 1 + {} end))
print(message(function() return "a" < 1 end))
print(message(function() return #5 end))
print(message(function() return 1 // 0 end))
print(message(function() return 1 % 0 end))
print(message(function() return 2 ^ 53 | 0.5 end))
print(message(function() undefined_function() end))
print(message(string.rep))
print(message(string.rep, "x", -1))
print(message(string.rep, "x", 1 << 60))
print(message(setmetatable, 1, 2))
print(message(function() for i = 1, 10, 0 do end end))
print(message(function() for i = "a", 10 do end end))
print(message(string.format, "%d", 1.5))
print(message(table.concat, { 1, {}, 3 }))
print(message(function() return math.tointeger("8"), ("x"):bad() end))

-- Handlers: with traceback, failing themselves, and nested.
print(xpcall(function() error("E", 0) end, function(m) return "handled " .. m end))
print(xpcall(function(...) return select("#", ...), ... end, print, 1, nil, 3))
print(xpcall(error, function(m) return debug.traceback("trace: " .. m, 1):gsub("\n.*", " ...") end, "msg"))
-- An error in the handler calls the handler again, until it succeeds or the C stack is full.
local depth = 0
print(xpcall(error, function(m) depth = depth + 1; if depth < 5 then error("again" .. depth, 0) end; return m end, "first"))
print(depth)
local ok, m = xpcall(error, function() error("always") end, "x")
print(ok, type(m))

-- Recursion without end: in Lua, in C, in the pattern matcher, in the parser.
local function forever(n) return 1 + forever(n + 1) end
ok, m = pcall(forever, 1)
print(ok, m:match("stack overflow"))
local t = setmetatable({}, {})
getmetatable(t).__index = function(t, k) return t[k + 1] end
ok, m = pcall(function() return t[1] end)
print(ok, m:match("stack overflow") or m:match("C stack overflow"))
ok, m = pcall(string.match, string.rep("a", 300000), string.rep("a?", 300000) .. "b")
print(ok, m)
ok, m = load(string.rep("(", 1000) .. "1" .. string.rep(")", 1000), "=deep")
print(ok, m)
local nest = function(n) return pcall(pcall, pcall, pcall, error, n) end
print(nest("deep"))
local function levels(n) if n == 0 then error("bottom", 0) end local ok, e = pcall(levels, n - 1); error(e .. n, 0) end
print(pcall(levels, 30))

-- Out of an error in a __gc, a sort, a gsub callback, libc's qsort.
print(message(table.sort, { 5, 2, 8, 1 }, function(a, b) if a == 8 or b == 8 then error("eight", 0) end return a < b end))
print(message(string.gsub, "a b c", "%w", function(c) if c == "c" then error("see " .. c, 0) end end))
local array = { 9, 4, 7, 1, 8, 2 }
host.qsort(array, function(a, b) return a - b end)
print(table.concat(array, " "))
print(pcall(host.qsort, { 3, 2, 1 }, function() error("out of qsort", 0) end))
print(message(host.qsort, { 1, "x" }, print))

-- Error objects with __tostring, rethrown, and from a coroutine with traceback.
local Err = {}
Err.__index = Err
Err.__tostring = function(e) return "Err(" .. e.code .. ")" end
local function throw(c) error(setmetatable({ code = c }, Err)) end
local function rethrow(c)
  local ok, e = pcall(throw, c)
  if e.code % 2 == 0 then e.code = e.code // 2; error(e) end
  return e
end
print(tostring(rethrow(7)), tostring(select(2, pcall(rethrow, 12))))
local co = coroutine.create(function() local function inner() coroutine.yield() end inner() end)
coroutine.resume(co)
print((debug.traceback(co, "suspended"):gsub("%[C%]:.-\n", "[C]\n")))
warn("@on"); warn("a warning", " in two parts"); warn("@off"); warn("not shown")

local n = 0
for i = 1, 100000 do if not pcall(error, i) then n = n + 1 end end
print("pcalls", n)
