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

-- Backfills: what is to be done, and which ranges are done. Each role has its own; whoever may look after all of them sees them all.

CREATE TABLE bg.backfill_run (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    owner oid NOT NULL DEFAULT pg_catalog.to_regrole(pg_catalog.quote_ident(current_user))::oid,
    name text NOT NULL,
    relation text NOT NULL,                     -- as it was given
    statement text NOT NULL,
    search_path text NOT NULL,                  -- by which the statement finds its tables
    workers int NOT NULL,
    pause float8 NOT NULL,                      -- seconds
    max_lag float8,
    lock_timeout float8 NOT NULL,
    chunks int NOT NULL,
    started_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    UNIQUE (owner, name)
);

CREATE TABLE bg.backfill_chunk (
    backfill bigint NOT NULL REFERENCES bg.backfill_run ON DELETE CASCADE,
    number int NOT NULL,
    lo text NOT NULL,
    hi text NOT NULL,
    rows bigint,
    done_at timestamptz,                        -- written by the transaction that does it
    PRIMARY KEY (backfill, number)
);

ALTER TABLE bg.backfill_run ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON bg.backfill_run
    USING (owner = pg_catalog.to_regrole(pg_catalog.quote_ident(current_user))::oid);
ALTER TABLE bg.backfill_chunk ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON bg.backfill_chunk
    USING (EXISTS (SELECT FROM bg.backfill_run r WHERE r.id = backfill));

CREATE VIEW bg.backfills WITH (security_invoker) AS
    SELECT r.name, r.owner::regrole AS owner, r.relation, r.statement,
        CASE WHEN c.done = r.chunks THEN 'done' ELSE 'unfinished' END AS state,
        r.chunks, c.done, c.rows, r.started_at, c.changed_at
    FROM bg.backfill_run r,
        LATERAL (SELECT count(done_at)::int AS done, coalesce(sum(rows), 0)::bigint AS rows, max(done_at) AS changed_at
            FROM bg.backfill_chunk WHERE backfill = r.id) c;

COMMENT ON VIEW bg.backfills IS 'backfills, and how far each is';

CREATE PROCEDURE bg.backfill(
    relation text, statement text, rows int DEFAULT 10000, workers int DEFAULT 4, pause interval DEFAULT NULL,
    max_lag interval DEFAULT NULL, lock_timeout interval DEFAULT NULL, name text DEFAULT NULL, by text DEFAULT NULL,
    dry_run boolean DEFAULT false, on_error text DEFAULT 'collect', progress boolean DEFAULT false,
    INOUT done bigint DEFAULT NULL, INOUT failed bigint DEFAULT NULL, INOUT elapsed interval DEFAULT NULL)
    LANGUAGE pllua_bg AS $lua$
    return require('bg_dba').run('backfill', {
        relation = relation, statement = statement, rows = rows, pause = pause, max_lag = max_lag, lock_timeout = lock_timeout,
        name = name, by = by,
        workers = workers, dry_run = dry_run, on_error = on_error, progress = progress})
$lua$;

COMMENT ON PROCEDURE bg.backfill(
    text, text, int, int, interval, interval, interval, text, text, boolean, text, boolean, bigint, bigint, interval)
    IS 'runs a statement for a whole table, each range of its key in a transaction of its own';

CREATE PROCEDURE bg.backfill_resume(
    name text, workers int DEFAULT NULL,
    dry_run boolean DEFAULT false, on_error text DEFAULT 'collect', progress boolean DEFAULT false,
    INOUT done bigint DEFAULT NULL, INOUT failed bigint DEFAULT NULL, INOUT elapsed interval DEFAULT NULL)
    LANGUAGE pllua_bg AS $lua$
    return require('bg_dba').run('backfill_resume', {
        name = name,
        workers = workers, dry_run = dry_run, on_error = on_error, progress = progress})
$lua$;

COMMENT ON PROCEDURE bg.backfill_resume(text, int, boolean, text, boolean, bigint, bigint, interval)
    IS 'does what a backfill has not done yet';

CREATE PROCEDURE bg.copy_table(
    source text, target text, workers int DEFAULT 4, rows int DEFAULT 100000, by text DEFAULT NULL,
    dry_run boolean DEFAULT false, progress boolean DEFAULT false,
    INOUT done bigint DEFAULT NULL, INOUT failed bigint DEFAULT NULL, INOUT elapsed interval DEFAULT NULL)
    LANGUAGE pllua_bg AS $lua$
    return require('bg_dba').run('copy_table', {
        source = source, target = target, rows = rows, by = by,
        workers = workers, dry_run = dry_run, progress = progress})
$lua$;

COMMENT ON PROCEDURE bg.copy_table(text, text, int, int, text, boolean, boolean, bigint, bigint, interval)
    IS 'copies the rows of a table into another one, ranges of a key at once, all as of one moment';

CREATE PROCEDURE bg.run_on(
    statement text, databases text[] DEFAULT NULL, schemas text[] DEFAULT NULL, servers text[] DEFAULT NULL, workers int DEFAULT 4,
    dry_run boolean DEFAULT false, on_error text DEFAULT 'collect', progress boolean DEFAULT false,
    INOUT done bigint DEFAULT NULL, INOUT failed bigint DEFAULT NULL, INOUT elapsed interval DEFAULT NULL)
    LANGUAGE pllua_bg AS $lua$
    return require('bg_dba').run('run_on', {
        statement = statement, databases = databases, schemas = schemas, servers = servers,
        workers = workers, dry_run = dry_run, on_error = on_error, progress = progress})
$lua$;

COMMENT ON PROCEDURE bg.run_on(text, text[], text[], text[], int, boolean, text, boolean, bigint, bigint, interval)
    IS 'runs a statement in several databases, in several schemas, or on several servers';

-- For everybody who may use the schema, also where default privileges give nothing to everybody.

GRANT SELECT ON bg.last_run, bg.backfills TO PUBLIC;
GRANT SELECT, INSERT, DELETE ON bg.backfill_run TO PUBLIC;
GRANT SELECT, INSERT, UPDATE (rows, done_at) ON bg.backfill_chunk TO PUBLIC;
GRANT EXECUTE ON FUNCTION bg.last_run_rows() TO PUBLIC;
GRANT EXECUTE ON PROCEDURE
    bg.run_all(text, int, boolean, text, boolean, bigint, bigint, interval),
    bg.vacuum_tables(text, int, text, boolean, text, boolean, bigint, bigint, interval),
    bg.analyze_tables(text, int, text, boolean, text, boolean, bigint, bigint, interval),
    bg.reindex_tables(text, int, boolean, boolean, text, boolean, bigint, bigint, interval),
    bg.create_indexes(text[], int, boolean, text, boolean, bigint, bigint, interval),
    bg.refresh_matviews(text, int, boolean, boolean, text, boolean, bigint, bigint, interval),
    bg.backfill(text, text, int, int, interval, interval, interval, text, text, boolean, text, boolean, bigint, bigint, interval),
    bg.backfill_resume(text, int, boolean, text, boolean, bigint, bigint, interval),
    bg.copy_table(text, text, int, int, text, boolean, boolean, bigint, bigint, interval),
    bg.run_on(text, text[], text[], text[], int, boolean, text, boolean, bigint, bigint, interval)
TO PUBLIC;
