-- Frames of the library are shown nowhere: what is wrong is wrong where the caller's code stands, and
-- a method has the name it was called by.
\set VERBOSITY default
do language pllua_bg $$
    local function try(fn)
        local _, err = pcall(fn)
        print((tostring(err):gsub('pid %d+', 'pid N')))
    end
    local s <close> = bg.launch()
    try(function() s.run(nil, 'x') end)
    try(function() s.exec(nil, 'x') end)
    try(function() s.begin() end)
    try(function() s.rollback(3) end)
    try(function() s.atomic('x', print) end)
    try(function() s.rows({}) end)
    try(function() s.result() end)
    try(function() s.results() end)
    try(function() s.notifications() end)
    try(function() s.notification() end)
    local statement = s:prepare('select 1')
    try(function() statement.exec(s) end)
    local future = s:run('select 1')
    try(function() future.get() end)
    try(function() future.wait() end)
    try(function() future.try(s) end)
    try(function() bg.timer(1).get() end)
    try(function() bg.scope(function(sc) sc.go(print) end) end)
    try(function() bg.wait({{pending = 1}}) end)
    try(function() bg.wait({future:get()[1]}) end)
$$;

-- where an error of the library was raised
do language pllua_bg $$
    local function rest()
        bg.sleep('x')
    end
    rest()
$$;
do language pllua_bg $$ bg.launch{nonsense = 1} $$;
do language pllua_bg $$
    local s <close> = bg.launch()
    s:atomic(function()
        error('no')
    end)
$$;

-- tracebacks
do language pllua_bg $$
    local s <close> = bg.launch()
    s:atomic(function() print(debug.traceback('text', 1)) end)
    print(debug.traceback(coroutine.create(print)), debug.traceback(true), debug.traceback(12):match('^12\n'))
    print((select(2, xpcall(function() error('x') end, debug.traceback)):gsub("function '[%w.]*%.(%w+)'", "function '%1'")
        :gsub("'sxpcall'", "'xpcall'")))
$$;
do language pllua_bgu $$
    local s <close> = bg.launch()
    s:atomic(function() print(debug.traceback()) end)
$$;
