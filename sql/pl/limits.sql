-- Limits: memory of an interpreter, depth of the stack.
\set VERBOSITY terse
CREATE SCHEMA pl_limits;
SET search_path = pl_limits;

SET pllua_bg.memory_limit = '16MB';
DO LANGUAGE pllua_bg $$ local t = {} for i = 1, 1e8 do t[i] = { i } end $$;
DO LANGUAGE pllua_bg $$ local s = 'x' while true do s = s .. s end $$;
DO LANGUAGE pllua_bg $$ print(pcall(string.rep, 'x', 1e9)) print(pcall(function() local t = {} for i = 1, 1e8 do t[i] = { i } end end)) $$;
DO LANGUAGE pllua_bg $$ local co = coroutine.wrap(function() local t = {} for i = 1, 1e8 do t[i] = { i } end end) co() $$;
-- the interpreter lives on
DO LANGUAGE pllua_bg $$ collectgarbage() print(collectgarbage('count') < 1024) $$;
CREATE FUNCTION hoard(n int) RETURNS SETOF text LANGUAGE pllua_bg AS $$ local t = {} for i = 1, n do t[i] = ('x'):rep(1000) .. i coroutine.yield(t[i]) end $$;
SELECT count(*) FROM hoard(100000);
SELECT count(*) FROM hoard(100);
RESET pllua_bg.memory_limit;
SELECT count(*) FROM hoard(100000);
SET ROLE pg_monitor;
SET pllua_bg.memory_limit = '1GB';
RESET ROLE;

-- recursion of Lua, through C, and through the server
DO LANGUAGE pllua_bg $$ local function f() return f() + 1 end f() $$;
DO LANGUAGE pllua_bg $$ local function f() return f() + 1 end print(pcall(f)) $$;
DO LANGUAGE pllua_bg $$ local t = setmetatable({}, { __index = function(t, k) return t[k + 1] end }) print(t[1]) $$;
DO LANGUAGE pllua_bg $$ local function f() return pcall(f) end print(select(-1, f())) $$;
\set VERBOSITY sqlstate
DO LANGUAGE pllua_bg $$ local function f() return coroutine.wrap(f)() end print(f()) $$;
CREATE FUNCTION down(n int) RETURNS int LANGUAGE pllua_bg AS $$ return spi.execute('SELECT down($1) AS r', n + 1)[1].r $$;
SELECT down(1);
CREATE FUNCTION down_caught(n int) RETURNS int LANGUAGE pllua_bg AS $$
  local ok, result = pcall(function() return spi.execute('SELECT down_caught($1) AS r', n + 1)[1].r end)
  return ok and result or n
$$;
SELECT down_caught(1) > 20 AS deep_enough;
SELECT down(1);
-- two hundred levels are nothing special
CREATE FUNCTION levels(n int) RETURNS int LANGUAGE pllua_bg AS $$ return n == 0 and 0 or 1 + spi.execute('SELECT levels($1) AS r', n - 1)[1].r $$;
SELECT levels(210);

\set VERBOSITY terse
-- objects that call objects
DO LANGUAGE pllua_bg $$ local function chain(n) local f = tostring for i = 1, n do f = setmetatable({}, {__call = f}) end return f end print((pcall(chain(200)))) chain(300000) $$;
DO LANGUAGE pllua_bg $$ local events, object = {}, {} events.__call = object setmetatable(object, events) $$;

-- memory beyond pllua_bg.memory_limit is an error with its code
do language pllua_bg $$
    local ok, e = pcall(string.rep, 'x', 1 << 40)
    print(ok, e.sqlstate, e.message)
$$;

SET client_min_messages = warning;
DROP SCHEMA pl_limits CASCADE;
