-- All work of one transaction and role is done by one session, in order, each command a transaction of its own.
\set SHOW_CONTEXT never
CREATE TABLE queue_log (n int GENERATED ALWAYS AS IDENTITY, what text, pid int DEFAULT pg_backend_pid());
CREATE FUNCTION wait_for(condition text) RETURNS void LANGUAGE pllua_bg AS $$
    while not spi.execute('select (' .. condition .. ') as met')[1].met do bg.sleep(0.01) end
$$;
CREATE FUNCTION later(what text) RETURNS void LANGUAGE pllua_bg AS $$ bg.on_commit('insert into queue_log(what) values ($1)', what) $$;
CREATE FUNCTION seen() RETURNS TABLE (whats text, pids bigint) LANGUAGE sql AS
    $$ SELECT string_agg(what, ' ' ORDER BY n), count(DISTINCT pid) FROM queue_log $$;

-- a row trigger over many rows, with more than the queue takes
CREATE TABLE queued (id int);
CREATE FUNCTION after_row() RETURNS trigger LANGUAGE pllua_bg AS $$ bg.on_commit('insert into queue_log(what) values ($1)', trigger.new.id) $$;
CREATE TRIGGER after_row AFTER INSERT ON queued FOR EACH ROW EXECUTE FUNCTION after_row();
INSERT INTO queued SELECT generate_series(1, 1000);
SELECT wait_for('(select count(*) = 1000 from queue_log)');
SELECT bool_and(n = what::int) AS in_order, count(DISTINCT pid) AS sessions FROM queue_log;
TRUNCATE queue_log RESTART IDENTITY;

-- an error stops neither what follows nor the session; a transaction that is left open is rolled back
BEGIN;
SELECT later('first');
SELECT bg.on_commit('insert into queue_log(what) values (''never''); select 1/0');
SELECT later('after an error');
SELECT bg.on_commit('begin; insert into queue_log(what) values (''never: left open'')');
SELECT later('after an open transaction');
SELECT bg.on_commit('begin; select 1/0');
SELECT later('last');
COMMIT;
SELECT wait_for($$(select count(*) = 1 from queue_log where what = 'last')$$);
SELECT * FROM seen();

-- errors are counted
CREATE TEMP TABLE before AS SELECT errors FROM bg.stat;
SELECT bg.on_commit('select 1/0');
SELECT wait_for('(select s.errors > b.errors from bg.stat s, before b)');

-- settings are those of each call
TRUNCATE queue_log;
BEGIN;
SET LOCAL my.note = 'a';
SELECT bg.on_commit($$insert into queue_log(what) values (current_setting('my.note', true))$$);
SELECT bg.on_commit($$insert into queue_log(what) values (current_setting('my.note', true))$$);
SET LOCAL my.note = 'b';
SELECT bg.on_commit($$insert into queue_log(what) values (current_setting('my.note', true))$$);
SAVEPOINT s;
SET LOCAL my.note = 'never';
SELECT bg.on_commit($$insert into queue_log(what) values (current_setting('my.note', true))$$);
ROLLBACK TO s;
SET LOCAL my.note = 'c';
SELECT bg.on_commit($$insert into queue_log(what) values (current_setting('my.note', true))$$);
SELECT later('end');
COMMIT;
SELECT wait_for($$(select count(*) = 1 from queue_log where what = 'end')$$);
SELECT * FROM seen();

-- nothing of the work of one transaction is there in that of the next
TRUNCATE queue_log;
BEGIN;
SELECT bg.on_commit('create temp table scratch as select 42 as answer');
SELECT bg.on_commit('set my.note = ''left''; prepare p as select 1; select pg_advisory_lock(4711)');
SELECT bg.on_commit('insert into queue_log(what) select answer from scratch');
COMMIT;
BEGIN;
SELECT bg.on_commit($$insert into queue_log(what)
    select format('%s tables, %s, %s statements, %s locks', (select count(*) from pg_class where relname = 'scratch' and pg_table_is_visible(oid)),
        coalesce(nullif(current_setting('my.note', true), ''), 'no note'), (select count(*) from pg_prepared_statements),
        (select count(*) from pg_locks where locktype = 'advisory' and objid = 4711))$$);
SELECT later('end');
COMMIT;
SELECT wait_for($$(select count(*) = 1 from queue_log where what = 'end')$$);
SELECT * FROM seen();

-- two roles in one transaction: a session each
TRUNCATE queue_log;
CREATE ROLE regress_bg_queue LOGIN;
GRANT USAGE ON SCHEMA bg TO regress_bg_queue;
GRANT INSERT ON queue_log TO regress_bg_queue;
BEGIN;
SELECT later('of the superuser');
SET LOCAL ROLE regress_bg_queue;
SELECT bg.on_commit('insert into queue_log(what) values (current_user)');
RESET ROLE;
SELECT later('of the superuser, too');
SET LOCAL ROLE regress_bg_queue;
SELECT bg.on_commit('insert into queue_log(what) values (current_user || '' again'')');
COMMIT;
SELECT wait_for('(select count(*) = 4 from queue_log)');
SELECT string_agg(what, ', ' ORDER BY n) FROM queue_log GROUP BY pid ORDER BY 1;

-- what a command sets is not there for the next one, be its settings those of the one before or others
TRUNCATE queue_log;
BEGIN;
SELECT bg.on_commit('set default_transaction_read_only = on; set my.note = ''left''; set role regress_bg_queue');
SELECT bg.on_commit($$insert into queue_log(what) values (format('%s %s', current_user = $1, current_setting('my.note', true)))$$, current_user::text);
SELECT bg.on_commit('set session authorization regress_bg_queue; set search_path = pg_catalog');
SET LOCAL my.note = 'own';
SELECT bg.on_commit($$insert into queue_log(what) values (format('%s %s %s', current_user = $1, session_user = $1, current_setting('my.note', true)))$$, current_user::text);
SELECT bg.on_commit('set my.note = ''left''; select 1/0');
SELECT bg.on_commit($$insert into queue_log(what) values (current_setting('my.note', true))$$);
COMMIT;
SELECT wait_for('(select count(*) = 3 from queue_log)');
SELECT what FROM queue_log ORDER BY n;

-- a role that is altered again and again while its work waits: its sessions are no more than a backend may have
TRUNCATE queue_log;
SET pllua_bg.max_sessions = 2;
SET pllua_bg.launch_wait = 0;
SELECT pg_advisory_lock(4713);
SET ROLE regress_bg_queue;
SELECT bg.on_commit('select pg_advisory_lock_shared(4713)');
RESET ROLE; ALTER ROLE regress_bg_queue PASSWORD NULL; SET ROLE regress_bg_queue;
SELECT bg.on_commit('select pg_advisory_lock_shared(4713)');
RESET ROLE; ALTER ROLE regress_bg_queue PASSWORD NULL; SET ROLE regress_bg_queue;
SELECT bg.on_commit('insert into queue_log(what) values (''never'')');
RESET ROLE;
SELECT pg_advisory_unlock(4713);
RESET pllua_bg.launch_wait;
SET ROLE regress_bg_queue;
SELECT bg.on_commit('insert into queue_log(what) values (''then there is room'')');
RESET ROLE;
RESET pllua_bg.max_sessions;
SELECT wait_for('(select count(*) = 1 from queue_log)');
SELECT what FROM queue_log;

-- a role that the transaction itself makes
TRUNCATE queue_log;
BEGIN;
CREATE ROLE regress_bg_queue_late LOGIN;
GRANT USAGE ON SCHEMA bg TO regress_bg_queue_late;
GRANT INSERT ON queue_log TO regress_bg_queue_late;
SET LOCAL ROLE regress_bg_queue_late;
SELECT bg.on_commit('insert into queue_log(what) values (current_user)');
COMMIT;
SELECT wait_for('(select count(*) = 1 from queue_log)');
SELECT what FROM queue_log;

-- while one is busy, the work of other transactions waits for it: no other slot is taken, and what they roll back is not done
TRUNCATE queue_log;
BEGIN;
SELECT pg_advisory_lock(4712);
SELECT bg.on_commit('select pg_advisory_xact_lock(4712)');
SELECT later('behind the lock');
COMMIT;
DO $$
BEGIN
    FOR i IN 1 .. 60 LOOP
        PERFORM later(i::text);
        IF i % 10 = 5 THEN ROLLBACK; ELSE COMMIT; END IF;
    END LOOP;
END $$;
INSERT INTO queued SELECT generate_series(1001, 1400);
SELECT count(*) FROM queue_log;
SELECT pg_advisory_unlock(4712);
SELECT later('end');
SELECT wait_for($$(select count(*) = 1 from queue_log where what = 'end')$$);
SELECT string_agg(what, ' ' ORDER BY n) FILTER (WHERE what::text !~ '^1...$') AS whats, count(*), count(DISTINCT pid) AS sessions FROM queue_log;
SELECT bool_and(what::int = 1001 + place) FROM (SELECT what, row_number() OVER (ORDER BY n) - 1 AS place FROM queue_log WHERE what ~ '^1...$') x;

-- the worker is one of the pool where it can be, and goes back to it
TRUNCATE queue_log;
DO LANGUAGE pllua_bg $$
    local s <close> = bg.launch()
    s:exec('insert into queue_log(what) values ($1)', 'session')
$$;
SELECT later('after the commit');
SELECT wait_for($$(select count(*) = 2 from queue_log)$$);
SELECT wait_for($$(select count(*) = 0 from pg_stat_activity where application_name = 'on_commit')$$);
DO LANGUAGE pllua_bg $$
    local s <close> = bg.launch()
    s:exec('insert into queue_log(what) values ($1)', 'session')
$$;
SELECT * FROM seen();

-- while it works it has a name
TRUNCATE queue_log;
SELECT bg.on_commit($$insert into queue_log(what) select current_setting('application_name') || ' ' || backend_type from pg_stat_activity where pid = pg_backend_pid()$$);
SELECT wait_for($$(select count(*) = 1 from queue_log)$$);
SELECT what FROM queue_log;

-- rows, messages and COPY of the work go nowhere
SELECT bg.on_commit('select generate_series(1, 100000)');
SELECT bg.on_commit('copy (select generate_series(1, 1000)) to stdout');
SELECT bg.on_commit($$do 'begin raise notice ''to nobody''; end'$$);
SELECT later('end');
SELECT wait_for($$(select count(*) = 1 from queue_log where what = 'end')$$);

DROP TABLE queued, queue_log;
DROP FUNCTION wait_for(text), later(text), seen(), after_row();
REVOKE USAGE ON SCHEMA bg FROM regress_bg_queue, regress_bg_queue_late;
DROP ROLE regress_bg_queue, regress_bg_queue_late;
