-- Waiting for a session that waits for a lock of ours is a deadlock, not a hang.
\set SHOW_CONTEXT never
CREATE TABLE locked (i int);
INSERT INTO locked VALUES (1);
SET deadlock_timeout = '50ms';
CREATE FUNCTION outcome(pid int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE result text;
BEGIN
    SELECT x INTO result FROM bg.result(pid) AS (x text);
    RETURN result;
EXCEPTION WHEN deadlock_detected THEN
    RETURN sqlstate || ' ' || sqlerrm;
END $$;
SELECT bg.launch() AS pid \gset

-- a relation lock
BEGIN;
LOCK TABLE locked;
SELECT bg.run(:pid, 'SELECT count(*)::text FROM locked');
SELECT outcome(:pid);
ROLLBACK;

-- a row lock taken in a subtransaction
BEGIN;
SAVEPOINT s;
UPDATE locked SET i = 2;
SELECT bg.run(:pid, 'UPDATE locked SET i = 3');
SELECT outcome(:pid);
ROLLBACK;

-- through another session of ours
SELECT bg.launch() AS other \gset
SELECT bg.run(:other, 'BEGIN; LOCK TABLE locked IN SHARE MODE');
SELECT bg.wait(:other);
BEGIN;
SELECT pg_advisory_xact_lock(1);
SELECT bg.run(:other, 'SELECT pg_advisory_lock(1)');
SELECT bg.run(:pid, 'UPDATE locked SET i = 4');
SELECT outcome(:pid) = '40P01 deadlock detected' OR outcome(:other) = '40P01 deadlock detected' AS detected;
ROLLBACK;
SELECT bg.close(:other);

-- a lock of somebody else is only waited for
SELECT bg.wait(:pid);
-- it does not look whether we wait for it
SELECT bg.launch(settings => array['deadlock_timeout=1h']) AS other \gset
SELECT bg.run(:other, 'BEGIN; LOCK TABLE locked');
SELECT bg.wait(:other);
SELECT bg.run(:pid, 'SELECT ''in'' FROM locked');
BEGIN;
SELECT bg.wait(:pid, 0.2);
SELECT bg.run(:other, 'COMMIT');
SELECT outcome(:pid);
COMMIT;
SELECT bg.close(:other);

-- the other way round: we wait for our own idle session
SELECT bg.run(:pid, 'BEGIN; LOCK TABLE locked');
SELECT bg.wait(:pid);
SELECT count(*) FROM locked;
SELECT bg.run(:pid, 'SELECT ''refused''');
SELECT outcome(:pid);
SELECT bg.run(:pid, 'ROLLBACK');
SELECT * FROM bg.result(:pid) AS (tag text);

-- CREATE INDEX CONCURRENTLY waits for the transaction that waits for it
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) FROM locked;
SELECT bg.run(:pid, 'CREATE INDEX CONCURRENTLY locked_j ON locked (i)');
SELECT outcome(:pid);
ROLLBACK;

-- advisory locks of the command do not touch the detection
SELECT bg.run(:pid, 'SELECT pg_advisory_lock(5); SELECT pg_advisory_unlock_all(); SELECT ''done''');
SELECT * FROM bg.result(:pid) AS (x text);
SELECT count(*) FROM pg_locks WHERE pid = :pid AND locktype = 'advisory';
SELECT bg.close(:pid);
DROP FUNCTION outcome(int);
DROP TABLE locked;

-- a worker waits while it connects
SET pllua_bg.pool_size = 0;
CREATE FUNCTION outcome_of_start() RETURNS text LANGUAGE pllua_bg AS $$
    local s <close> = bg.launch()
    local ok, r = pcall(s.exec, s, 'select 1')
    return ok and 'started' or table.concat({r.sqlstate, r.message, r.detail}, ' | ')
$$;
SET statement_timeout = '60s';
BEGIN;
LOCK TABLE pg_catalog.pg_authid;
SELECT outcome_of_start();
ROLLBACK;
BEGIN;
LOCK TABLE pg_catalog.pg_db_role_setting;
SELECT outcome_of_start();
ROLLBACK;
-- what a worker only reads does not make it wait
BEGIN;
ALTER DATABASE contrib_regression SET work_mem = '6MB';
SELECT outcome_of_start();
ROLLBACK;
DROP FUNCTION outcome_of_start();
RESET statement_timeout;
RESET pllua_bg.pool_size;
