-- bg.profile: where the time of a function goes.

local argcheck = require 'bg.argcheck'

-- Most time first.
local function before(a, b)
    if a.seconds ~= b.seconds then return a.seconds > b.seconds end
    if a.source ~= b.source then return a.source < b.source end
    return (a.line or 0) < (b.line or 0)
end

local function profile(fn, ...)
    argcheck.callback(fn, 'what bg.profile runs')
    local profiler = require 'pllua.profiler'
    profiler.start()
    local _ <close> = setmetatable({}, {__close = profiler.stop})
    local results = table.pack(fn(...))
    local rows = profiler.stop() or {}
    table.sort(rows, before)
    return rows, table.unpack(results, 1, results.n)
end

return profile
