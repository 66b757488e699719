-- Integers and floats, conversions, the maths library, the random generator.
print("== numbers")

print(7 // 2, -7 // 2, 7 // -2, 7 % 3, -7 % 3, 7 % -3, 7.5 // 2, -7.5 % 2, 5 % math.huge, -5 % math.huge)
print(1 / 0, -1 / 0, 0 / 0 ~= 0 / 0, 3 / 2, 4 / 2, 2 ^ 10, 2 ^ 0.5, 10 // 0.0, -10 % 0.0 ~= 0)
print(math.maxinteger + 1 == math.mininteger, math.maxinteger * 2, math.mininteger // -1, math.mininteger % -1, math.maxinteger + 1.0)
print(1 << 63, 1 << 64, -1 >> 1, -1 >> 63, 1 << -1, ~0, 5 & 3, 5 | 3, 5 ~ 3, 2.0 | 1)
print(1 == 1.0, math.type(1), math.type(1.0), math.type("1"), 1 < 1.5, math.maxinteger < math.huge, 2 ^ 53 == 2 ^ 53 + 1, math.maxinteger + 0.0 == math.maxinteger)
print(3 | 0, 3.0, -0.0, 1e15, 1e16, 1e100, 123456789012345678, 0x7fffffffffffffff, 0xffffffffffffffff, 1e308 * 10)
print(0.1 + 0.2, 1 / 3, 100 * 1.1, 1e-5, 123.456e7, 5e-324, 1.7976931348623157e308, 0x1.8p3, 0xA.8)
print(math.tointeger(3.0), math.tointeger(3.5), math.tointeger("8"), math.floor(-3.7), math.ceil(-3.7), math.floor(1e300) == 1e300, math.fmod(-7, 3), math.fmod(7, -3.0), math.modf(-3.7))
print(math.abs(math.mininteger), math.abs(-5.5), math.max(1, 2.5, -1), math.min(3, 1, 2), math.ult(1, -1), math.pi, math.sqrt(2))
for _, f in ipairs { "sin", "cos", "tan", "asin", "acos", "atan", "exp", "log" } do io.write(f, "=", ("%.12g"):format(math[f](0.7)), " ") end
print(("%.12g %.12g %.12g"):format(math.log(8, 2), math.log(100, 10), math.log(5, 3)), math.atan(1, -1), math.atan(-0.0, -1))
print(pcall(math.random, 2, 1), pcall(math.random, 0) and "full range", pcall(math.floor, "x"), pcall(math.tointeger))

math.randomseed(123)
local r = {}
for i = 1, 8 do r[i] = math.random(1000) end
print(table.concat(r, " "), math.random() < 1, math.random(5, 5))
for i = 1, 3 do io.write(math.random(math.mininteger, math.maxinteger), " ") end
print(("%.15f"):format(math.random()))

for _, s in ipairs { "10", "-0x10", "1e1", " 0x.8p1 ", "1e", "0x", "inf", "nan", "9223372036854775807", "9223372036854775808", "1_000" } do io.write(s, "->", tostring(tonumber(s)), " ") end
print()
for i = 3, 1, -1 do io.write(i, " ") end
for x = 1.0, 2.0, 0.25 do io.write(x, " ") end
for i = math.maxinteger - 1, math.maxinteger do io.write(i, " ") end
for i = math.mininteger, math.mininteger + 2, 2 do io.write(i, " ") end
print()

-- Work: floats, integers, matrices, n-queens, a hash.
local function nbody(n)
  local b = { { 0, 0, 0, 0, 0, 0, 39.47 }, { 4.84, -1.16, -0.10, 0.60, 2.81, -0.02, 0.037 }, { 8.34, 4.12, -0.4, -1.01, 1.82, 0.008, 0.011 }, { 12.89, -15.11, -0.22, 1.08, 0.86, -0.01, 0.0017 } }
  for _ = 1, n do
    for i = 1, #b do
      local p = b[i]
      for j = i + 1, #b do
        local q = b[j]
        local dx, dy, dz = p[1] - q[1], p[2] - q[2], p[3] - q[3]
        local d2 = dx * dx + dy * dy + dz * dz
        local mag = 0.001 / (d2 * math.sqrt(d2))
        p[4], p[5], p[6] = p[4] - dx * q[7] * mag, p[5] - dy * q[7] * mag, p[6] - dz * q[7] * mag
        q[4], q[5], q[6] = q[4] + dx * p[7] * mag, q[5] + dy * p[7] * mag, q[6] + dz * p[7] * mag
      end
    end
    for _, p in ipairs(b) do p[1], p[2], p[3] = p[1] + 0.001 * p[4], p[2] + 0.001 * p[5], p[3] + 0.001 * p[6] end
  end
  return ("%.9f %.9f"):format(b[1][1], b[4][2])
end
print("nbody", nbody(15000))
local function queens(n)
  local count, cols, d1, d2 = 0, {}, {}, {}
  local function place(r)
    if r > n then count = count + 1; return end
    for c = 1, n do
      if not (cols[c] or d1[r + c] or d2[r - c + n]) then
        cols[c], d1[r + c], d2[r - c + n] = true, true, true
        place(r + 1)
        cols[c], d1[r + c], d2[r - c + n] = nil, nil, nil
      end
    end
  end
  place(1)
  return count
end
print("queens", queens(8))
local h = 0xcbf29ce484222325
for i = 1, 400000 do h = (h ~ (i & 0xff)) * 0x100000001b3 end
print(("fnv %016x"):format(h))
