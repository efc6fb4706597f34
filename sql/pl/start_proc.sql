-- A function that runs when an interpreter starts.
\c -
CREATE SCHEMA pl_start_proc;
CREATE FUNCTION pl_start_proc.first() RETURNS void LANGUAGE pllua_bg AS $$
  _G.started = (started or 0) + 1
  print('started', spi.execute('SELECT current_user::text').value == spi.execute('SELECT session_user::text').value, common)
$$;
CREATE FUNCTION pl_start_proc.first_untrusted() RETURNS void LANGUAGE pllua_bgu AS $$ _G.started = 'untrusted' print(started) $$;
CREATE FUNCTION pl_start_proc.works() RETURNS text LANGUAGE pllua_bg AS $$ return 'works ' .. tostring(started) $$;
\c -
SET pllua_bg.on_common_init = 'common = "after the code"';
SET pllua_bg.start_proc = 'pl_start_proc.first';
SET pllua_bg.untrusted_start_proc = 'pl_start_proc.first_untrusted';
SELECT pl_start_proc.works();
SELECT pl_start_proc.works();
DO LANGUAGE pllua_bg $$ print(started) $$;
DO LANGUAGE pllua_bgu $$ print(started) $$;

-- as each role, which may be refused
CREATE ROLE regress_pl_start_proc;
GRANT USAGE ON SCHEMA pl_start_proc TO regress_pl_start_proc;
REVOKE EXECUTE ON FUNCTION pl_start_proc.first() FROM PUBLIC;
SET ROLE regress_pl_start_proc;
SELECT pl_start_proc.works();
RESET ROLE;
GRANT EXECUTE ON FUNCTION pl_start_proc.first() TO regress_pl_start_proc;
SET ROLE regress_pl_start_proc;
SELECT pl_start_proc.works();
SET pllua_bg.start_proc = 'x';
SET pllua_bg.untrusted_start_proc = 'x';
RESET ROLE;
-- in a function of another user
\c -
SET pllua_bg.start_proc = 'pl_start_proc.first';
CREATE FUNCTION pl_start_proc.definer() RETURNS text LANGUAGE pllua_bg SECURITY DEFINER AS $$ return 'definer ' .. tostring(started) $$;
ALTER FUNCTION pl_start_proc.definer() OWNER TO regress_pl_start_proc;
SELECT pl_start_proc.definer();

-- when it fails, so does every call, until it succeeds; functions can be created meanwhile
\c -
SET pllua_bg.start_proc = 'pl_start_proc.bad';
SELECT pl_start_proc.works();
CREATE TABLE pl_start_proc.tries (n int);
CREATE FUNCTION pl_start_proc.bad() RETURNS int LANGUAGE pllua_bg AS $$
  spi.execute('INSERT INTO pl_start_proc.tries VALUES (1)')
  return 1 / 0 + nil
$$;
SELECT pl_start_proc.works();
DO LANGUAGE pllua_bg $$ $$;
CREATE OR REPLACE FUNCTION pl_start_proc.bad() RETURNS int LANGUAGE pllua_bg AS $$
  spi.execute('INSERT INTO pl_start_proc.tries VALUES (2)')
$$;
BEGIN;
SELECT pl_start_proc.works();
ROLLBACK;
SELECT pl_start_proc.works();
SELECT * FROM pl_start_proc.tries;

-- what may not be one
CREATE FUNCTION pl_start_proc.sql() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION pl_start_proc.set() RETURNS SETOF int LANGUAGE pllua_bg AS $$ return 1 $$;
CREATE FUNCTION pl_start_proc.with_argument(int) RETURNS int LANGUAGE pllua_bg AS $$ return 1 $$;
CREATE FUNCTION pl_start_proc.trigger() RETURNS trigger LANGUAGE pllua_bg AS $$ return 1 $$;
CREATE FUNCTION pl_start_proc.commits() RETURNS int LANGUAGE pllua_bg AS $$ spi.commit() $$;
\c -
SET pllua_bg.start_proc = 'pl_start_proc.sql';
SELECT pl_start_proc.works();
SET pllua_bg.start_proc = 'pl_start_proc.definer';
SELECT pl_start_proc.works();
SET pllua_bg.start_proc = 'pl_start_proc.first_untrusted';
SELECT pl_start_proc.works();
SET pllua_bg.start_proc = 'pl_start_proc.set';
SELECT pl_start_proc.works();
SET pllua_bg.start_proc = 'pl_start_proc.with_argument';
SELECT pl_start_proc.works();
SET pllua_bg.start_proc = 'pl_start_proc.trigger';
SELECT pl_start_proc.works();
SET pllua_bg.start_proc = 'pl_start_proc.commits';
DO LANGUAGE pllua_bg $$ $$;
SET pllua_bg.start_proc = 'a b';
SELECT pl_start_proc.works();
SET pllua_bg.start_proc = '';
SELECT pl_start_proc.works();
\c -
SET client_min_messages = warning;
DROP SCHEMA pl_start_proc CASCADE;
DROP ROLE regress_pl_start_proc;
