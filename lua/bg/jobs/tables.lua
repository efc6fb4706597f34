-- The tables of jobs, all that is read and written of them in one place: what the scheduler is given.

local sql = require 'bg.jobs.sql'

local tables = {commit = sql.commit}

for _, name in ipairs{'reading', 'ending', 'keeping', 'linking'} do
    for key, fn in pairs(require('bg.jobs.' .. name)) do tables[key] = fn end
end

return tables
