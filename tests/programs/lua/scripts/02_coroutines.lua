-- Coroutines: generators, errors inside, yields across pcall, metamethods and C functions.
print("== coroutines")

local function permutations(list)
  local function permute(n)
    if n == 0 then coroutine.yield(list) end
    for i = 1, n do
      list[n], list[i] = list[i], list[n]
      permute(n - 1)
      list[n], list[i] = list[i], list[n]
    end
  end
  return coroutine.wrap(function() permute(#list) end)
end
local all = {}
for p in permutations { "a", "b", "c", "d" } do all[#all + 1] = table.concat(p) end
print(#all, table.concat(all, " "))

-- A sieve: a chain of coroutines, each filtering for the next.
local function numbers() return coroutine.wrap(function() for i = 2, math.huge do coroutine.yield(i) end end) end
local function without(p, source)
  return coroutine.wrap(function()
    while true do
      local n = source()
      if n % p ~= 0 then coroutine.yield(n) end
    end
  end)
end
local source, primes = numbers(), {}
for i = 1, 60 do local p = source(); primes[i] = p; source = without(p, source) end
print(table.concat(primes, " "))

local co = coroutine.create(function(a, b)
  print("start", a, b)
  local c = coroutine.yield(a + b)
  print("got", c)
  local d, e = coroutine.yield(c * 2)
  print("got", d, e, coroutine.isyieldable(), select(2, coroutine.running()))
  error({ code = d + e })
end)
print(coroutine.resume(co, 1, 2))
print(coroutine.status(co), coroutine.resume(co, 10))
local ok, e = coroutine.resume(co, 3, 4)
print(ok, type(e), e.code, coroutine.status(co))
print(coroutine.resume(co))

-- Yield across pcall, a C continuation, a metamethod, an iterator and a sort's error.
local mt = { __add = function(a, b) return coroutine.yield("in add") + b.v end, __index = function(_, k) return coroutine.yield("index " .. k) end }
co = coroutine.wrap(function()
  local r = table.pack(pcall(function() return coroutine.yield("in pcall"), "done" end))
  coroutine.yield(table.unpack(r, 1, r.n))
  coroutine.yield(host.pcallk(function(x) return coroutine.yield("in pcallk") .. x end, "!"))
  coroutine.yield(host.pcallk(function() coroutine.yield("will fail"); error("failed", 0) end))
  local t = setmetatable({ v = 7 }, mt)
  coroutine.yield(t + t)
  coroutine.yield(t.missing)
  for x in function(_, last) return coroutine.yield("iterate " .. tostring(last)) end do coroutine.yield("body " .. x) end
  local ok, m = pcall(table.sort, { 3, 1, 2 }, function() coroutine.yield() end)
  return m
end)
print(co()); print(co("one")); print(co()); print(co("two")); print(co()); print(co())
print(co()); print(co(100)); print(co()); print(co("field")); print(co())
print(co("i1")); print(co()); print(co(nil))

-- Close a suspended coroutine: its to-be-closed variables run.
co = coroutine.create(function()
  local guard <close> = setmetatable({}, { __close = function() print("closed on the way out") end })
  coroutine.yield(1)
end)
coroutine.resume(co)
print(coroutine.close(co), coroutine.status(co))

print(pcall(coroutine.wrap(function() error("in wrap", 0) end)))
print(select(2, pcall(coroutine.resume, coroutine.running())))

-- Many at once.
local list, sum = {}, 0
for i = 1, 2000 do list[i] = coroutine.wrap(function() local n = i; while true do n = n + coroutine.yield(n) end end) end
for round = 1, 10 do for i = 1, #list do sum = sum + list[i](round) end end
print("many", sum)
