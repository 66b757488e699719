-- Closures, upvalues, varargs, goto, to-be-closed variables.
print("== closures")

local function counter(step)
  local n = 0
  return function() n = n + step; return n end, function() return n end
end
local inc, get = counter(3)
inc(); inc()
local inc2 = counter(10)
print(get(), inc2(), inc2())

local fs = {}
for i = 1, 5 do
  local j = i * i
  fs[i] = function(d) j = j + (d or 0); return i, j end
end
fs[2](100)
for i = 1, 5 do io.write(table.concat({ fs[i]() }, ":"), " ") end
print()

-- Two closures share one upvalue; debug.upvaluejoin makes others share.
local function pair() local v = 1; return function() v = v * 2; return v end, function() return v end end
local a1, a2 = pair()
local b1, b2 = pair()
a1(); a1()
debug.upvaluejoin(b2, 1, a1, 1)
print(a2(), b1(), b2(), debug.getupvalue(b2, 1))

local function va(...)
  local n = select("#", ...)
  local t = table.pack(...)
  return n, t.n, (select(-1, ...)), ...
end
print(va(1, nil, "x"))
print(select("#", va(table.unpack({}, 1, 120))))

local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end
print("fib", fib(25))

-- A tail call leaves no frame: a million of them need no stack.
local function tail(n, acc) if n == 0 then return acc end return tail(n - 1, acc + n) end
print("tail", tail(1000000, 0))

do
  local i, out = 1, {}
  ::top::
  if i > 10 then goto done end
  if i % 3 == 0 then goto continue end
  out[#out + 1] = i
  ::continue::
  i = i + 1
  goto top
  ::done::
  print("goto", table.concat(out, ","))
end

do
  local log = {}
  local function closer(name) return setmetatable({}, { __close = function(_, e) log[#log + 1] = name .. "/" .. tostring(e) end }) end
  local ok, e = pcall(function()
    local x <close> = closer("x")
    local y <close> = closer("y")
    local k <const> = 5
    for i = 1, 2 do local z <close> = closer("z" .. i) end
    error("leaving " .. k, 0)
  end)
  print(ok, e, table.concat(log, " "))
end

-- Code built at run time, environments, dumped and undumped functions.
local env = { print = print, x = 5 }
local f = assert(load("x = x + 1; local n = x; return function(d) n = n + d; return n, x end", "=chunk", "t", env))
local g = f()
print(g(1), g(10))
print(env.x, x)
local dumped = string.dump(function(a, b) return (a or 1) * 2 + #(b or "") end)
print(load(dumped, "d", "b")(21, "abc"))
print(load("return +", "=bad"))
