-- The extension pllua_bg_dba: maintenance of many tables at once. Its objects are in schema bg; what a procedure does is in the module
-- of its name in lua/dba. All of it runs as whoever calls.

\echo Use "CREATE EXTENSION pllua_bg_dba" to load this file. \quit

-- The items of the newest run.

-- internal functions: of the view
CREATE FUNCTION bg.last_run_rows(
    OUT item text, OUT statement text, OUT ok boolean, OUT tag text, OUT sqlstate text, OUT error text, OUT started float8,
    OUT seconds float8, OUT pid int) RETURNS SETOF record
    LANGUAGE pllua_bg VOLATILE PARALLEL RESTRICTED AS $lua$
    for row in require('bg_dba').last_run() do coroutine.yield(row) end
$lua$;
COMMENT ON FUNCTION bg.last_run_rows() IS 'the rows of bg.last_run';

CREATE VIEW bg.last_run AS
    SELECT item, statement, ok, tag, sqlstate, error, pg_catalog.to_timestamp(started) AS started_at,
        pg_catalog.make_interval(secs => seconds) AS elapsed, pid
    FROM bg.last_run_rows();

COMMENT ON VIEW bg.last_run IS 'the items of the newest run of a tool by this role in this connection';

CREATE PROCEDURE bg.run_all(
    query text, workers int DEFAULT 4, dry_run boolean DEFAULT false, on_error text DEFAULT 'collect', progress boolean DEFAULT false,
    INOUT done bigint DEFAULT NULL, INOUT failed bigint DEFAULT NULL, INOUT elapsed interval DEFAULT NULL)
    LANGUAGE pllua_bg AS $lua$
    return require('bg_dba').run('run_all', {query = query, workers = workers, dry_run = dry_run, on_error = on_error, progress = progress})
$lua$;

COMMENT ON PROCEDURE bg.run_all(text, int, boolean, text, boolean, bigint, bigint, interval)
    IS 'runs the statements that a query returns, several at once';

CREATE PROCEDURE bg.vacuum_tables(
    pattern text, workers int DEFAULT 4, options text DEFAULT NULL,
    dry_run boolean DEFAULT false, on_error text DEFAULT 'collect', progress boolean DEFAULT false,
    INOUT done bigint DEFAULT NULL, INOUT failed bigint DEFAULT NULL, INOUT elapsed interval DEFAULT NULL)
    LANGUAGE pllua_bg AS $lua$
    return require('bg_dba').run('vacuum_tables', {
        caller = 'bg.vacuum_tables', command = 'vacuum', pattern = pattern, options = options,
        workers = workers, dry_run = dry_run, on_error = on_error, progress = progress})
$lua$;

COMMENT ON PROCEDURE bg.vacuum_tables(text, int, text, boolean, text, boolean, bigint, bigint, interval)
    IS 'VACUUM of the tables that match a pattern, several at once';

CREATE PROCEDURE bg.analyze_tables(
    pattern text, workers int DEFAULT 4, options text DEFAULT NULL,
    dry_run boolean DEFAULT false, on_error text DEFAULT 'collect', progress boolean DEFAULT false,
    INOUT done bigint DEFAULT NULL, INOUT failed bigint DEFAULT NULL, INOUT elapsed interval DEFAULT NULL)
    LANGUAGE pllua_bg AS $lua$
    return require('bg_dba').run('vacuum_tables', {
        caller = 'bg.analyze_tables', command = 'analyze', pattern = pattern, options = options,
        workers = workers, dry_run = dry_run, on_error = on_error, progress = progress})
$lua$;

COMMENT ON PROCEDURE bg.analyze_tables(text, int, text, boolean, text, boolean, bigint, bigint, interval)
    IS 'ANALYZE of the tables that match a pattern, several at once';

CREATE PROCEDURE bg.reindex_tables(
    pattern text, workers int DEFAULT 4, concurrently boolean DEFAULT false,
    dry_run boolean DEFAULT false, on_error text DEFAULT 'collect', progress boolean DEFAULT false,
    INOUT done bigint DEFAULT NULL, INOUT failed bigint DEFAULT NULL, INOUT elapsed interval DEFAULT NULL)
    LANGUAGE pllua_bg AS $lua$
    return require('bg_dba').run('reindex_tables', {
        pattern = pattern, concurrently = concurrently,
        workers = workers, dry_run = dry_run, on_error = on_error, progress = progress})
$lua$;

COMMENT ON PROCEDURE bg.reindex_tables(text, int, boolean, boolean, text, boolean, bigint, bigint, interval)
    IS 'rebuilds the indexes of the tables that match a pattern, several at once';

CREATE PROCEDURE bg.create_indexes(
    statements text[], workers int DEFAULT 4,
    dry_run boolean DEFAULT false, on_error text DEFAULT 'collect', progress boolean DEFAULT false,
    INOUT done bigint DEFAULT NULL, INOUT failed bigint DEFAULT NULL, INOUT elapsed interval DEFAULT NULL)
    LANGUAGE pllua_bg AS $lua$
    return require('bg_dba').run('create_indexes', {
        statements = statements,
        workers = workers, dry_run = dry_run, on_error = on_error, progress = progress})
$lua$;

COMMENT ON PROCEDURE bg.create_indexes(text[], int, boolean, text, boolean, bigint, bigint, interval)
    IS 'runs statements CREATE INDEX, several at once; of a table one at a time that is concurrent';

CREATE PROCEDURE bg.refresh_matviews(
    pattern text, workers int DEFAULT 4, concurrently boolean DEFAULT false,
    dry_run boolean DEFAULT false, on_error text DEFAULT 'collect', progress boolean DEFAULT false,
    INOUT done bigint DEFAULT NULL, INOUT failed bigint DEFAULT NULL, INOUT elapsed interval DEFAULT NULL)
    LANGUAGE pllua_bg AS $lua$
    return require('bg_dba').run('refresh_matviews', {
        pattern = pattern, concurrently = concurrently,
        workers = workers, dry_run = dry_run, on_error = on_error, progress = progress})
$lua$;

COMMENT ON PROCEDURE bg.refresh_matviews(text, int, boolean, boolean, text, boolean, bigint, bigint, interval)
    IS 'refreshes the materialized views that match a pattern, each after those it is made of';

-- For everybody who may use the schema, also where default privileges give nothing to everybody.

GRANT SELECT ON bg.last_run TO PUBLIC;
GRANT EXECUTE ON FUNCTION bg.last_run_rows() TO PUBLIC;
GRANT EXECUTE ON PROCEDURE
    bg.run_all(text, int, boolean, text, boolean, bigint, bigint, interval),
    bg.vacuum_tables(text, int, text, boolean, text, boolean, bigint, bigint, interval),
    bg.analyze_tables(text, int, text, boolean, text, boolean, bigint, bigint, interval),
    bg.reindex_tables(text, int, boolean, boolean, text, boolean, bigint, bigint, interval),
    bg.create_indexes(text[], int, boolean, text, boolean, bigint, bigint, interval),
    bg.refresh_matviews(text, int, boolean, boolean, text, boolean, bigint, bigint, interval)
TO PUBLIC;
