-- A statement timeout stops Lua code whatever it does, and cannot be swallowed.
\set VERBOSITY terse
CREATE FUNCTION pl_endless() RETURNS SETOF int LANGUAGE pllua_bg AS $$ local i = 0 while true do i = i + 1 coroutine.yield(i) end $$;
SET statement_timeout = '100ms';
DO LANGUAGE pllua_bg $$ while true do end $$;
DO LANGUAGE pllua_bg $$ while true do pcall(function() while true do end end) end $$;
DO LANGUAGE pllua_bg $$ while true do xpcall(function() while true do end end, function() while true do end end) end $$;
DO LANGUAGE pllua_bg $$ while true do pcall(error) end $$;
DO LANGUAGE pllua_bg $$ coroutine.wrap(function() while true do end end)() $$;
DO LANGUAGE pllua_bg $$ while true do coroutine.resume(coroutine.create(function() while true do pcall(error) end end)) end $$;
DO LANGUAGE pllua_bg $$ while true do load(function() while true do end end) end $$;
DO LANGUAGE pllua_bg $$ print(pcall(spi.execute, 'SELECT pg_sleep(60)')) while true do end $$; -- workload
DO LANGUAGE pllua_bg $$ while true do spi.execute('SELECT 1') end $$;
-- functions of the library
DO LANGUAGE pllua_bg $$ print(('x'):rep(30):find(('x?'):rep(30) .. ('x*'):rep(30) .. 'y')) $$;
DO LANGUAGE pllua_bg $$ while true do pcall(string.gsub, ('x'):rep(30), ('x?'):rep(30) .. ('x*'):rep(30) .. 'y', '') end $$;
DO LANGUAGE pllua_bg $$ table.sort({ 3, 1, 2 }, function() while true do end end) $$;
DO LANGUAGE pllua_bg $$ local s = ('x'):rep(1000) for i = 1, 1e9 do s:gsub('x', { x = 'y' }) end $$;
-- what is left to close, and finalizers
DO LANGUAGE pllua_bg $$ local guard <close> = setmetatable({}, { __close = function() while true do end end }) error 'x' $$;
DO LANGUAGE pllua_bg $$ local guard <close> = setmetatable({}, { __close = function() while true do end end }) while true do end $$;
DO LANGUAGE pllua_bg $$
  coroutine.wrap(function()
    local guard <close> = setmetatable({}, { __close = function() while true do end end })
    while true do end
  end)()
$$;
DO LANGUAGE pllua_bg $$ setmetatable({}, { __gc = function() while true do end end }) collectgarbage() $$;
DO LANGUAGE pllua_bg $$ error(setmetatable({}, { __tostring = function() while true do end end })) $$;
-- sets
SELECT * FROM pl_endless() LIMIT 1;
SELECT count(*) FROM (SELECT pl_endless()) x;
RESET statement_timeout;
SELECT pl_endless() LIMIT 1;
-- all is well afterwards
DO LANGUAGE pllua_bg $$ print(pcall(error, 'caught', 0)) print(spi.execute('SELECT 1 AS one')[1].one) $$;
SET statement_timeout = '100ms';
DO LANGUAGE pllua_bg $$ while true do end $$;
RESET statement_timeout;
DROP FUNCTION pl_endless();

-- a loop in what is closed after a cancel is stopped too, and the next function can be cancelled as well
set statement_timeout = '200ms';
do language pllua_bg $$
    local closing <close> = setmetatable({}, {__close = function() while true do end end})
    while true do end
$$;
do language pllua_bg $$
    local co = coroutine.create(function()
        local closing <close> = setmetatable({}, {__close = function() while true do end end})
        while true do end
    end)
    coroutine.resume(co)
    coroutine.close(co)
$$;
do language pllua_bg $$ while true do end $$;
-- a finalizer cannot swallow a cancel
do language pllua_bg $$
    setmetatable({}, {__gc = function() while true do end end})
    collectgarbage()
    while true do end
$$;
do language pllua_bg $$
    local function again() setmetatable({}, {__gc = function() again() while true do end end}) end
    again()
    while true do collectgarbage() end
$$;
reset statement_timeout;
