-- What a session tells of its progress.
\set VERBOSITY terse
CREATE FUNCTION tell(done float8, total float8, message text) RETURNS boolean LANGUAGE pllua_bg AS $$
    return bg.progress(done, total, message)
$$;
CREATE FUNCTION told(s int) RETURNS text LANGUAGE pllua_bg AS $$
    local p = bg.status(s).progress
    return p and string.format('%s of %s: %s', p.done, p.total, p.message) or 'nothing'
$$;
-- outside of a session nothing happens
SELECT bg.progress(1), bg.progress(1, 2), bg.progress(1, 2, 'three'), tell(1, 2, 'three');
SELECT bg.launch() AS pid \gset
SELECT told(:pid);
-- in Lua and in SQL
DO LANGUAGE pllua_bg $$
    local s = bg.sessions()[1]
    local function show(sql, ...)
        local answer = s:exec(sql, ...).value
        local p = s:status().progress
        print(answer, p.done, math.type(p.done), p.total, p.total and math.type(p.total), p.message)
    end
    show("select tell(1, 2, 'of Lua')")
    show("select tell(1.5, null, null)")
    show("select tell(-3, 0, '')")
    show("select tell(1e300, 9007199254740993, 'large')")
    show("select bg.progress(7)")
    show("select bg.progress(7, 8.5)")
    show("select bg.progress(7, message => 'of SQL')")
    show("select bg.progress(7, 'nan')")
    -- a message is clipped at a character
    s:exec('select bg.progress(1, 1, $1)', string.rep('ä', 200))
    local message = s:status().progress.message
    print(#message <= 255, #message > 250, (message:gsub('ä', '')))
$$;
-- it is seen while the command runs, and stays until the next is told
CREATE TABLE progress_gate (x int);
BEGIN;
LOCK TABLE progress_gate;
DO LANGUAGE pllua_bg $$
    local s = bg.sessions()[1]
    local f = s:run("do $b$ begin perform bg.progress(1, 2, 'waits'); perform from progress_gate; perform bg.progress(2, 2, 'done'); end $b$")
    repeat local p = s:status().progress until p.message == 'waits'
    print(s:status().state, s:status().progress.message)
$$;
COMMIT;
SELECT bg.wait(:pid), told(:pid);
SELECT bg.run(:pid, 'SELECT 1') > 0, bg.wait(:pid), told(:pid);
-- also after the end of the worker
DO LANGUAGE pllua_bg $$
    local s = bg.sessions()[1]
    s:run('select pg_terminate_backend(pg_backend_pid())'):wait()
    repeat until s:status().state == 'gone'
$$;
SELECT told(:pid);
SELECT bg.close(:pid);
SELECT told(:pid);
-- bad input
SELECT bg.progress(NULL);
SELECT bg.progress('infinity');
SELECT bg.progress('nan');
SELECT bg.progress(1, '-infinity');
DO LANGUAGE pllua_bg 'bg.progress()';
DO LANGUAGE pllua_bg 'bg.progress({})';
DO LANGUAGE pllua_bg 'bg.progress(1, {})';
DO LANGUAGE pllua_bg 'bg.progress(1, 2, {})';
DO LANGUAGE pllua_bg 'bg.progress(0/0)';
DO LANGUAGE pllua_bg 'bg.progress(1, math.huge)';
DO LANGUAGE pllua_bg $$ bg.progress(1, 2, 'a\0b') $$;
DROP TABLE progress_gate;
DROP FUNCTION tell, told;
