-- The collector: finalizers and their order, resurrection, weak tables, ephemerons, modes.
print("== gc")

local log = {}
local function finalized(name) return setmetatable({ name = name }, { __gc = function(o) log[#log + 1] = o.name end }) end
do local a, b, c = finalized("a"), finalized("b"), finalized("c") end
for i = 1, 3 do local _ = finalized("loop" .. i) end
collectgarbage(); collectgarbage()
table.sort(log)
print(table.concat(log, " "))

-- Finalizers run in the reverse order of marking.
log = {}
local keep = {}
for i = 1, 6 do keep[i] = finalized(i) end
keep = nil
collectgarbage()
print(table.concat(log, " "))

local saved
do
  local o = setmetatable({ v = 42 }, { __gc = function(o) saved = o end })
  o = nil
  collectgarbage()
end
print("resurrected", saved and saved.v)

local weak = setmetatable({}, { __mode = "v" })
weak[1], weak[2], weak.s = {}, "string stays", {}
local strong = weak.s
collectgarbage()
print(weak[1], weak[2], weak.s == strong)

local eph = setmetatable({}, { __mode = "k" })
do
  local k1 = {}
  eph[k1] = { k1 } -- value refers to its own key
  local chain = {}
  for i = 1, 10 do local k = {}; eph[k] = chain; chain = k end
end
collectgarbage()
print("ephemerons left", next(eph))

local ok, m = pcall(function() return collectgarbage("count") > 0, collectgarbage("isrunning") end)
print(ok, m)

-- Churn in each mode; a finalizer that fails only warns.
warn("@on")
setmetatable({}, { __gc = function() error("in a finalizer", 0) end })
collectgarbage()
warn("@off")
local function churn(n)
  local live, sum = {}, 0
  for i = 1, n do
    live[i % 1000] = { i, tostring(i), function() return i end }
    if i % 7 == 0 then live[(i * 31) % 1000] = nil end
  end
  for i = 0, 999 do if live[i] then sum = sum + live[i][1] + #live[i][2] + live[i][3]() end end
  return sum
end
collectgarbage("generational")
print("generational", churn(60000))
collectgarbage("incremental")
print("incremental", churn(60000))
collectgarbage("stop")
print("stopped", churn(20000), collectgarbage("isrunning"))
collectgarbage("restart")
for i = 1, 200 do collectgarbage("step", 4) end
print("steps", churn(20000))

-- Strings and buffers grown through the allocator.
local parts = {}
for i = 1, 20000 do parts[#parts + 1] = i % 26 == 0 and "\n" or string.char(97 + i % 26) end
local s = table.concat(parts)
print(#s, #s:rep(50, ","), select(2, s:gsub("\n", "")))

-- These run when the state closes, in reverse order.
for i = 1, 3 do local name = "at close " .. i; _G["keep" .. i] = setmetatable({}, { __gc = function() print(name) end }) end
