-- A mixed workload: what programs in Lua do, a little of each, none of it input or output.
local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end

local function tree(depth)
  if depth == 0 then return {} end
  return { tree(depth - 1), tree(depth - 1) }
end
local function count(node)
  if not node[1] then return 1 end
  return 1 + count(node[1]) + count(node[2])
end

local function strings()
  local parts = {}
  for i = 1, 20000 do parts[#parts + 1] = ("%05d:%s"):format(i, ("x"):rep(i % 17)) end
  local text = table.concat(parts, ",")
  local changed, n = text:gsub("(%d+):(x+)", function(digits, xs) return xs .. digits end)
  local found = 0
  for word in changed:gmatch("x+%d+") do if word:find("77", 1, true) then found = found + 1 end end
  return n + found + #changed:upper():reverse()
end

local function sorting()
  local seed, list = 42, {}
  for i = 1, 30000 do
    seed = (seed * 1103515245 + 12345) % 2147483648
    list[i] = seed
  end
  table.sort(list)
  table.sort(list, function(a, b) return a % 1000 < b % 1000 or (a % 1000 == b % 1000 and a < b) end)
  return list[1] + list[#list]
end

local Point = {}
Point.__index = Point
Point.__add = function(a, b) return setmetatable({ x = a.x + b.x, y = a.y + b.y }, Point) end
function Point.new(x, y) return setmetatable({ x = x, y = y }, Point) end
function Point:norm() return (self.x * self.x + self.y * self.y) ^ 0.5 end
local function objects()
  local sum = Point.new(0, 0)
  for i = 1, 150000 do sum = sum + Point.new(i % 7, i % 11) end
  return sum:norm()
end

local function coroutines()
  local function numbers(n)
    return coroutine.wrap(function() for i = 1, n do coroutine.yield(i) end end)
  end
  local total = 0
  for i in numbers(150000) do total = total + i end
  for i = 1, 50000 do
    local ok, why = pcall(error, i)
    total = total + (ok and 0 or why)
  end
  return total
end

local function sieve(n)
  local composite, primes = {}, 0
  for i = 2, n do
    if not composite[i] then
      primes = primes + 1
      for k = i * i, n, i do composite[k] = true end
    end
  end
  return primes
end

local function floats(n)
  local inside = 0
  for y = 0, n - 1 do
    for x = 0, n - 1 do
      local cr, ci, zr, zi = 2 * x / n - 1.5, 2 * y / n - 1, 0, 0
      local steps = 0
      while steps < 40 and zr * zr + zi * zi < 4 do
        zr, zi = zr * zr - zi * zi + cr, 2 * zr * zi + ci
        steps = steps + 1
      end
      if steps == 40 then inside = inside + 1 end
    end
  end
  return inside
end

local keys = {}
local function hashes()
  for i = 1, 60000 do keys["key" .. i % 5000] = (keys["key" .. i % 5000] or 0) + i end
  local total = 0
  for _, value in pairs(keys) do total = total + value end
  return total
end

print(fib(25), count(tree(14)), strings(), sorting(), objects(), coroutines(), sieve(300000), floats(120), hashes())
