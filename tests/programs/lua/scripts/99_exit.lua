-- Leaves from deep inside with an exit code; closing the state runs finalizers, then atexit.
print("== exit")
keep = setmetatable({}, { __gc = function() print("finalizer at exit") end })
local guard <close> = setmetatable({}, { __close = function() print("to-be-closed at exit") end })
coroutine.wrap(function()
  pcall(table.sort, { 3, 2, 1 }, function() os.exit(23, true) end)
end)()
print("not reached")
