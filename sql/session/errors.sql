-- Errors arrive with all their fields, and a session survives them.
\set SHOW_CONTEXT never
CREATE TABLE strict_table (i int CONSTRAINT positive CHECK (i > 0));
CREATE FUNCTION fields(pid int) RETURNS TABLE (field text, value text) LANGUAGE plpgsql AS $$
DECLARE
    state text; message text; detail text; hint text; place text; tab text; col text; con text; typ text;
BEGIN
    PERFORM * FROM bg.result(pid) AS (x text);
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL,
        hint = PG_EXCEPTION_HINT, place = PG_EXCEPTION_CONTEXT, tab = TABLE_NAME, col = COLUMN_NAME,
        con = CONSTRAINT_NAME, typ = PG_DATATYPE_NAME;
    RETURN QUERY SELECT * FROM (VALUES ('sqlstate', state), ('message', message), ('detail', detail),
        ('hint', hint), ('table', tab), ('column', col), ('constraint', con), ('datatype', typ),
        ('context', split_part(replace(place, pid::text, 'N'), E'\nSQL statement "SELECT * FROM bg.result', 1))) AS f(k, v) WHERE v <> '';
END $$;
SELECT bg.launch() AS pid \gset
SELECT bg.run(:pid, 'INSERT INTO strict_table VALUES (-1)');
SELECT * FROM fields(:pid);
SELECT bg.run(:pid, 'DO $$ BEGIN RAISE EXCEPTION ''told'' USING errcode = ''MYERR'', detail = ''why'', hint = ''what'', column = ''c'', datatype = ''d''; END $$');
SELECT * FROM fields(:pid);
SELECT bg.run(:pid, 'SELECT 1 / 0');
SELECT * FROM fields(:pid);
SELECT bg.run(:pid, 'SELECT nonsense FROM nowhere');
SELECT * FROM bg.result(:pid) AS (x text);
SELECT bg.run(:pid, 'SELEC 1');
SELECT * FROM bg.result(:pid) AS (x text);
SELECT bg.run(:pid, 'SELECT 7');
SELECT * FROM bg.result(:pid) AS (i int);
SELECT state, transaction, error FROM bg.backend_sessions();

-- timeouts of the session are its own
SELECT bg.run(:pid, 'SET statement_timeout = 20');
SELECT bg.run(:pid, 'SELECT pg_sleep(60)'); -- workload
SELECT * FROM bg.result(:pid) AS (x text);
SELECT bg.run(:pid, 'RESET statement_timeout');
SELECT bg.wait(:pid);

-- COPY FROM STDIN has nothing to read
SELECT bg.run(:pid, 'COPY strict_table FROM STDIN');
SELECT * FROM bg.result(:pid) AS (x text);

-- client_encoding stays what it is
SELECT bg.run(:pid, 'SET client_encoding = ''LATIN1''');
SELECT * FROM bg.result(:pid) AS (x text);
SELECT bg.run(:pid, 'SELECT set_config(''client_encoding'', ''LATIN1'', false)');
SELECT * FROM bg.result(:pid) AS (x text);

-- the end of a worker is an error of what it was doing
SELECT bg.run(:pid, 'SELECT pg_terminate_backend(pg_backend_pid())');
SELECT * FROM fields(:pid);
SELECT state FROM bg.backend_sessions();
SELECT bg.run(:pid, 'SELECT 1');
SELECT bg.detach(:pid);
DROP FUNCTION fields(int);
DROP TABLE strict_table;

-- which statement failed, as in the context of a local one
do language pllua_bg $$
  local s <close> = bg.launch()
  local function context(ok, err) -- servers from 18 on say whose expression
    print((err.context:gsub('pid %d+', 'pid N'):gsub('PL/pgSQL expression', 'SQL expression'))) print(err.internal_query)
  end
  s:exec('create function es_f() returns int language plpgsql as $x$ begin return 1/0; end $x$')
  context(pcall(s.exec, s, 'select 1/0'))
  context(pcall(s.exec, s, 'select es_f()'))
  context(pcall(s.exec, s, 'select 1; select 1/0'))
  context(pcall(s.exec, s, 'selec'))
  context(pcall(s.exec, s, 'select 1/$1', 0))
  context(pcall(s.exec, s, "select '" .. string.rep('é', 700) .. "', 1/0"))
  local statement = s:prepare('select 1/$1::int')
  context(pcall(statement.exec, statement, 0))
  context(pcall(s.exec, s, 'rollback to nowhere'))
  context(pcall(function() for _ in s:rows('select 1/0') do end end))
$$;
drop function es_f;

-- so does the error of each command of a session that was lost, however it is taken
do language pllua_bg $$
  local die = 'select pg_terminate_backend(pg_backend_pid()) -- '
  local function lost(title, f)
    local s <close> = bg.launch()
    local _, err = pcall(f, s)
    print(title, err.sqlstate, (err.context:gsub('pid %d+', 'pid N')))
  end
  lost('exec', function(s) s:exec(die .. 'exec') end)
  lost('result', function(s) s:run(die .. 'result') s:result() end)
  lost('get', function(s) local f = s:run(die .. 'get') f:wait() f:get() end)
  lost('try', function(s) error(select(2, s:run(die .. 'try'):try())) end)
  lost('next', function(s)
    spi.execute('select pg_advisory_lock(77)')
    s:run('select pg_terminate_backend(pg_backend_pid()) from pg_advisory_lock(77)')
    local f = s:run('select 1 -- next')
    spi.execute('select pg_advisory_unlock(77)')
    f:get()
  end)
  lost('rows', function(s) for _ in s:rows(die .. 'rows') do end end)
  lost('prepared', function(s) s:prepare('select pg_terminate_backend($1::int)'):exec(s.pid) end)
  lost('autonomous', function() bg.autonomous(die .. 'autonomous') end)
  lost('all', function(s) bg.all{s:run(die .. 'all')} end)
  lost('map', function() bg.map({7}, 'select $1::int, pg_terminate_backend(pg_backend_pid())') end)
  lost('map', function() bg.map({8}, function(s) s:exec(die .. 'map') end) end)
  lost('each', function()
    for _, _, _, err in bg.each({9}, function(s) s:exec(die .. 'each') end, {errors = 'collect'}) do error(err) end
  end)
$$;
select * from pg_background_launch_v2('select pg_terminate_backend(pg_backend_pid()) -- once') \gset
select pg_background_wait_v2(:pid, :cookie);
select replace(context, :'pid', 'N') as context from pg_background_error_info(:pid, :cookie);
select pg_background_detach_v2(:pid, :cookie);
