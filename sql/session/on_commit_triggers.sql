-- Jobs that triggers register, however deep, and that exception blocks and procedures take back or let go.
\set SHOW_CONTEXT never
CREATE TABLE outcome (what text);
CREATE PROCEDURE wait_for(condition text) LANGUAGE plpgsql AS $$
DECLARE met boolean;
BEGIN
    LOOP
        EXECUTE condition INTO met;
        EXIT WHEN met;
        COMMIT;
    END LOOP;
END $$;
CREATE FUNCTION later(what text) RETURNS void LANGUAGE pllua_bg AS $$ bg.on_commit('insert into outcome values ($1)', what) $$;

-- a trigger that fires a trigger that fires a trigger, each registers
CREATE TABLE level (n int, source text);
CREATE FUNCTION descend() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM later(TG_WHEN || ' ' || TG_LEVEL || ' ' || NEW.n);
    IF NEW.n < 3 THEN INSERT INTO level VALUES (NEW.n + 1, NEW.source); END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER descend BEFORE INSERT ON level FOR EACH ROW EXECUTE FUNCTION descend();
INSERT INTO level VALUES (1, 'a');
CALL wait_for('SELECT count(*) = 3 FROM outcome');
SELECT * FROM outcome ORDER BY what;
TRUNCATE outcome;

-- a constraint trigger that fires at the commit
DROP TRIGGER descend ON level;
CREATE FUNCTION at_the_end() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM later('deferred ' || NEW.n || ', of ' || count(*)) FROM level WHERE source = NEW.source;
    IF NEW.source = 'fails' THEN RAISE 'refused at the commit'; END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER at_the_end AFTER INSERT ON level DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION at_the_end();
BEGIN;
INSERT INTO level VALUES (1, 'b');
INSERT INTO level VALUES (2, 'b');
SELECT count(*) FROM outcome;
COMMIT;
CALL wait_for('SELECT count(*) = 2 FROM outcome');
SELECT * FROM outcome ORDER BY what;
BEGIN;
SELECT later('never: the commit fails');
INSERT INTO level VALUES (1, 'fails');
COMMIT;
BEGIN;
INSERT INTO level VALUES (1, 'c');
SET CONSTRAINTS ALL IMMEDIATE;
SAVEPOINT s;
SET CONSTRAINTS ALL DEFERRED;
INSERT INTO level VALUES (2, 'c');
SET CONSTRAINTS ALL IMMEDIATE;
ROLLBACK TO s;
COMMIT;
CALL wait_for('SELECT count(*) = 3 FROM outcome');

-- exception blocks: what was registered in one that failed is gone, also when it was nested
DO $$
BEGIN
    PERFORM later('outer');
    BEGIN
        PERFORM later('never: its block failed');
        BEGIN
            PERFORM later('never: the block around it failed');
        EXCEPTION WHEN division_by_zero THEN NULL;
        END;
        RAISE 'x';
    EXCEPTION WHEN raise_exception THEN
        PERFORM later('handler');
    END;
    BEGIN
        PERFORM later('inner');
        PERFORM 1 / (SELECT 1);
    EXCEPTION WHEN division_by_zero THEN NULL;
    END;
END $$;
CALL wait_for('SELECT count(*) = 6 FROM outcome');

-- a procedure that commits: each transaction has its own jobs
CREATE PROCEDURE in_parts() LANGUAGE plpgsql AS $$
BEGIN
    PERFORM later('part 1');
    COMMIT;
    PERFORM later('never: part 2 is rolled back');
    ROLLBACK;
    PERFORM later('part 3');
END $$;
CALL in_parts();
CALL wait_for('SELECT count(*) = 8 FROM outcome');

-- savepoints within savepoints, released and rolled back further out
BEGIN;
SAVEPOINT a;
SELECT later('never: released into one that is rolled back');
SAVEPOINT b;
SELECT later('never: the same, deeper');
RELEASE b;
ROLLBACK TO a;
SELECT later('after the rollback');
SAVEPOINT c;
SAVEPOINT d;
SELECT later('released twice');
RELEASE d;
RELEASE c;
COMMIT;
CALL wait_for('SELECT count(*) = 10 FROM outcome');

-- a transaction that reads only has no number of its own; its job runs all the same
BEGIN READ ONLY;
SELECT later('of a transaction that only reads');
COMMIT;
CALL wait_for('SELECT count(*) = 11 FROM outcome');

-- a job may register a job; so may a session
SELECT bg.on_commit('SELECT later(''job of a job'')');
DO LANGUAGE pllua_bg $$ local s <close> = bg.launch() s:exec("select later('job of a session')")
    s:exec('begin') s:exec("select later('never: of a session that rolled back')") s:exec('rollback') $$;
CALL wait_for('SELECT count(*) = 13 FROM outcome');

-- it runs as the one who was effective at the call
CREATE ROLE regress_bg_definer LOGIN;
GRANT USAGE ON SCHEMA bg TO regress_bg_definer;
GRANT INSERT ON outcome TO regress_bg_definer;
CREATE FUNCTION as_definer() RETURNS void LANGUAGE sql SECURITY DEFINER AS
    $$ SELECT bg.on_commit('INSERT INTO outcome SELECT ''as '' || current_user || '' '' || session_user') $$;
ALTER FUNCTION as_definer() OWNER TO regress_bg_definer;
SELECT as_definer();
CALL wait_for('SELECT count(*) = 14 FROM outcome');

-- many
INSERT INTO outcome SELECT NULL FROM (SELECT later('one of many') FROM generate_series(1, 12)) x;
DELETE FROM outcome WHERE what IS NULL;
CALL wait_for('SELECT count(*) = 26 FROM outcome');

-- two-phase commit is refused, in whatever way the job was registered
BEGIN;
INSERT INTO level VALUES (9, 'd');
PREPARE TRANSACTION 'regress_bg_jobs';
SELECT count(*) FROM pg_prepared_xacts;
CALL wait_for('SELECT NOT EXISTS (SELECT FROM pg_stat_activity, pg_stat_clear_snapshot() WHERE backend_type = ''pllua_bg session'')');
SELECT what, count(*) FROM outcome GROUP BY what ORDER BY what COLLATE "C";
SELECT count(*) FROM level WHERE n = 9;
DROP FUNCTION as_definer(), later(text);
DROP TABLE level, outcome;
DROP FUNCTION descend(), at_the_end();
DROP PROCEDURE in_parts(), wait_for(text);
DROP OWNED BY regress_bg_definer;
DROP ROLE regress_bg_definer;
