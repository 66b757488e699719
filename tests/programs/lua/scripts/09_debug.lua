-- The debug library: hooks, locals, info; and the compiler on a big generated chunk.
print("== debug")

local calls, lines, counts = {}, 0, 0
local function traced(a) local b = a + 1; return b end
debug.sethook(function(event, line)
  if event == "call" or event == "tail call" then calls[#calls + 1] = debug.getinfo(2, "n").name or "?"
  elseif event == "line" then lines = lines + 1
  elseif event == "count" then counts = counts + 1 end
end, "crl")
traced(1)
local x = traced(2)
debug.sethook()
print(table.concat(calls, " "), lines)
debug.sethook(function() counts = counts + 1 end, "", 100)
for i = 1, 10000 do x = x + i end
debug.sethook()
print("count hook ran", counts > 50, x)

-- A hook that fails ends a loop that does not end.
debug.sethook(function() error("interrupted", 0) end, "", 10000)
print(pcall(function() while true do end end))
debug.sethook()

local function info(...)
  local i = debug.getinfo(1, "nSlutf")
  local out = { i.short_src, i.linedefined, i.lastlinedefined, i.what, i.nups, i.nparams, tostring(i.isvararg), i.currentline, i.namewhat, tostring(i.func == info) }
  local name, value = debug.getlocal(1, 1)
  return table.concat(out, " "), name, value ~= nil, debug.getlocal(1, -1)
end
print(info("vararg"))
print(debug.setlocal(1, 1, calls), debug.getlocal(1, 100), pcall(debug.getlocal, 1000, 1))
local ud = io.stdout
print(debug.getmetatable(ud).__name, debug.getregistry() ~= nil, debug.getuservalue(ud, 1))

-- A chunk with more constants and registers than short operands hold.
local src = { "local t = {}\n" }
for i = 1, 3000 do src[#src + 1] = ("t[%d] = %d.5 + %q .. ''\n"):format(i, i, tostring(i)) end
src[#src + 1] = "return t"
local t = assert(load(table.concat(src)))()
print(#t, t[1], t[3000])
local many = {}
for i = 1, 120 do many[i] = "l" .. i end
print(select("#", load("local " .. table.concat(many, ",") .. " = ... return " .. table.concat(many, ","))(1, 2, 3)))
for i = 121, 201 do many[i] = "l" .. i end
print(select(2, load("local " .. table.concat(many, ","), "=many")))
print(select(2, load("goto nowhere", "=goto")), select(2, load("local x <const> = 1; x = 2", "=const")), select(2, load("x = 'open", "=string")), select(2, load("break", "=break")))
