-- Jobs that start when their transaction commits.
\set SHOW_CONTEXT never
CREATE TABLE jobs_done (what text, seen bigint);
CREATE PROCEDURE wait_for(condition text) LANGUAGE plpgsql AS $$
DECLARE met boolean;
BEGIN
    LOOP
        EXECUTE condition INTO met;
        EXIT WHEN met;
        COMMIT;
    END LOOP;
END $$;
-- it sees what the transaction did
BEGIN;
INSERT INTO jobs_done VALUES ('launcher', 0);
SELECT bg.on_commit('INSERT INTO jobs_done SELECT ''job'', count(*) FROM jobs_done');
COMMIT;
CALL wait_for('SELECT count(*) = 2 FROM jobs_done');
SELECT * FROM jobs_done;
-- rolled back, as a whole or in part
BEGIN;
SELECT bg.on_commit('INSERT INTO jobs_done VALUES (''never'')');
ROLLBACK;
BEGIN;
SAVEPOINT a;
SELECT bg.on_commit('INSERT INTO jobs_done VALUES (''never'')');
ROLLBACK TO a;
SELECT bg.on_commit('INSERT INTO jobs_done VALUES ($1, $2)', 'params', 5);
SAVEPOINT b;
SELECT bg.on_commit('INSERT INTO jobs_done VALUES ($1)', 'in a released savepoint');
RELEASE b;
COMMIT;
CALL wait_for('SELECT count(*) = 4 FROM jobs_done');
SELECT * FROM jobs_done ORDER BY what;
-- a transaction that fails while it commits
CREATE TABLE late (i int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED);
BEGIN;
SELECT bg.on_commit('INSERT INTO jobs_done VALUES (''never'')');
INSERT INTO late VALUES (1), (1);
COMMIT;
-- no prepared transactions
BEGIN;
SELECT bg.on_commit('INSERT INTO jobs_done VALUES (''never'')');
PREPARE TRANSACTION 'with_job';
-- no free slot: the transaction fails, and none of its jobs runs
CREATE PROCEDURE take_slots() LANGUAGE pllua_bg AS $$
    for _, s in ipairs(bg.sessions()) do s:close() end
    held = {} -- so that nobody collects them
    local ok, e
    repeat ok, e = pcall(bg.launch, {wait = 0}) held[#held + 1] = e until not ok
    assert(e.sqlstate == '53000', e)
$$;
SET pllua_bg.max_sessions = 1000;
CALL take_slots();
BEGIN;
SET LOCAL pllua_bg.launch_wait = 0;
SELECT bg.on_commit('INSERT INTO jobs_done VALUES (''never'')');
COMMIT;
DO LANGUAGE pllua_bg $$ for _, s in ipairs(bg.sessions()) do s:close() end held = nil $$;
RESET pllua_bg.max_sessions;
DROP PROCEDURE take_slots;
-- outside of a block the statement is the transaction; settings go along
SET search_path = pg_catalog;
SET application_name = 'ignored';
SET pllua_bg.launch_wait = '5min'; -- until the workers of the jobs above are gone
SET myapp.note = 'carried';
SELECT bg.on_commit('INSERT INTO public.jobs_done VALUES (current_setting(''search_path'') || '' '' || current_setting(''myapp.note''))');
RESET search_path;
CALL wait_for('SELECT count(*) = 5 FROM jobs_done');
RESET pllua_bg.launch_wait;
-- a job that fails only writes to the log
SELECT bg.on_commit('SELECT 1 / 0');
SELECT bg.on_commit('INSERT INTO jobs_done VALUES (''last'')');
CALL wait_for('SELECT count(*) = 6 FROM jobs_done');
CALL wait_for('SELECT NOT EXISTS (SELECT FROM pg_stat_activity, pg_stat_clear_snapshot() WHERE backend_type = ''pllua_bg session'')');
SELECT * FROM jobs_done ORDER BY what COLLATE "C";
DROP PROCEDURE wait_for;
DROP TABLE jobs_done, late;
