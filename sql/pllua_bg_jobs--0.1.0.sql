-- The extension pllua_bg_jobs: durable jobs. Its objects are in schema bg; what reads and writes its tables are its own functions and views.

\echo Use "CREATE EXTENSION pllua_bg_jobs" to load this file. \quit

-- The jobs that are still to be done. Whoever submits inserts, a run deletes its own, all else is written by the scheduler.

CREATE TABLE bg.job (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    queue text NOT NULL DEFAULT 'default',
    priority smallint NOT NULL DEFAULT 0,       -- smaller ones first
    run_at timestamptz,                         -- null: at once
    attempt smallint NOT NULL DEFAULT 0,        -- how many have failed
    crashes smallint NOT NULL DEFAULT 0,
    snoozed smallint NOT NULL DEFAULT 0,
    owner oid NOT NULL,
    owner_name name NOT NULL,                   -- an oid means nothing in another cluster
    key text,
    key_mode "char",                            -- r: replace, k: keep, u: unique
    limit_key text,
    limit_n smallint,
    every text,
    timezone text NOT NULL,                     -- of the submitter
    has_parents boolean NOT NULL DEFAULT false,
    sql text NOT NULL,
    args jsonb,
    options jsonb,                              -- what run and outcome need, where it is not the default
    search_path text NOT NULL,
    errors jsonb,                               -- the last five
    submitted_at timestamptz NOT NULL
) WITH (fillfactor = 90, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);

CREATE INDEX job_ready ON bg.job (queue, priority, id) WHERE run_at IS NULL;
CREATE INDEX job_scheduled ON bg.job (run_at) WHERE run_at IS NOT NULL;
CREATE INDEX job_key ON bg.job (owner, key, id) WHERE key IS NOT NULL; -- not unique: submitters wait for nobody

CREATE TABLE bg.job_after (
    child bigint NOT NULL,
    parent bigint NOT NULL,
    PRIMARY KEY (child, parent)
);

CREATE INDEX job_after_parent ON bg.job_after (parent);

-- What somebody wants to become of a job: cancel, retry, run.

CREATE TABLE bg.job_order (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job bigint NOT NULL,
    action text NOT NULL,
    role oid NOT NULL,
    at timestamptz NOT NULL DEFAULT pg_catalog.now()
);

-- What steps of a job that is in no transaction have returned; they go with the job.

CREATE TABLE bg.job_step (
    job bigint NOT NULL,
    name text NOT NULL,
    result jsonb,
    PRIMARY KEY (job, name)
);

-- The history: one row for each job, or run of a job that recurs, that has ended. The scheduler empties the oldest slot.

CREATE TABLE bg.job_done (
    slot smallint NOT NULL,
    id bigint NOT NULL,
    state "char" NOT NULL,                      -- d: done, f: failed, c: cancelled, x: discarded, s: superseded
    queue text NOT NULL,
    priority smallint NOT NULL,
    run_at timestamptz,
    attempt smallint NOT NULL,
    crashes smallint NOT NULL,
    snoozed smallint NOT NULL,
    owner oid NOT NULL,
    owner_name name NOT NULL,
    key text,
    key_mode "char",
    limit_key text,
    limit_n smallint,
    every text,
    timezone text NOT NULL,
    has_parents boolean NOT NULL,
    sql text NOT NULL,
    args jsonb,
    options jsonb,
    search_path text NOT NULL,
    errors jsonb,
    submitted_at timestamptz NOT NULL,
    started_at timestamptz,
    ended_at timestamptz NOT NULL,
    pid int,
    result jsonb,
    note text,                                  -- why there is no result; why it was discarded
    error jsonb,                                -- the last of errors where that is how it has ended
    superseded_by bigint
) PARTITION BY LIST (slot);

CREATE TABLE bg.job_done_0 PARTITION OF bg.job_done FOR VALUES IN (0);
CREATE TABLE bg.job_done_1 PARTITION OF bg.job_done FOR VALUES IN (1);
CREATE TABLE bg.job_done_2 PARTITION OF bg.job_done FOR VALUES IN (2);
CREATE TABLE bg.job_done_3 PARTITION OF bg.job_done FOR VALUES IN (3);
CREATE TABLE bg.job_done_4 PARTITION OF bg.job_done FOR VALUES IN (4);
CREATE TABLE bg.job_done_5 PARTITION OF bg.job_done FOR VALUES IN (5);
CREATE TABLE bg.job_done_6 PARTITION OF bg.job_done FOR VALUES IN (6);
CREATE TABLE bg.job_done_7 PARTITION OF bg.job_done FOR VALUES IN (7);

CREATE INDEX job_done_id ON bg.job_done (id);

CREATE TABLE bg.job_queue (
    name text PRIMARY KEY,
    workers int,                                -- null: pllua_bg.job_workers
    paused boolean NOT NULL DEFAULT false,
    keep text,                                  -- null: as the job says
    options jsonb
);

-- The database the queue is of: in a copy of it no job runs until bg.jobs_adopt() was called. A restored copy has two rows.

CREATE TABLE bg.job_home (
    system bigint NOT NULL,
    database oid NOT NULL
);

INSERT INTO bg.job_home
    SELECT system_identifier, (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database())
    FROM pg_catalog.pg_control_system();

-- One row, or none: then it is as the defaults say.

CREATE TABLE bg.job_state (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    clean boolean NOT NULL DEFAULT true,        -- the scheduler has ended by itself
    paused boolean NOT NULL DEFAULT false,
    slot smallint NOT NULL DEFAULT 0,           -- of the history, now
    slot_since timestamptz NOT NULL DEFAULT pg_catalog.now()
);

-- Each in a statement of its own: in one they fail.

SELECT pg_catalog.pg_extension_config_dump('bg.job', '');
SELECT pg_catalog.pg_extension_config_dump('bg.job_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('bg.job_after', '');
SELECT pg_catalog.pg_extension_config_dump('bg.job_order', '');
SELECT pg_catalog.pg_extension_config_dump('bg.job_order_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('bg.job_step', '');
SELECT pg_catalog.pg_extension_config_dump('bg.job_done_0', '');
SELECT pg_catalog.pg_extension_config_dump('bg.job_done_1', '');
SELECT pg_catalog.pg_extension_config_dump('bg.job_done_2', '');
SELECT pg_catalog.pg_extension_config_dump('bg.job_done_3', '');
SELECT pg_catalog.pg_extension_config_dump('bg.job_done_4', '');
SELECT pg_catalog.pg_extension_config_dump('bg.job_done_5', '');
SELECT pg_catalog.pg_extension_config_dump('bg.job_done_6', '');
SELECT pg_catalog.pg_extension_config_dump('bg.job_done_7', '');
SELECT pg_catalog.pg_extension_config_dump('bg.job_queue', '');
SELECT pg_catalog.pg_extension_config_dump('bg.job_home', '');
SELECT pg_catalog.pg_extension_config_dump('bg.job_state', '');

-- internal functions: of the scheduler
CREATE FUNCTION bg.job_holds(owner oid, owner_name name) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER -- its names are bound already
    BEGIN ATOMIC
        SELECT CASE
            WHEN (SELECT count(*) FILTER (WHERE h.system <> c.system_identifier OR h.database <> d.oid) <> 0 OR count(*) = 0
                FROM pg_control_system() c, pg_database d LEFT JOIN bg.job_home h ON true WHERE d.datname = current_database())
                THEN 'the queue was copied from another database: see bg.jobs_adopt()'
            WHEN r.oid IS NULL THEN format('role %I does not exist', $2)
            WHEN NOT r.rolcanlogin AND current_setting('server_version_num')::int < 170000
                THEN format('role %I is not permitted to log in', r.rolname)
            WHEN NOT has_database_privilege(r.oid, current_database(), 'CONNECT')
                THEN format('role %I has no CONNECT on the database', r.rolname)
            WHEN NOT has_schema_privilege(r.oid, 'bg', 'USAGE') THEN format('role %I has no USAGE on schema bg', r.rolname)
            END
        FROM (SELECT $1 AS oid) o LEFT JOIN pg_roles r ON r.oid = o.oid;
    END;

COMMENT ON FUNCTION bg.job_holds(oid, name) IS 'why jobs of a role do not run now; null: they do';

-- internal functions: of the scheduler
CREATE FUNCTION bg.next_run(every text, after timestamptz, timezone text) RETURNS timestamptz
    LANGUAGE pllua_bg STRICT STABLE PARALLEL UNSAFE AS $lua$
    return pgtype.timestamptz{epoch = require('bg.jobs.cron').next(every, after.epoch, timezone)}
$lua$;

COMMENT ON FUNCTION bg.next_run(text, timestamptz, text) IS 'when something that recurs is due after some time';

CREATE PROCEDURE bg.run_scheduler() LANGUAGE pllua_bg AS $lua$ -- internal
    require('bg.jobs.scheduler').run()
$lua$;

COMMENT ON PROCEDURE bg.run_scheduler() IS 'the scheduler of this database; called by the library itself';

REVOKE EXECUTE ON PROCEDURE bg.run_scheduler() FROM PUBLIC;
