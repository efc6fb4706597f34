-- The functions of pg_background on the sessions of pllua_bg. A session is named by the pid of its worker.
\echo Use "CREATE EXTENSION pllua_pg_background" to load this file. \quit

CREATE FUNCTION pg_background_launch() RETURNS int
LANGUAGE pllua_bg VOLATILE STRICT PARALLEL UNSAFE AS $lua$
    return bg.launch().pid
$lua$;

COMMENT ON FUNCTION pg_background_launch()
IS 'starts a background session and returns its pid';

CREATE FUNCTION pg_background_run(pid int, sql text) RETURNS void
LANGUAGE pllua_bg VOLATILE STRICT PARALLEL UNSAFE AS $lua$
    bg.run(pid, sql)
$lua$;

COMMENT ON FUNCTION pg_background_run(int, text)
IS 'sends a command to a background session, without waiting for it';

CREATE FUNCTION pg_background_result(pid int) RETURNS SETOF record
LANGUAGE pllua_bg VOLATILE STRICT PARALLEL UNSAFE AS $lua$
    local result = bg.result(pid)
    if not result then
        require('pllua.elog').error('42704', ('results for PID %d have already been consumed'):format(pid))
    end
    bg.give(result)
$lua$;

COMMENT ON FUNCTION pg_background_result(int)
IS 'waits for the newest command whose result was not taken, and returns its rows';

CREATE FUNCTION pg_background_detach(pid int) RETURNS void
LANGUAGE pllua_bg VOLATILE STRICT PARALLEL UNSAFE AS $lua$
    bg.detach(pid)
$lua$;

COMMENT ON FUNCTION pg_background_detach(int)
IS 'lets a background session go: what was sent to it is finished, then it ends';
