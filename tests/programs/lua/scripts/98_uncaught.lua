-- Ends with an error that nobody catches; the host reports it and goes on.
print("== uncaught")
local function inner(n) if n == 0 then error("uncaught, on purpose") end inner(n - 1); return n end
inner(3)
