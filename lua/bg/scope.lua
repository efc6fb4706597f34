-- bg.scope: tasks that end before the function that started them does.

local core = require 'bg.core'
local argcheck = require 'bg.argcheck'
local scheduler = require 'bg.scheduler'
local wait = require 'bg.wait'

local Scope = {}
Scope.__index = Scope
Scope.__name = 'bg.scope'

local Task = {}
Task.__index = Task
Task.__name = 'bg.task'

function Scope:go(fn, ...)
    argcheck.self(self, Scope, 'go')
    argcheck.callback(fn, 'the argument of go')
    if self.tasks.ended then
        core.raise('55000', 'the scope has ended', 'go works inside the function given to bg.scope.')
    end
    return self.tasks:go(setmetatable({}, Task), fn, ...)
end

function Task:pending()
    if self.state == 'pending' then return nil, nil, math.huge, self end
end

function Task:done()
    argcheck.self(self, Task, 'done')
    return self.state ~= 'pending'
end

Task.wait = wait.method

-- A task that has failed takes its scope with it, so that only those outside it see the error.
function Task:try(timeout)
    argcheck.self(self, Task, 'try')
    if not self:wait(timeout) then return nil, 'timeout' end
    if self.state == 'cancelled' then return nil, 'cancelled' end
    if self.state == 'failed' then return nil, self.error end
    return self.value
end

function Task:get(timeout)
    argcheck.self(self, Task, 'get')
    local value, why = self:try(timeout)
    if self.state == 'failed' then error(self.error, 0) end
    if why then return nil, why end
    return value
end

function Task:cancel()
    argcheck.self(self, Task, 'cancel')
    return scheduler.cancel(self)
end

function Task:__tostring()
    return string.format('bg.task %d (%s)', self.number, self.state)
end

local known = {timeout = argcheck.timeout, limit = argcheck.positive}

local function all_ended(tasks)
    return tasks.live == 0
end

-- Runs fn(scope) and the tasks it starts, and returns what fn returns when all have ended. The first
-- error cancels the rest and is raised. nil, 'timeout' after options.timeout seconds.
return function(fn, options)
    argcheck.callback(fn, 'the argument of bg.scope')
    local checked = argcheck.options(options, known, 'bg.scope')
    local deadline = checked.timeout and wait.now() + checked.timeout
    local tasks <close> = scheduler.new(checked.limit)
    local scope = setmetatable({tasks = tasks}, Scope)
    local body = tasks:go({is_body = true}, fn, scope)
    if not tasks:run(all_ended, deadline) then return nil, 'timeout' end
    return table.unpack(body.results, 1, body.results.n)
end
