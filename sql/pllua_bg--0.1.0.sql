-- The extension pllua_bg: the trusted language, and background sessions in schema bg.

\echo Use "CREATE EXTENSION pllua_bg" to load this file. \quit

-- The language. Its functions are in pg_catalog: schema bg is not for everybody, the language is.

CREATE FUNCTION pg_catalog.pllua_bg_call_handler() RETURNS language_handler
    LANGUAGE c AS 'MODULE_PATHNAME', 'pllua_bg_call_handler';

CREATE FUNCTION pg_catalog.pllua_bg_inline_handler(internal) RETURNS void
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'pllua_bg_inline_handler';

CREATE FUNCTION pg_catalog.pllua_bg_validator(oid) RETURNS void
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'pllua_bg_validator';

CREATE TRUSTED LANGUAGE pllua_bg
    HANDLER pg_catalog.pllua_bg_call_handler
    INLINE pg_catalog.pllua_bg_inline_handler
    VALIDATOR pg_catalog.pllua_bg_validator;

COMMENT ON LANGUAGE pllua_bg IS 'Lua 5.4 as a trusted procedural language';

-- The schema, a member of the extension: nobody else may own it, for its owner decides who has sessions and can add functions of his own.

DO LANGUAGE pllua_bg $lua$
    local owner = spi.execute([[
        select pg_catalog.pg_get_userbyid(nspowner) as name from pg_catalog.pg_namespace
        where nspname operator(pg_catalog.=) 'bg'::pg_catalog.name]])[1]
    if owner then
        spi.error('duplicate_schema', 'schema "bg" already exists', 'It belongs to ' .. owner.name .. '.',
            'Rename it or drop it: the extension makes a schema of its own.')
    end
$lua$;

CREATE SCHEMA bg;

-- Whatever default privileges say.

DO LANGUAGE pllua_bg $lua$
    for _, row in ipairs(spi.execute([[
            select distinct case a.grantee when 0 then 'public' else pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) end as name
            from pg_catalog.pg_namespace n, pg_catalog.aclexplode(n.nspacl) a
            where n.nspname operator(pg_catalog.=) 'bg'::pg_catalog.name and a.grantee operator(pg_catalog.<>) n.nspowner]])) do
        spi.execute('revoke all on schema bg from ' .. row.name .. ' cascade')
    end
$lua$;

-- Sessions. Who has USAGE on schema bg may use them; a session runs as whoever launches it.

CREATE FUNCTION bg.launch(
    name text DEFAULT NULL, settings text[] DEFAULT NULL, queue_size int DEFAULT NULL, wait float8 DEFAULT NULL,
    idle_timeout float8 DEFAULT NULL, on_exit text DEFAULT 'finish', snapshot boolean DEFAULT false, database text DEFAULT NULL,
    server text DEFAULT NULL) RETURNS int
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pllua_bg_sql_launch';

COMMENT ON FUNCTION bg.launch(text, text[], int, float8, float8, text, boolean, text, text)
    IS 'starts a background session as the current user and returns its pid';

CREATE FUNCTION bg.connect_anywhere() RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE AS 'SELECT true';

COMMENT ON FUNCTION bg.connect_anywhere()
    IS 'there to be granted: whoever may execute it may launch sessions on any server, by connection strings';

CREATE FUNCTION bg.run(pid int, sql text) RETURNS bigint
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pllua_bg_sql_run';

CREATE FUNCTION bg.run(pid int, sql text, VARIADIC arguments "any") RETURNS bigint
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pllua_bg_sql_run';

COMMENT ON FUNCTION bg.run(int, text) IS 'sends a command to a background session without waiting for it';
COMMENT ON FUNCTION bg.run(int, text, "any") IS 'sends a command with parameters to a background session';

CREATE FUNCTION bg.result(pid int, timeout float8 DEFAULT NULL) RETURNS SETOF record
    LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1000 AS 'MODULE_PATHNAME', 'pllua_bg_sql_result';

COMMENT ON FUNCTION bg.result(int, float8)
    IS 'waits for the newest command that was not fetched and returns its rows, or its command tag';

CREATE FUNCTION bg.wait(pid int, timeout float8 DEFAULT NULL) RETURNS boolean
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pllua_bg_sql_wait';

COMMENT ON FUNCTION bg.wait(int, float8)
    IS 'waits until all commands of a background session have ended; false after the timeout';

CREATE FUNCTION bg.cancel(pid int) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pllua_bg_sql_cancel';

CREATE FUNCTION bg.detach(pid int) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pllua_bg_sql_detach';

CREATE FUNCTION bg.close(pid int) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pllua_bg_sql_close';

CREATE FUNCTION bg.terminate(pid int) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pllua_bg_sql_terminate';

COMMENT ON FUNCTION bg.cancel(int) IS 'cancels the running command of a background session, of this backend or of another one';
COMMENT ON FUNCTION bg.terminate(int) IS 'terminates the worker of a background session, of this backend or of another one';
COMMENT ON FUNCTION bg.detach(int) IS 'lets a background session finish what was sent, and forgets it';
COMMENT ON FUNCTION bg.close(int) IS 'ends a background session now';

CREATE FUNCTION bg.on_commit(sql text) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pllua_bg_sql_on_commit';

CREATE FUNCTION bg.on_commit(sql text, VARIADIC arguments "any") RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pllua_bg_sql_on_commit';

COMMENT ON FUNCTION bg.on_commit(text) IS 'runs a command in a background session once this transaction has committed';
COMMENT ON FUNCTION bg.on_commit(text, "any")
    IS 'runs a command with parameters in a background session once this transaction has committed';

CREATE FUNCTION bg.progress(done float8, total float8 DEFAULT NULL, message text DEFAULT NULL) RETURNS boolean
    LANGUAGE c VOLATILE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'pllua_bg_sql_progress';

COMMENT ON FUNCTION bg.progress(float8, float8, text)
    IS 'tells, in a background session, how far it is; false elsewhere';

-- What sessions there are, and what was counted about them.

CREATE FUNCTION bg.backend_sessions(
    OUT pid int, OUT name text, OUT role regrole, OUT state text, OUT transaction text, OUT queued int, OUT sql text,
    OUT error text, OUT launcher int, OUT database text, OUT server text, OUT launched_at timestamptz,
    OUT progress_done float8, OUT progress_total float8, OUT progress_message text) RETURNS SETOF record
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pllua_bg_sql_sessions';

CREATE FUNCTION bg.other_sessions(
    OUT pid int, OUT name text, OUT role regrole, OUT state text, OUT transaction text, OUT queued int, OUT sql text,
    OUT error text, OUT launcher int, OUT database text, OUT server text, OUT launched_at timestamptz,
    OUT progress_done float8, OUT progress_total float8, OUT progress_message text) RETURNS SETOF record
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pllua_bg_sql_other_sessions';

CREATE VIEW bg.sessions AS SELECT * FROM bg.backend_sessions() UNION ALL SELECT * FROM bg.other_sessions();

GRANT SELECT ON bg.sessions TO PUBLIC;

COMMENT ON FUNCTION bg.backend_sessions() IS 'the background sessions of this backend';
COMMENT ON FUNCTION bg.other_sessions()
    IS 'the other background sessions of the cluster; none unless pllua_bg is in shared_preload_libraries';
COMMENT ON VIEW bg.sessions
    IS 'the background sessions of this backend; of the whole cluster when pllua_bg is in shared_preload_libraries';

CREATE FUNCTION bg.stat_get(
    OUT scope text, OUT launched bigint, OUT reused bigint, OUT jobs bigint, OUT launch_failures bigint, OUT lost bigint,
    OUT commands bigint, OUT errors bigint, OUT deadlocks bigint, OUT cancels bigint, OUT rows bigint, OUT bytes bigint,
    OUT stats_reset timestamptz) RETURNS SETOF record
    LANGUAGE c VOLATILE PARALLEL RESTRICTED ROWS 1 AS 'MODULE_PATHNAME', 'pllua_bg_sql_stat';

CREATE VIEW bg.stat AS SELECT * FROM bg.stat_get();

GRANT SELECT ON bg.stat TO PUBLIC;

CREATE FUNCTION bg.stat_reset() RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pllua_bg_sql_stat_reset';

COMMENT ON FUNCTION bg.stat_get() IS 'what was counted about background sessions since the last reset';
COMMENT ON VIEW bg.stat IS 'what was counted about background sessions since the last reset';
COMMENT ON FUNCTION bg.stat_reset() IS 'begins to count anew';

CREATE FUNCTION bg.notifications(pid int, OUT sender int, OUT channel text, OUT payload text) RETURNS SETOF record
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pllua_bg_sql_notifications';

COMMENT ON FUNCTION bg.notifications(int) IS 'what the LISTENs of a background session have brought so far';

-- For everybody who may use the schema, also where default privileges give nothing to everybody.

GRANT EXECUTE ON ALL ROUTINES IN SCHEMA bg TO PUBLIC;
REVOKE EXECUTE ON FUNCTION bg.stat_reset(), bg.connect_anywhere() FROM PUBLIC;
