-- cancel hits the running command and no other.
SET pllua_bg.pool_size = 0;
\set SHOW_CONTEXT never
SELECT bg.launch() AS pid \gset
SELECT bg.run(:pid, 'SELECT pg_sleep(600)'); -- workload
SELECT bg.run(:pid, 'SELECT 2');
SELECT bg.cancel(:pid);
SELECT * FROM bg.result(:pid) AS (i int);
SELECT * FROM bg.result(:pid) AS (i int);
-- nothing to cancel: nothing happens, to the next command neither
SELECT bg.cancel(:pid);
SELECT pg_cancel_backend(:pid);
SELECT bg.run(:pid, 'SELECT 3');
SELECT * FROM bg.result(:pid) AS (i int);
-- the server's own way
SELECT bg.run(:pid, 'SELECT pg_cancel_backend(pg_backend_pid()), pg_sleep(600)'); -- workload
SELECT * FROM bg.result(:pid) AS (a boolean, b text);
-- a wait can time out; the command goes on
SELECT bg.run(:pid, 'SELECT pg_sleep(600)'); -- workload
SELECT bg.wait(:pid, 0.01);
SELECT * FROM bg.result(:pid, 0.01) AS (x text);
SELECT state, queued FROM bg.backend_sessions();
SELECT bg.cancel(:pid);
SELECT * FROM bg.result(:pid) AS (x text);
-- a timeout of the waiting session ends its wait
SET statement_timeout = 100;
SELECT bg.run(:pid, 'SELECT pg_sleep(600)'); -- workload
SELECT bg.wait(:pid);
RESET statement_timeout;
-- closing does not wait for a command that catches its cancellation
SELECT bg.close(:pid);
SELECT bg.launch() AS pid \gset
SELECT bg.run(:pid, 'DO $$ BEGIN LOOP BEGIN PERFORM pg_sleep(600); EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; END $$'); -- workload
SELECT bg.wait(:pid, 0.05);
SELECT bg.close(:pid);
DO $$
BEGIN
    LOOP
        PERFORM pg_stat_clear_snapshot();
        EXIT WHEN NOT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'pllua_bg session');
    END LOOP;
END $$;
SELECT count(*) FROM bg.backend_sessions();
