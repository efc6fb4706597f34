-- What the procedures of extension pllua_bg_dba are made of: a module that these can require, since its name has
-- no dot.
local M = {}

-- Runs a tool: the name of its module, and the arguments of its procedure by name. Returns what the procedure does.
function M.run(tool, arguments) -- internal
    return require('dba.' .. tool)(arguments)
end

-- The rows of bg.last_run.
function M.last_run() -- internal
    return require('dba.last_run').rows()
end

return M
