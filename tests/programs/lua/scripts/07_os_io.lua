-- os and io: files, buffering modes, seeks, lines, pipes, stdin, time, environment.
print("== os and io")

local name = os.tmpname()
local f = assert(io.open(name, "w"))
print(io.type(f), io.type(io.stdout), io.type(42))
print(f:setvbuf("full", 1024), f:write("line one\n", 2, " ", 3.5, "\nlast line without end") == f, f:seek("cur"))
print(f:close(), io.type(f), pcall(f.write, f, "x"))
for l in io.lines(name) do io.write("[", l, "]") end
print()
for a, b in io.lines(name, 1, 3) do io.write("<", a, "|", b or "nil", ">") break end
print()
f = assert(io.open(name, "r+b"))
print(f:read("l", "n", "n", "l", "a", "l"))
print(f:seek("set", 5), f:read(3), f:seek("cur", -1), f:read(2), f:seek("end"), f:read(1), f:read("a"))
f:seek("set", 0); f:write("LINE"); f:seek("set", 0)
print(f:read("L"))
f:close()
f = assert(io.open(name, "a")); f:write("\nappended"); f:close()
f = assert(io.open(name)); print(select(2, f:read("a"):gsub("\n", "")), f:close())
print(io.open("no/such/file"))
print(pcall(io.lines, "no/such/file"))
print(pcall(io.open, name, "bad mode"))

local renamed = name .. ".renamed"
print(os.rename(name, renamed), io.open(name), os.remove(renamed))
print(select(3, os.remove("not there")), select(3, os.rename("a1", "b1")))

-- Big file, written and read in blocks.
f = assert(io.open("big.txt", "wb"))
for i = 1, 20000 do f:write(i, " ", i * i, "\n") end
f:close()
local lines, sum = 0, 0
for a, b in io.lines("big.txt", "n", "n") do if not a then break end lines = lines + 1; sum = sum + b % a + a end
print(lines, sum)
f = io.open("big.txt", "rb")
local size, blocks = 0, 0
while true do local block = f:read(4096); if not block then break end size = size + #block; blocks = blocks + 1 end
f:close()
print(size, blocks, os.remove("big.txt"))

local temp = io.tmpfile()
temp:write("temporary"); temp:seek("set"); print(temp:read("a")); temp:close()

-- Default input and output; what stdin holds comes from the test.
print(io.read("l"))
print(io.read("n", "n", "n"))
print(io.read("L"))
print(io.read("a"))
print(io.read("a"), io.read("l"))
io.stdout:write("to stdout\n"); io.stderr:write("to stderr\n")
local out = io.output()
io.output("redirected.txt"); io.write("hidden"); io.close(); io.output(out)
io.input("redirected.txt"); print(io.read("a")); io.close(io.input()); io.input(io.stdin)
os.remove("redirected.txt")

local pipe = assert(io.popen("echo piped; exit 3"))
print(pipe:read("a"), pipe:close())
print(os.execute("exit 5")); print(os.execute("kill -TERM $$")); print(os.execute())
local into = io.popen("cat", "w"); io.stdout:flush(); into:write("through cat\n"); print(into:close())

print(os.getenv("HOTSLOT_TEST_VARIABLE"), os.getenv("HOTSLOT_NOT_SET_ANYWHERE"))
print(os.date("!%Y-%m-%d %H:%M:%S %a %j", 86400 * 365), os.date("!*t", 1e9).hour, os.time({ year = 2001, month = 2, day = 31, hour = 12 }))
print(os.difftime(10, 4), pcall(os.date, "%Ez", 0), pcall(os.time, { year = 2000 }))
print(os.setlocale("C"), os.setlocale(nil, "numeric"), os.setlocale("no such locale"))
print(type(os.clock()), math.type(os.time()), os.time() > 1600000000)
print(pcall(require, "no.such.module") == false, package.config:sub(1, 1), package.loaded.string == string)
package.preload.virtual = function(n, x) return { name = n, extra = x } end
print(require("virtual").name, require("virtual").extra, select(2, require("virtual")))
print(package.loadlib("./no-such-library.so", "f") == nil, package.searchpath("x", "./?.lua;./?/init.lua"))
