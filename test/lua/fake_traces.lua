-- The part of the fake core that notes commands: fake_core.lua tells it of them.

-- What the real core tells of a command.
local function look(trace, command)
    local session, err, began = command.session, command.error, trace.began
    local left_at = command.left_at and command.left_at < command.at and command.left_at or nil
    local is_done = not left_at and command.at <= trace.ended
    if not is_done then err = nil end
    return {session = session.number, pid = session.pid, name = session.options.name, task = command.task,
        kind = command.sql:find('^prepare ') and 'prepare' or 'command', sql = command.sql,
        state = left_at and 'left' or not is_done and 'pending' or err and 'failed' or 'ok',
        sqlstate = err and err.sqlstate, error = err and err.message, sent = command.sent_at - began,
        begun = is_done and command.begun - began or nil,
        ended = is_done and command.at - began or left_at and left_at - began or nil}
end

return function(core)
    local hooks = {}

    core.traces = {}
    local traced_task, last_task = nil, 0

    local function add_traced(trace, command)
        if #trace == trace.most then trace.dropped = trace.dropped + 1 else trace[#trace + 1] = command end
        command.task = traced_task
    end

    function core.trace_begin(most)
        local trace = {most = most, dropped = 0, began = core.now(), add = add_traced}
        core.traces[trace] = true
        return trace
    end

    function core.trace_receive() end

    function core.trace_end(trace)
        core.traces[trace], trace.ended = nil, core.time
        if not next(core.traces) then traced_task = nil end
    end

    function core.trace_commands(trace)
        local list = {}
        for i, command in ipairs(trace) do list[i] = look(trace, command) end
        return list, trace.dropped
    end

    function core.trace_time(trace, seconds)
        return os.date('!2000-01-01 %H:%M:%S+00', (trace.began + seconds) // 1 | 0)
    end

    function core.trace_task(number)
        if not number then
            last_task = last_task + 1
            return last_task
        end
        traced_task = number ~= 0 and number or nil
    end

    -- A command was sent to a session.
    function hooks.sent(record, command)
        command.session, command.sent_at = record, core.time
        for trace in pairs(core.traces) do trace:add(command) end
    end

    -- Of a session that is let go: what is pending will never be known to be done.
    function hooks.left(record)
        for trace in pairs(core.traces) do
            for _, command in ipairs(trace) do
                if command.session == record then command.left_at = command.left_at or core.time end
            end
        end
    end

    return hooks
end
