-- Who a session is: the effective user of its launch, and never anybody above.
\set SHOW_CONTEXT never
CREATE ROLE regress_bg_low LOGIN;
CREATE ROLE regress_bg_other LOGIN;
CREATE SCHEMA regress_bg;
GRANT ALL ON SCHEMA regress_bg TO PUBLIC;
-- USAGE on schema bg is the right to have sessions
SET ROLE regress_bg_low;
SELECT bg.launch();
RESET ROLE;
CREATE FUNCTION regress_bg.start() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT bg.launch()';
GRANT USAGE ON SCHEMA bg TO regress_bg_low;
ALTER FUNCTION regress_bg.start() OWNER TO regress_bg_low;
CREATE TABLE regress_bg.seen (step serial, who name, session name, super text);
GRANT ALL ON ALL TABLES IN SCHEMA regress_bg TO PUBLIC;
GRANT ALL ON ALL SEQUENCES IN SCHEMA regress_bg TO PUBLIC;
-- a superuser calls a function of an ordinary role
SELECT regress_bg.start() AS pid \gset
SELECT bg.run(:pid, 'SET search_path = regress_bg');
SELECT bg.run(:pid, 'CREATE FUNCTION look() RETURNS void LANGUAGE sql AS
    $$ INSERT INTO regress_bg.seen (who, session, super) VALUES (current_user, session_user, current_setting(''is_superuser'')) $$');
SELECT bg.run(:pid, 'CREATE PROCEDURE twist() LANGUAGE plpgsql AS
    $$ BEGIN PERFORM look(); ROLLBACK; PERFORM look(); COMMIT; PERFORM look(); END $$');
SELECT bg.run(:pid, 'SELECT look()');
SELECT bg.run(:pid, 'CALL twist()');
SELECT bg.run(:pid, 'RESET ROLE; SELECT look()');
SELECT bg.run(:pid, 'SET SESSION AUTHORIZATION DEFAULT; SELECT look()');
SELECT bg.run(:pid, 'BEGIN; SELECT 1/0; ROLLBACK');
SELECT bg.run(:pid, 'ROLLBACK');
SELECT bg.run(:pid, 'SELECT look()');
SELECT bg.run(:pid, 'DISCARD ALL');
SELECT bg.run(:pid, 'SELECT regress_bg.look()');
SELECT bg.wait(:pid);
SELECT DISTINCT who, session, super FROM regress_bg.seen;
SELECT count(*) FROM regress_bg.seen;
SELECT bg.run(:pid, format('SET SESSION AUTHORIZATION %I', current_user));
SELECT count(*) FROM bg.result(:pid) AS (tag text);
SELECT bg.run(:pid, 'ALTER ROLE regress_bg_low SUPERUSER');
\set VERBOSITY sqlstate
SELECT count(*) FROM bg.result(:pid) AS (tag text);
\set VERBOSITY default
-- a handle is not for others
GRANT USAGE ON SCHEMA bg TO regress_bg_other;
SET ROLE regress_bg_other;
SELECT bg.run(:pid, 'SELECT 1');
SELECT bg.close(:pid);
RESET ROLE;
SELECT bg.close(:pid);
-- security-restricted operations
CREATE FUNCTION regress_bg.sneak() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN bg.launch(); END $$;
CREATE MATERIALIZED VIEW regress_bg.view AS SELECT regress_bg.sneak();
-- no right to connect: told when the session is used
SELECT current_database() AS db \gset
REVOKE CONNECT ON DATABASE :"db" FROM PUBLIC;
SET ROLE regress_bg_other;
SELECT bg.launch() AS pid \gset
DO $$
BEGIN
    LOOP
        EXIT WHEN EXISTS (SELECT FROM bg.backend_sessions() WHERE state = 'gone');
    END LOOP;
END $$;
SELECT regexp_replace(error, '".*"', 'DB') FROM bg.backend_sessions();
SELECT bg.close(:pid);
RESET ROLE;
GRANT CONNECT ON DATABASE :"db" TO PUBLIC;
\set VERBOSITY terse
DROP SCHEMA regress_bg CASCADE;
\set VERBOSITY default
DROP OWNED BY regress_bg_low, regress_bg_other;
DROP ROLE regress_bg_low, regress_bg_other;
