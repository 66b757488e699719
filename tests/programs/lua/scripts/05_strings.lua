-- The string library: patterns, format, pack, utf8, conversions.
print("== strings")

print(("%5d|%-5d|%05d|%+d|%x|%X|%#x|%o|%c|%e|%.3f|%g|%a|%q|%s|%10.3s|%%|%i"):format(
  42, 42, 42, 42, 255, 255, 255, 8, 65, 12345.678, 3.14159, 1e20, 1.5, 'q"uote\n\0end', "str", "truncate", 7))
print(("%q %q %q %q"):format(1 / 3, math.mininteger, 1 / 0, 255))
print(("%-20s|%20s|%.20s"):format("left", "right", ("long"):rep(10)))
print(("%.14g %.17g %5.1f %g %g %g"):format(0.1, 0.1, 2.25, 1e15, 1e16, -0.0))
print(("%.99f"):format(1e15 / 3))

print(("hello world from lua"):find("o w"), ("a.b"):find(".", 2, true), ("x"):find("", 10))
print(("key = value # comment"):match("^(%w+)%s*=%s*(%w+)"))
print(("THE (quick) fox"):find("%((%a+)%)"))
print(("f(a(b)c)d"):match("%b()"), ("THE (quick) fox"):match("%f[%a]%a+%f[%A]"), ("x=1, y=2"):gsub("(%w+)=(%w+)", "%2=%1"))
print(("abc"):gsub("", "-"), ("abc"):gsub(".", { a = 1, b = false }), ("hello"):gsub("l+", function(s) return #s end))
print(("  trim  "):match("^%s*(.-)%s*$") .. "|", ("a,b,,c"):gsub(",", ";", 2))
for k, v in ("a=1, b=22, c=333"):gmatch("(%w+)=(%w+)") do io.write(k, "->", v, " ") end
print(("position"):match("()o()s()"))
print(("äöü"):byte(1, -1))
print(pcall(string.gsub, "x", "(", ""))
print(pcall(string.gsub, "x", "%", ""))
print(pcall(string.gsub, "x", "x", "%2"))
print(pcall(string.find, "x", "[a"))
print(pcall(string.format, "%y", 1))

print(("abc"):rep(3, "-"), ("abc"):reverse(), ("MiXed"):upper(), ("MiXed"):lower(), ("x"):rep(0), #("ab"):rep(1000))
print(("hello"):sub(2, -2), ("hello"):sub(-3), ("hello"):sub(10), ("hello"):byte(-1), string.char(72, 105))
print("a" < "b", "a" < "A", "" < "a", "a\0b" < "a\0c", "Z" < "a", "10" + 5, "0x10" * 2, "3" .. 4, 10 .. "")
print(tonumber("  12  "), tonumber("1e2"), tonumber("0x1p4"), tonumber("z", 36), tonumber("7f", 16), tonumber("8", 8), tonumber("1 2"), tonumber(""))
print(#"\u{10FFFF}\x41\65\z
       joined", [[
long
string]], [==[with ]] inside]==])

local packed = string.pack("<i1 >i2 =i4 <i8 z s1 s4 f d n j B H", -1, -2, -3, -4, "zero", "short", "longer", 1.5, -2.5, 3.25, 99, 200, 60000)
print(#packed, (packed:gsub(".", function(c) return ("%02x"):format(c:byte()) end)))
print(string.unpack("<i1 >i2 =i4 <i8 z s1 s4 f d n j B H", packed))
print(string.packsize("!8 b i8 h"), string.pack(">I3", 0x010203):byte(1, -1))
print(string.unpack("<!4 b xi4", string.pack("<!4 b xi4", 5, 6)))
print(pcall(string.pack, "i1", 300), pcall(string.unpack, "i4", "abc"))

print(utf8.char(72, 228, 8364, 128512), utf8.len("Hä€😀"), utf8.codepoint("Hä€😀", 1, -1))
for p, c in utf8.codes("aä€") do io.write(p, "=", c, " ") end
print(utf8.offset("aä€x", 3), utf8.offset("aä€x", -1), utf8.len("\xff"), ("aä€"):match(utf8.charpattern, 2))
print(pcall(utf8.codepoint, "\xed\xa0\x80"), utf8.codepoint("\u{7FFFFFFF}", 1, 1, true))

-- Work: count words, digest of many formatted strings.
local text = ("the quick brown fox jumps over the lazy dog and the cat "):rep(1500)
local words, order = {}, {}
for w in text:gmatch("%a+") do
  if not words[w] then words[w] = 0; order[#order + 1] = w end
  words[w] = words[w] + 1
end
table.sort(order, function(a, b) return words[a] > words[b] or words[a] == words[b] and a < b end)
for i = 1, 4 do io.write(order[i], "=", words[order[i]], " ") end
local h = 5381
for i = 1, 30000 do
  local s = ("%d:%s:%08.3f:%x"):format(i, ("k"):rep(i % 5), i / 7, i * 2654435761)
  for j = 1, #s, 3 do h = (h * 33 ~ s:byte(j)) & 0xffffffff end
end
print(("digest %08x"):format(h))
