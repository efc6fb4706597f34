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

CREATE INDEX job_ready ON bg.job (queue, owner, priority, id) WHERE run_at IS NULL AND NOT has_parents;
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
    at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
);

-- Jobs that run although they may have brought the server down, and since which start of it.

CREATE TABLE bg.job_suspect (
    job bigint PRIMARY KEY,
    since timestamptz NOT NULL
);

-- What steps of a job that is in no transaction have returned; they go with the job.

CREATE TABLE bg.job_step (
    job bigint NOT NULL,
    name text NOT NULL,
    result jsonb,
    PRIMARY KEY (job, name)
);

-- The history: one row for each job, or run of a job that recurs, that has ended. The scheduler empties the oldest slot. Whoever writes it writes
-- the columns of bg.job first, as a whole.

CREATE TABLE bg.job_done (
    LIKE bg.job,
    slot smallint NOT NULL,
    state "char" NOT NULL,                      -- d: done, f: failed, c: cancelled, x: discarded, s: superseded
    started_at timestamptz,
    ended_at timestamptz NOT NULL,
    pid int,
    result jsonb,
    note text,                                  -- why there is no result; why it was discarded
    error jsonb,                                -- the last one, where that is how it has ended
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

-- The database the queue is of: in a copy of it no job runs until bg.jobs_adopt() was called. bg.submit writes it where there is none, and not the
-- script: a dump that is read brings jobs before it brings this. A row of another database, or none: it is a copy.

CREATE TABLE bg.job_home (
    system bigint NOT NULL,
    database oid NOT NULL
);

-- One row, or none: then it is as the defaults say.

CREATE TABLE bg.job_state (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    paused boolean NOT NULL DEFAULT false,
    slot smallint NOT NULL DEFAULT 0,           -- of the history, now
    slot_since timestamptz NOT NULL DEFAULT pg_catalog.now()
);

-- In a publication of all tables what has no key could otherwise not be updated.

ALTER TABLE bg.job_done_0 REPLICA IDENTITY FULL;
ALTER TABLE bg.job_done_1 REPLICA IDENTITY FULL;
ALTER TABLE bg.job_done_2 REPLICA IDENTITY FULL;
ALTER TABLE bg.job_done_3 REPLICA IDENTITY FULL;
ALTER TABLE bg.job_done_4 REPLICA IDENTITY FULL;
ALTER TABLE bg.job_done_5 REPLICA IDENTITY FULL;
ALTER TABLE bg.job_done_6 REPLICA IDENTITY FULL;
ALTER TABLE bg.job_done_7 REPLICA IDENTITY FULL;
ALTER TABLE bg.job_home REPLICA IDENTITY FULL;

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

-- Giving work to the queue.

CREATE FUNCTION bg.submit(sql text, args jsonb DEFAULT NULL, options jsonb DEFAULT NULL) RETURNS bigint
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pllua_bg_sql_submit';

COMMENT ON FUNCTION bg.submit(text, jsonb, jsonb) IS 'gives a job to the queue, which runs it when this transaction has committed';

CREATE FUNCTION bg.cancel_job(id bigint) RETURNS boolean
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pllua_bg_sql_cancel_job';

COMMENT ON FUNCTION bg.cancel_job(bigint) IS 'takes a job from the queue, or cancels it; false when it has ended';

CREATE FUNCTION bg.retry_job(id bigint) RETURNS boolean
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pllua_bg_sql_retry_job';

COMMENT ON FUNCTION bg.retry_job(bigint) IS 'runs a job that has failed once more; false when it has not failed yet';

CREATE FUNCTION bg.run_job_now(id bigint) RETURNS boolean
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pllua_bg_sql_run_job_now';

COMMENT ON FUNCTION bg.run_job_now(bigint) IS 'runs a job that waits for its time at once; false when it has ended';

CREATE FUNCTION bg.wait_job(id bigint, timeout float8 DEFAULT NULL) RETURNS text
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pllua_bg_sql_wait_job';

COMMENT ON FUNCTION bg.wait_job(bigint, float8) IS 'waits for the end of a job and returns how it has ended; null after the timeout';

CREATE FUNCTION bg.job_result(id bigint) RETURNS jsonb
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pllua_bg_sql_job_result';

COMMENT ON FUNCTION bg.job_result(bigint) IS 'what a job that has ended has returned; raises its error';

-- For the code of a job.

CREATE FUNCTION bg.self() RETURNS jsonb
    LANGUAGE c VOLATILE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'pllua_bg_sql_self';

COMMENT ON FUNCTION bg.self() IS 'the job that this is; null: it is none';

CREATE FUNCTION bg.cancelled() RETURNS boolean
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pllua_bg_sql_cancelled';

COMMENT ON FUNCTION bg.cancelled() IS 'whether somebody wants the job that this is to be cancelled';

CREATE FUNCTION bg.snooze(delay interval) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pllua_bg_sql_snooze';

COMMENT ON FUNCTION bg.snooze(interval) IS 'has the job that this is run again later; this run counts for nothing';

CREATE FUNCTION bg.discard(why text) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pllua_bg_sql_discard';

COMMENT ON FUNCTION bg.discard(text) IS 'ends the job that this is for good, as discarded';

-- internal functions: of bg.step in Lua
CREATE FUNCTION bg.find_step(name text) RETURNS jsonb
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pllua_bg_sql_find_step';
COMMENT ON FUNCTION bg.find_step(text) IS 'what a step of the job that this is has returned, in an array; null: it is not done';
CREATE FUNCTION bg.keep_step(name text, result jsonb) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pllua_bg_sql_keep_step';
COMMENT ON FUNCTION bg.keep_step(text, jsonb) IS 'keeps that a step of the job that this is, is done';

-- For those who run the server; granted to nobody.

CREATE FUNCTION bg.queue(name text, workers int DEFAULT NULL, paused boolean DEFAULT NULL, keep text DEFAULT NULL) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pllua_bg_sql_queue';

COMMENT ON FUNCTION bg.queue(text, int, boolean, text) IS 'sets how a queue is worked on; null leaves what it was';

CREATE FUNCTION bg.jobs_pause() RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pllua_bg_sql_jobs_pause';

COMMENT ON FUNCTION bg.jobs_pause() IS 'lets no job of this database start';

CREATE FUNCTION bg.jobs_resume() RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pllua_bg_sql_jobs_resume';

COMMENT ON FUNCTION bg.jobs_resume() IS 'lets jobs start again';

CREATE FUNCTION bg.jobs_adopt() RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pllua_bg_sql_jobs_adopt';

COMMENT ON FUNCTION bg.jobs_adopt() IS 'lets jobs run in a copy of the database; their roles are found by name';

-- internal functions: of the scheduler
CREATE FUNCTION bg.jobs_at_home() RETURNS boolean
    LANGUAGE c STABLE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pllua_bg_sql_jobs_at_home';
COMMENT ON FUNCTION bg.jobs_at_home() IS 'whether this is the database that the queue is of, and not a copy of it';
CREATE FUNCTION bg.job_holds(owner oid, owner_name name) RETURNS text
    LANGUAGE sql STABLE PARALLEL UNSAFE
    BEGIN ATOMIC
        SELECT CASE
            WHEN NOT bg.jobs_at_home() THEN 'the queue was copied from another database: see bg.jobs_adopt()'
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
CREATE FUNCTION bg.next_run(every text, after timestamptz, timezone text) RETURNS timestamptz
    LANGUAGE pllua_bg STRICT STABLE PARALLEL UNSAFE AS $lua$
    return pgtype['pg_catalog.timestamptz']{epoch = require('bg_jobs').next(every, after.epoch, timezone)}
$lua$;
COMMENT ON FUNCTION bg.next_run(text, timestamptz, text) IS 'when something that recurs is due after some time';
CREATE FUNCTION bg.run_job(id bigint, attempt int, next_at timestamptz DEFAULT NULL) RETURNS text
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pllua_bg_sql_run_job';
COMMENT ON FUNCTION bg.run_job(bigint, int, timestamptz) IS 'what the scheduler has a session do: a job and its end, in one transaction';
CREATE FUNCTION bg.name_job(id bigint, attempt int) RETURNS text
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pllua_bg_sql_name_job';
COMMENT ON FUNCTION bg.name_job(bigint, int) IS 'what the scheduler has a session do before a job that is in no transaction';
CREATE PROCEDURE bg.run_scheduler() LANGUAGE pllua_bg AS $lua$
    require('bg_jobs').run()
$lua$;
COMMENT ON PROCEDURE bg.run_scheduler() IS 'the scheduler of this database; called by the library itself';

-- Views. What belongs to others is seen by who may read all statistics; before a copy was adopted roles are known by their names only.

-- Two views for one: the server looks at the conditions of a query before it looks at those of a view that is a UNION ALL.

CREATE VIEW bg.jobs_living WITH (security_barrier) AS
    SELECT j.id,
        CASE WHEN s.pid IS NOT NULL THEN 'running'
            WHEN h.reason IS NOT NULL THEN 'held'
            WHEN j.run_at > pg_catalog.now() THEN 'scheduled'
            WHEN p.child IS NOT NULL THEN 'blocked'
            ELSE 'waiting' END AS state,
        CASE WHEN s.pid IS NULL THEN h.reason END AS reason,
        j.queue, j.priority, j.owner::regrole AS owner, j.key, j.sql, j.args, j.options, j.every, j.limit_key, j.limit_n AS "limit",
        p.after, j.run_at, j.attempt + (s.pid IS NOT NULL)::int AS attempt, j.snoozed, j.submitted_at, s.query_start AS started_at, NULL::timestamptz AS ended_at, s.pid,
        s.progress_done, s.progress_total, s.progress_message, NULL::jsonb AS result, NULL::text AS note,
        j.errors -> -1 AS error, j.errors, NULL::bigint AS superseded_by
    FROM bg.job j
        LEFT JOIN bg.job_queue q ON q.name = j.queue
        LEFT JOIN (SELECT a.child, array_agg(a.parent ORDER BY a.parent) AS after FROM bg.job_after a JOIN bg.job l ON l.id = a.parent
            GROUP BY a.child) p ON p.child = j.id
        LEFT JOIN (SELECT w.*, a.query_start FROM bg.sessions w, LATERAL pg_catalog.pg_stat_get_activity(w.pid) a
            WHERE w.state = 'busy' AND w.name LIKE 'job %' AND w.database = pg_catalog.current_database()) s
            ON s.name = 'job ' || j.id AND s.role = j.owner,
        LATERAL (SELECT bg.job_holds(j.owner, j.owner_name) AS of_role OFFSET 0) r, -- once for each role
        LATERAL (SELECT coalesce(r.of_role,
            CASE WHEN (SELECT t.paused FROM bg.job_state t) THEN 'jobs are paused: bg.jobs_resume()' END,
            CASE WHEN q.paused THEN 'the queue is paused' END) AS reason) h
    WHERE (SELECT pg_has_role('pg_read_all_stats', 'USAGE')) OR pg_has_role(CASE WHEN (SELECT bg.jobs_at_home()) THEN j.owner
            ELSE to_regrole(quote_ident(j.owner_name))::oid END, 'USAGE');

CREATE VIEW bg.jobs_ended (
    id, state, reason, queue, priority, owner, key, sql, args, options, every, limit_key, "limit", after, run_at, attempt, snoozed, submitted_at,
    started_at, ended_at, pid, progress_done, progress_total, progress_message, result, note, error, errors, superseded_by)
    WITH (security_barrier) AS
    SELECT d.id, CASE d.state WHEN 'd' THEN 'done' WHEN 'f' THEN 'failed' WHEN 'c' THEN 'cancelled' WHEN 'x' THEN 'discarded' ELSE 'superseded' END,
        NULL::text, d.queue, d.priority, d.owner::regrole, d.key, d.sql, d.args, d.options, d.every, d.limit_key, d.limit_n, NULL::bigint[], d.run_at,
        d.attempt + (d.state IN ('d', 'f', 'x') OR d.started_at IS NOT NULL)::int, d.snoozed, d.submitted_at, d.started_at,
        d.ended_at, d.pid, NULL::float8, NULL::float8, NULL::text, d.result, d.note, d.error, d.errors, d.superseded_by
    FROM bg.job_done d
    WHERE ((SELECT pg_has_role('pg_read_all_stats', 'USAGE')) OR pg_has_role(CASE WHEN (SELECT bg.jobs_at_home()) THEN d.owner
            ELSE to_regrole(quote_ident(d.owner_name))::oid END, 'USAGE'))
        AND NOT EXISTS (SELECT FROM bg.job j WHERE j.id = d.id)
        AND NOT EXISTS (SELECT FROM bg.job_done n WHERE n.id = d.id AND n.ended_at > d.ended_at);

CREATE VIEW bg.jobs WITH (security_barrier) AS SELECT * FROM bg.jobs_living UNION ALL SELECT * FROM bg.jobs_ended;

COMMENT ON VIEW bg.jobs IS 'jobs, each as it is now or as it has ended: own ones, or all for who may read all statistics';

CREATE VIEW bg.job_runs WITH (security_barrier) AS
    SELECT d.id, CASE d.state WHEN 'd' THEN 'done' WHEN 'f' THEN 'failed' WHEN 'c' THEN 'cancelled' WHEN 'x' THEN 'discarded' ELSE 'superseded' END
            AS state,
        d.queue, d.owner::regrole AS owner, d.key, d.sql, d.args,
        d.attempt + (d.state IN ('d', 'f', 'x') OR d.started_at IS NOT NULL)::int AS attempt, d.submitted_at, d.started_at, d.ended_at,
        d.ended_at - d.started_at AS took, d.pid, d.result, d.note, d.error
    FROM bg.job_done d
    WHERE (SELECT pg_has_role('pg_read_all_stats', 'USAGE')) OR pg_has_role(CASE WHEN (SELECT bg.jobs_at_home()) THEN d.owner
            ELSE to_regrole(quote_ident(d.owner_name))::oid END, 'USAGE');

COMMENT ON VIEW bg.job_runs IS 'what is kept of runs that have ended: one row for each job, of a job that recurs one for each run';

-- The rate is that of the last minute, or of the newest 5,000 runs where these are younger.

CREATE VIEW bg.queues WITH (security_barrier) AS
    SELECT coalesce(l.queue, q.name) AS name, coalesce(l.waiting, 0) AS waiting, coalesce(l.scheduled, 0) AS scheduled,
        coalesce(l.blocked, 0) AS blocked, coalesce(l.held, 0) AS held, coalesce(l.running, 0) AS running, l.oldest,
        coalesce(e.rate, 0) AS rate, q.workers, coalesce(q.paused, false) AS paused, q.keep
    FROM (SELECT queue, count(*) FILTER (WHERE state = 'waiting') AS waiting, count(*) FILTER (WHERE state = 'scheduled') AS scheduled,
                count(*) FILTER (WHERE state = 'blocked') AS blocked, count(*) FILTER (WHERE state = 'held') AS held,
                count(*) FILTER (WHERE state = 'running') AS running, min(submitted_at) FILTER (WHERE state = 'waiting') AS oldest
            FROM bg.jobs WHERE ended_at IS NULL GROUP BY queue) l
        FULL JOIN (SELECT name, workers, paused, keep FROM bg.job_queue
            UNION ALL SELECT 'default', NULL, false, NULL WHERE NOT EXISTS (SELECT FROM bg.job_queue WHERE name = 'default')) q ON q.name = l.queue
        LEFT JOIN (SELECT queue, count(*) / CASE WHEN max(n) < 5000 THEN 60
                    ELSE greatest(extract(epoch FROM clock_timestamp() - min(first)), 0.001) END::float8 AS rate
            FROM (SELECT d.*, count(*) OVER () AS n, min(ended_at) OVER () AS first FROM (
                SELECT queue, owner, owner_name, ended_at FROM bg.job_done
                WHERE slot = coalesce((SELECT t.slot FROM bg.job_state t), 0::smallint) ORDER BY id DESC LIMIT 5000) d
                WHERE ended_at > clock_timestamp() - interval '1 minute') d
            WHERE (SELECT pg_has_role('pg_read_all_stats', 'USAGE')) OR pg_has_role(CASE WHEN (SELECT bg.jobs_at_home()) THEN d.owner
                ELSE to_regrole(quote_ident(d.owner_name))::oid END, 'USAGE')
            GROUP BY queue) e ON e.queue = coalesce(l.queue, q.name);

COMMENT ON VIEW bg.queues IS 'queues, and how many jobs of those in bg.jobs are in them';

CREATE FUNCTION bg.job_plan(
    OUT id bigint, OUT queue text, OUT priority smallint, OUT owner regrole, OUT state text, OUT run_at timestamptz, OUT reason text)
    RETURNS SETOF record
    LANGUAGE sql STABLE PARALLEL UNSAFE ROWS 100 SET jit = off
    BEGIN ATOMIC
        WITH living AS MATERIALIZED (SELECT * FROM bg.jobs WHERE ended_at IS NULL),
            running AS (SELECT * FROM living WHERE living.state = 'running'),
            workers AS (SELECT current_setting('pllua_bg.job_workers')::int AS n)
        SELECT j.id, j.queue, j.priority, j.owner, j.state, j.run_at, CASE j.state
            WHEN 'running' THEN 'it runs'
            WHEN 'held' THEN j.reason
            WHEN 'scheduled' THEN CASE WHEN j.attempt > 0 THEN format('attempt %s has failed, and it is tried again at %s', j.attempt, j.run_at)
                ELSE format('its time is %s', j.run_at) END
            WHEN 'blocked' THEN format('after jobs %s', array_to_string(j.after, ', '))
            ELSE coalesce(
                (SELECT format('job %s of the same key runs', min(r.id)) FROM running r
                    WHERE r.owner = j.owner AND r.key = j.key HAVING count(*) > 0),
                (SELECT format('limit: %s of "%s" run', count(*), j.limit_key) FROM running r
                    WHERE r.owner = j.owner AND r.limit_key = j.limit_key HAVING count(*) >= j."limit"),
                (SELECT format('no slot: %s of the %s workers of the queue are busy', q.running, q.workers) FROM bg.queues q
                    WHERE q.name = j.queue AND q.running >= q.workers),
                (SELECT format('no slot: %s of %s workers are busy', count(r.id), w.n) FROM workers w LEFT JOIN running r ON true
                    GROUP BY w.n HAVING count(r.id) >= w.n),
                'it is next') END
        FROM living j
        ORDER BY array_position(array['running', 'waiting', 'scheduled', 'blocked', 'held'], j.state), j.run_at NULLS FIRST, j.priority, j.id;
    END;

COMMENT ON FUNCTION bg.job_plan() IS 'what runs, what is next, and what the other jobs wait for';

-- Default privileges neither give nor take anything: functions are for everybody who may use the schema, but for those that are for the server's
-- administrators, and tables for nobody.

DO LANGUAGE pllua_bg $lua$
    local objects = [[
        with members as (
            select d.classid, d.objid from pg_catalog.pg_depend d
            where d.refclassid operator(pg_catalog.=) 'pg_catalog.pg_extension'::pg_catalog.regclass
                and d.refobjid operator(pg_catalog.=) (select oid from pg_catalog.pg_extension where extname operator(pg_catalog.=) 'pllua_bg_jobs'))
        select 'table ' operator(pg_catalog.||) c.oid::pg_catalog.regclass::pg_catalog.text as name, c.relacl as acl, c.relowner as owner
        from members m join pg_catalog.pg_class c on c.oid operator(pg_catalog.=) m.objid and c.relkind in ('r', 'p', 'S', 'v')
        where m.classid operator(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
        union all
        select 'routine ' operator(pg_catalog.||) p.oid::pg_catalog.regprocedure::pg_catalog.text, p.proacl, p.proowner
        from members m join pg_catalog.pg_proc p on p.oid operator(pg_catalog.=) m.objid
        where m.classid operator(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass]]
    local granted = [[
        select distinct pg_catalog.format('revoke all on %s from %s cascade', o.name,
            case a.grantee when 0 then 'public' else pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) end) as statement
        from (]] .. objects .. [[) o, pg_catalog.aclexplode(o.acl) a where a.grantee operator(pg_catalog.<>) o.owner]]
    for _, row in ipairs(spi.execute(granted)) do spi.execute(row.statement) end
    for _, row in ipairs(spi.execute(objects)) do
        if row.name:find('^routine') then spi.execute('grant execute on ' .. row.name .. ' to public') end
    end
$lua$;

REVOKE EXECUTE ON FUNCTION bg.queue(text, int, boolean, text), bg.jobs_pause(), bg.jobs_resume(), bg.jobs_adopt() FROM PUBLIC;
REVOKE EXECUTE ON PROCEDURE bg.run_scheduler() FROM PUBLIC;

GRANT SELECT ON bg.jobs, bg.job_runs, bg.queues TO PUBLIC;
