-- What an administrator has fixed for whoever logs in holds in his sessions, whatever role they run as.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE ROLE regress_fixed_app LOGIN;
CREATE ROLE regress_fixed_bob LOGIN;
CREATE ROLE regress_fixed_root SUPERUSER LOGIN;
CREATE ROLE regress_fixed_other;
GRANT regress_fixed_app TO regress_fixed_bob;
GRANT regress_fixed_other TO regress_fixed_app;
GRANT USAGE ON SCHEMA bg TO regress_fixed_app, regress_fixed_bob;
SELECT current_user AS owner, current_database() AS database \gset
-- for the role, for the database, for the role in the database
ALTER ROLE regress_fixed_bob SET log_statement = 'ddl';
ALTER ROLE regress_fixed_bob SET temp_file_limit = '1MB';
ALTER ROLE regress_fixed_bob SET work_mem = '64kB';
ALTER ROLE regress_fixed_bob SET statement_timeout = '1h';
ALTER ROLE regress_fixed_bob SET session_preload_libraries = 'auto_explain';
ALTER ROLE regress_fixed_bob SET auto_explain.log_min_duration = '1d';
ALTER ROLE regress_fixed_bob SET fixed.audit = 'all';
ALTER ROLE regress_fixed_bob IN DATABASE :database SET log_parameter_max_length = 77;
ALTER DATABASE :database SET track_functions = 'pl';
ALTER DATABASE :database SET lo_compat_privileges = off;
-- what is fixed for the role of the session is for its own connections
ALTER ROLE regress_fixed_app SET log_statement = 'none';
ALTER ROLE regress_fixed_app SET temp_file_limit = '77GB';
ALTER ROLE regress_fixed_app SET track_functions = 'none';
ALTER ROLE regress_fixed_app SET auto_explain.log_min_duration = -1;
ALTER ROLE regress_fixed_app SET fixed.audit = 'none';
ALTER ROLE regress_fixed_app SET log_error_verbosity = 'terse';
ALTER ROLE regress_fixed_app SET lo_compat_privileges = on;
ALTER ROLE regress_fixed_app SET role = 'regress_fixed_other';
ALTER ROLE regress_fixed_app SET work_mem = '77MB';
-- all settings that not everybody may set, and one of a library that is not there
CREATE FUNCTION public.fixed() RETURNS TABLE (name text, value text) LANGUAGE sql AS $$
    SELECT name, setting || ', ' || source || ', ' || reset_val FROM pg_catalog.pg_settings
    WHERE context IN ('superuser', 'superuser-backend', 'backend') AND name !~ '^plpgsql'
    UNION ALL SELECT 'fixed.audit', current_setting('fixed.audit', true)
$$;
CREATE TABLE public.there (name text, value text);
GRANT ALL ON public.there TO PUBLIC;
-- those that were another in the session that has filled the table
CREATE FUNCTION public.others() RETURNS TABLE (name text, here text, there text) LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT count(*) FROM public.there) < 50 THEN RAISE 'no session has been here'; END IF;
    RETURN QUERY SELECT h.name, h.value, t.value FROM public.fixed() h LEFT JOIN public.there t ON t.name = h.name WHERE h.value IS DISTINCT FROM t.value ORDER BY 1;
    DELETE FROM public.there;
END $$;
CREATE FUNCTION public.look() RETURNS int LANGUAGE pllua_bg AS $$
    return bg.autonomous('insert into public.there select * from public.fixed() returning 1')[1][1]
$$;
CREATE FUNCTION public.look_as_app() RETURNS int LANGUAGE pllua_bg SECURITY DEFINER AS $$
    return bg.autonomous('insert into public.there select * from public.fixed() returning 1')[1][1]
$$;
ALTER FUNCTION public.look_as_app() OWNER TO regress_fixed_app;
CREATE FUNCTION public.look_as_root() RETURNS int LANGUAGE pllua_bg SECURITY DEFINER AS $$
    return bg.autonomous('insert into public.there select * from public.fixed() returning 1')[1][1]
$$;
ALTER FUNCTION public.look_as_root() OWNER TO regress_fixed_root;
CREATE FUNCTION public.look_nested() RETURNS int LANGUAGE pllua_bg AS $$
    return bg.autonomous([[select public.look()]]).value
$$;
CREATE FUNCTION public.look_after(command text) RETURNS SETOF text LANGUAGE pllua_bg AS $$
    local s <close> = bg.launch()
    for statement in command:gmatch('[^;]+') do
        local ok, failure = pcall(s.exec, s, statement)
        if not ok then coroutine.yield(('%s: %s'):format(failure.sqlstate, statement:match('^%s*(.*)$'))) end
    end
    s:exec('insert into public.there select * from public.fixed()')
$$;
CREATE PROCEDURE public.wait_for_job() LANGUAGE plpgsql AS $$
BEGIN
    WHILE NOT EXISTS (SELECT FROM public.there) LOOP
        COMMIT;
        PERFORM pg_sleep(0.001); -- workload
    END LOOP;
END $$;
CREATE FUNCTION public.some() RETURNS SETOF text LANGUAGE pllua_bg AS $$
    local names = {'log_statement', 'temp_file_limit', 'track_functions', 'log_parameter_max_length',
        'auto_explain.log_min_duration', 'fixed.audit', 'log_error_verbosity', 'lo_compat_privileges'}
    local s <close> = bg.launch()
    for _, name in ipairs(names) do
        coroutine.yield(('%s: %s, %s'):format(name, spi.execute('select current_setting($1) as v', name)[1].v, s:exec('select current_setting($1)', name).value))
    end
    coroutine.yield(s:exec([[select current_user || ' ' || session_user]]).value)
$$;

\c - regress_fixed_bob
\set SHOW_CONTEXT never
-- as himself
SELECT public.some();
SELECT count(public.look()) FROM generate_series(1, 1);
SELECT * FROM public.others();
-- as another role, by each of the ways there
SELECT public.look_as_app();
SELECT * FROM public.others();
SET ROLE regress_fixed_app;
SELECT public.some();
SELECT public.look();
SELECT * FROM public.others();
SELECT bg.launch() AS pid \gset
SELECT bg.run(:pid, 'INSERT INTO public.there SELECT * FROM public.fixed()'), bg.wait(:pid), bg.close(:pid);
SELECT * FROM public.others();
SELECT public.look_nested();
SELECT * FROM public.others();
BEGIN;
SELECT bg.on_commit('INSERT INTO public.there SELECT * FROM public.fixed()');
COMMIT;
CALL public.wait_for_job();
SELECT * FROM public.others();
-- as a superuser
RESET ROLE;
SELECT public.look_as_root();
SELECT * FROM public.others();
-- the role of the session can undo none of it
SET ROLE regress_fixed_app;
SELECT public.look_after('RESET ALL');
SELECT * FROM public.others();
SELECT public.look_after('DISCARD ALL; RESET ROLE; SET SESSION AUTHORIZATION DEFAULT; RESET ALL');
SELECT * FROM public.others();
SELECT public.look_after('SET log_statement = none; RESET log_statement; SET LOCAL temp_file_limit = -1; RESET temp_file_limit; SET log_statement TO DEFAULT;
    SET auto_explain.log_min_duration = -1; SET log_disconnections = off; RESET log_disconnections; ALTER SYSTEM SET log_statement = none; SET ROLE regress_fixed_bob;
    SET SESSION AUTHORIZATION regress_fixed_bob; SELECT set_config($$log_statement$$, $$none$$, false); ALTER ROLE regress_fixed_bob RESET log_statement;
    UPDATE pg_settings SET setting = $$none$$ WHERE name = $$log_statement$$; CREATE FUNCTION pg_temp.f() RETURNS text LANGUAGE sql SET log_statement = none AS $x$SELECT current_setting($n$log_statement$n$)$x$;
    BEGIN; RESET ALL; SAVEPOINT s; RESET ALL; ROLLBACK TO s; ROLLBACK; BEGIN; RESET ALL; COMMIT');
SELECT * FROM public.others();
SELECT bg.launch(settings => '{log_statement=none}');
SELECT bg.launch(settings => '{temp_file_limit=-1}');
SELECT bg.launch(settings => '{log_disconnections=off}');
-- what everybody may set is as it was set for the role of the session, or chosen
DO LANGUAGE pllua_bg $$ print(bg.autonomous('show work_mem').value, bg.autonomous('show statement_timeout').value) $$;
SET work_mem = '65kB';
DO LANGUAGE pllua_bg $$ print(bg.autonomous('show work_mem').value) $$;

-- what a superuser has set for his session, before he became another, and what he has set since
\c - :owner
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET pllua_bg.pool_lifetime = '1min';
SET log_min_duration_statement = '1d';
SET temp_file_limit = '3MB';
SET SESSION AUTHORIZATION regress_fixed_app;
SELECT public.look();
SELECT * FROM public.others();
SELECT public.look_after('RESET ALL; SET log_min_duration_statement = -1');
SELECT count(*) FROM public.there WHERE (name, split_part(value, ',', 1)) IN (('log_min_duration_statement', '86400000'), ('temp_file_limit', '3072'));
DELETE FROM public.there;
RESET SESSION AUTHORIZATION;
-- the same session of the pool is used again
SET temp_file_limit = '4MB';
SET log_lock_waits = on;
RESET log_min_duration_statement;
SET ROLE regress_fixed_app;
SELECT public.look();
SELECT * FROM public.others();
RESET ROLE;
RESET ALL;
SET ROLE regress_fixed_app;
SELECT public.look();
SELECT * FROM public.others();
RESET ROLE;
BEGIN;
SET LOCAL temp_file_limit = '5MB';
SET LOCAL ROLE regress_fixed_app;
SELECT public.look();
SELECT * FROM public.others();
ROLLBACK;
DELETE FROM public.there;
SET ROLE regress_fixed_app;
SELECT public.look();
SELECT * FROM public.others();
RESET ROLE;
-- in a function that has settings
CREATE FUNCTION public.look_limited() RETURNS text LANGUAGE pllua_bg SECURITY DEFINER SET temp_file_limit = '6MB' SET log_duration = off AS $$
    bg.autonomous('insert into public.there select * from public.fixed()')
    local there = spi.execute([[select split_part(value, ',', 1) as v from public.there where name = 'temp_file_limit']])
    spi.execute('delete from public.there')
    return there[1].v
$$;
SELECT public.look_limited();
-- what switches a protection off does not follow
SET session_replication_role = replica;
SET lo_compat_privileges = on;
SET zero_damaged_pages = on;
SET ROLE regress_fixed_app;
SELECT public.look();
SELECT * FROM public.others();
RESET ROLE;
SET pllua_bg.pool_size = 0;
SET ROLE regress_fixed_app;
SELECT public.look();
SELECT * FROM public.others();
-- but a protection that is on holds
RESET ROLE;
ALTER ROLE regress_fixed_app SET session_replication_role = 'replica';
RESET ALL;
SET session_replication_role = origin;
SET pllua_bg.pool_size = 0;
SET ROLE regress_fixed_app;
SELECT public.look();
SELECT * FROM public.others();
RESET ROLE;
RESET ALL;
-- what can be chosen for a connection only
\c "dbname=contrib_regression user=regress_fixed_root options='-c log_disconnections=on -c log_statement_sample_rate=0.25 -c lc_messages=C'"
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET ROLE regress_fixed_app;
SELECT public.look();
SELECT * FROM public.others();
SELECT value FROM public.fixed() WHERE name IN ('log_disconnections', 'log_statement_sample_rate');
RESET ROLE;
-- who was granted a parameter
GRANT SET ON PARAMETER log_statement TO regress_fixed_app, regress_fixed_bob;
\c "dbname=contrib_regression user=regress_fixed_bob options=''"
\set SHOW_CONTEXT never
SET log_statement = 'mod';
SET ROLE regress_fixed_app;
SELECT public.look();
SELECT * FROM public.others();
SELECT public.look_after('SET log_statement = none');
SELECT name, there FROM public.others();
RESET ROLE;
-- a library that is not loaded: anyone may set its parameter, but that is worth what his rights are
SET fixed.audit = 'none';
SET ROLE regress_fixed_app;
SELECT public.look();
SELECT * FROM public.others();
SELECT public.look_after('RESET fixed.audit');
SELECT name, there FROM public.others();

\c - :owner
SET client_min_messages = warning;
ALTER DATABASE :database RESET track_functions;
ALTER DATABASE :database RESET lo_compat_privileges;
REVOKE SET ON PARAMETER log_statement FROM regress_fixed_app, regress_fixed_bob;
DROP FUNCTION public.fixed(), public.others(), public.look(), public.look_as_app(), public.look_as_root(), public.look_nested(), public.look_after(text), public.some(), public.look_limited();
DROP PROCEDURE public.wait_for_job();
DROP TABLE public.there;
DROP OWNED BY regress_fixed_app, regress_fixed_bob;
DROP ROLE regress_fixed_app, regress_fixed_other, regress_fixed_bob, regress_fixed_root;
