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

-- waits that could never end
create table lk (i int primary key, v int);
insert into lk values (1, 0), (2, 0);
create table big as select g, repeat('x', 1000) as t from generate_series(1, 20000) g;
set deadlock_timeout = '200ms';
set statement_timeout = '60s';
-- a session waits for another, idle session of the same launcher
do language pllua_bg $$
    local idle <close> = bg.launch()
    local other <close> = bg.launch()
    idle:begin()
    idle:exec('update lk set v = 1 where i = 1')
    print(other:exec('update lk set v = 2 where i = 1').tag)
    local ok, e = pcall(idle.exec, idle, 'commit')
    print(ok, e.sqlstate)
$$;
-- the launcher waits for a session that waits for an idle one
do language pllua_bg $$
    local idle <close> = bg.launch()
    local busy <close> = bg.launch()
    idle:begin()
    idle:exec('update lk set v = 1 where i = 1')
    busy:begin()
    busy:exec('update lk set v = 1 where i = 2')
    local waiting = busy:run('update lk set v = 2 where i = 1')
    while not spi.execute("select count(*) = 1 as ok from pg_stat_activity where wait_event_type = 'Lock'")[1].ok do end
    busy:run('commit')
    print(spi.execute('update lk set v = 3 where i = 2'))
    print(waiting:get().tag)
    local ok, e = pcall(idle.exec, idle, 'commit')
    print(ok, e.sqlstate)
$$;
-- the launcher does not read on, because it waits for a lock of the statement it reads from
do language pllua_bg $$
    local s <close> = bg.launch{queue_size = '16kB'}
    local n = 0
    local ok, e = pcall(function()
        for r in s:rows('update big set t = t || 1 returning *') do
            n = n + 1
            if n == 1 then spi.execute('update big set t = 1 where g = 1') end
        end
    end)
    print(ok, e.sqlstate)
    print(s:exec('select 1').value)
$$;
table lk order by i;
drop table lk, big;
