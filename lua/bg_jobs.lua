-- What the functions of extension pllua_bg_jobs are made of: a module that these can require,
-- since its name has no dot.
local M = {}

-- When something that recurs comes again after a time, in seconds since 1970.
function M.next(every, after, timezone) -- internal
    return require('bg.jobs.cron').next(every, after, timezone)
end

-- Schedules until there is nothing more to do. Only in the process that is the scheduler.
function M.run() -- internal
    require('bg.jobs.scheduler').run()
end

return M
