-- Tables: sort, table library, metatables, inheritance, next while changing.
print("== tables")
math.randomseed(42, 7)

local function random_list(n) local t = {}; for i = 1, n do t[i] = math.random(1, 1 << 30) end return t end
local function sorted(t, lt) lt = lt or function(a, b) return a < b end for i = 2, #t do if lt(t[i], t[i - 1]) then return false end end return true end
local t = random_list(50000)
print(t[1], t[2], t[50000])
table.sort(t)
print(sorted(t), t[1], t[25000])
table.sort(t, function(a, b) return a > b end)
print(sorted(t, function(a, b) return a > b end))
local people = {}
for i = 1, 2000 do people[i] = { name = "n" .. (i * 7919) % 1000, age = (i * 31) % 90, id = i } end
table.sort(people, function(a, b)
  if a.age ~= b.age then return a.age < b.age end
  if a.name ~= b.name then return a.name < b.name end
  return a.id < b.id
end)
for i = 1, 3 do io.write(people[i].age, "/", people[i].name, "/", people[i].id, " ") end
print(pcall(table.sort, { 1, "x", 2 }))
print(pcall(table.sort, { 3, 1, 2, 5, 4, 9, 8, 7, 6, 0, 11, 12, 15, 14 }, function() return true end) and "accepted" or "invalid order function")

print(table.concat({ 1, 2, 3 }, ", "), table.concat({}, "x"), table.concat({ "a", "b", "c" }, "-", 2, 3))
local q = { 1, 2, 3 }
table.insert(q, 4); table.insert(q, 1, 0)
print(table.remove(q), table.remove(q, 1), #q, table.unpack(q))
print(table.unpack(table.move({ 1, 2, 3 }, 1, 3, 2)))
print(#table.move({ 1, 2, 3 }, 1, 3, 3, { 9, 9 }), table.pack(nil, nil).n, pcall(table.insert, { 1 }, 5, 2))
print(rawlen({ 1, 2 }), rawequal(t, t), rawget(setmetatable({}, { __index = { x = 1 } }), "x"), next({}), #"abc")

-- Remove while walking; many keys of all kinds.
local all = {}
for i = 1, 1000 do all[i] = i; all["k" .. i] = i; all[i + 0.5] = i end
all[true] = 1
local n = 0
for k, v in pairs(all) do n = n + v; all[k] = nil end
print(n, next(all))

-- Classes, multiple inheritance, operators, proxies.
local Point = {}
Point.__index = Point
local function point(x, y) return setmetatable({ x = x, y = y }, Point) end
Point.__add = function(a, b) return point(a.x + b.x, a.y + b.y) end
Point.__sub = function(a, b) return point(a.x - b.x, a.y - b.y) end
Point.__mul = function(a, b) return type(a) == "number" and point(a * b.x, a * b.y) or type(b) == "number" and point(a.x * b, a.y * b) or a.x * b.x + a.y * b.y end
Point.__unm = function(a) return point(-a.x, -a.y) end
Point.__eq = function(a, b) return a.x == b.x and a.y == b.y end
Point.__lt = function(a, b) return a.x < b.x or a.x == b.x and a.y < b.y end
Point.__le = function(a, b) return not (b < a) end
Point.__len = function(a) return a.x * a.x + a.y * a.y end
Point.__concat = function(a, b) return tostring(a) .. tostring(b) end
Point.__call = function(self, k) return self[k] end
Point.__tostring = function(a) return ("(%d,%d)"):format(a.x, a.y) end
Point.__idiv = function(a, b) return point(a.x // b, a.y // b) end
Point.__band = function(a, b) return point(a.x & b, a.y & b) end
Point.__shl = function(a, b) return point(a.x << b, a.y << b) end
Point.__bnot = function(a) return point(~a.x, ~a.y) end
Point.__name = "Point"
local p, r = point(3, 4), point(1, -2)
print(tostring(p + r), tostring(p - r), p * r, tostring(2 * p), tostring(-p), p == point(3, 4), p < r, p <= p, #p, p .. r, p("x"))
print(tostring(p // 2), tostring(p & 1), tostring(p << 3), tostring(~p), pcall(function() return p / 2 end))

local function class(...)
  local bases = { ... }
  local c = setmetatable({}, { __index = function(_, k) for _, b in ipairs(bases) do local v = b[k]; if v ~= nil then return v end end end })
  c.__index = c
  c.new = function(o) return setmetatable(o or {}, c) end
  return c
end
local A, B = class(), class()
function A:hello() return "A.hello " .. self:name() end
function B:name() return "B.name " .. self.v end
local C = class(A, B)
print(C.new({ v = 5 }):hello())

local trace = {}
local proxy = setmetatable({}, {
  __index = function(_, k) trace[#trace + 1] = "get " .. k; return k * 2 end,
  __newindex = function(_, k, v) trace[#trace + 1] = "set " .. k .. "=" .. v end,
  __pairs = function() return function(_, k) k = (k or 0) + 1; if k <= 3 then return k, k * k end end, nil, nil end,
})
proxy[5] = proxy[4]
for k, v in pairs(proxy) do trace[#trace + 1] = k .. ":" .. v end
print(table.concat(trace, " "))
print(getmetatable("").__index == string, getmetatable(setmetatable({}, { __metatable = "locked" })), pcall(setmetatable, setmetatable({}, { __metatable = 1 }), {}))
