-- A session inherits what its launcher has set and may set; then its own settings.
\set SHOW_CONTEXT never
SET search_path = pg_catalog, public;
SET default_transaction_read_only = on;
SET statement_timeout = '1h';
SET DateStyle = 'German';
SET myapp.user_id = '42';
SET work_mem = '3MB';
SELECT bg.launch(settings => array['work_mem=7MB', 'myapp.other=x=y']) AS pid \gset
SET default_transaction_read_only = off;
CREATE FUNCTION public.values(pid int) RETURNS TABLE (name text, setting text) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM bg.run(pid, 'SELECT n, current_setting(n, true) FROM unnest(array[''search_path'', ''transaction_read_only'', ''statement_timeout'',
        ''DateStyle'', ''myapp.user_id'', ''work_mem'', ''myapp.other'', ''client_encoding'']) n');
    RETURN QUERY SELECT * FROM bg.result(pid) AS (n text, s text);
END $$;
SELECT * FROM public.values(:pid);
SELECT bg.run(:pid, 'CREATE TABLE public.refused ()');
SELECT * FROM bg.result(:pid) AS (tag text);
SELECT bg.close(:pid);
-- settings of a function count while it runs
CREATE FUNCTION public.narrow() RETURNS int LANGUAGE sql SET search_path = pg_temp SET work_mem = '1MB' AS 'SELECT bg.launch()';
SELECT public.narrow() AS pid \gset
SELECT * FROM public.values(:pid) WHERE name IN ('search_path', 'work_mem');
SELECT bg.close(:pid);
RESET ALL;
DROP FUNCTION public.narrow(), public.values(int);
-- what only superusers may set holds in the session of anybody, but for what switches a protection off; what belongs to the connection or to the
-- transaction follows nobody
CREATE FUNCTION public.ask(setting text) RETURNS text LANGUAGE pllua_bg AS $$
    local s <close> = bg.launch()
    return s:exec('select current_setting($1)', setting).value
$$;
CREATE ROLE regress_bg_setter LOGIN;
GRANT USAGE ON SCHEMA bg TO regress_bg_setter;
SET session_replication_role = replica;
SET log_min_duration_statement = '1d';
SET application_name = 'mine';
SET client_encoding = 'LATIN1';
SET default_transaction_isolation = 'repeatable read';
BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY;
SET LOCAL lock_timeout = '1h';
SELECT n, public.ask(n) FROM unnest(array['session_replication_role', 'log_min_duration_statement', 'application_name', 'client_encoding',
    'default_transaction_isolation', 'transaction_isolation', 'transaction_read_only', 'lock_timeout', 'is_superuser']) n;
COMMIT;
SET ROLE regress_bg_setter;
SELECT n, public.ask(n) FROM unnest(array['session_replication_role', 'log_min_duration_statement', 'lock_timeout', 'role', 'is_superuser']) n;
DO LANGUAGE pllua_bg $$ bg.launch{settings = {session_replication_role = 'replica'}} $$;
DO LANGUAGE pllua_bg $$ bg.launch{settings = {role = 'none'}} $$;
DO LANGUAGE pllua_bg $$ bg.launch{settings = {client_encoding = 'LATIN1'}} $$;
RESET ROLE;
RESET ALL;
-- a role's own defaults are those of a new session of that role
ALTER ROLE regress_bg_setter SET work_mem = '5MB';
ALTER ROLE regress_bg_setter SET statement_timeout = '2h';
SET pllua_bg.pool_size = 0;
SET work_mem = '6MB';
SET ROLE regress_bg_setter;
SELECT public.ask('work_mem'), public.ask('statement_timeout');
RESET ROLE;
-- a session loads what session_preload_libraries names, as a connection does
CREATE FUNCTION public.has_library() RETURNS boolean LANGUAGE pllua_bg AS $$
    local s <close> = bg.launch()
    return s:exec("select exists (select from pg_settings where name = 'auto_explain.log_format')").value
$$;
SET ROLE regress_bg_setter;
SELECT public.has_library();
RESET ROLE;
ALTER ROLE regress_bg_setter SET session_preload_libraries = 'auto_explain';
SET ROLE regress_bg_setter;
SELECT public.has_library();
RESET ROLE;
RESET ALL;
ALTER ROLE regress_bg_setter RESET session_preload_libraries;
SET pllua_bg.pool_size = 0;
SELECT public.has_library();
-- and what the launcher has loaded
LOAD 'auto_explain';
SELECT public.has_library();
DROP FUNCTION public.has_library();
RESET ALL;
-- The parameter of a library that is not loaded yet can be set by anyone; a superuser's session does not make it valid.
CREATE FUNCTION public.as_definer() RETURNS text LANGUAGE pllua_bg SECURITY DEFINER AS $$
    local s <close> = bg.launch()
    local conflict = s:exec([[select current_setting('plpgsql.variable_conflict', true)]]).value
    s:exec('do $x$ begin end $x$')
    return ('%s, then %s'):format(conflict, s:exec([[select current_setting('plpgsql.variable_conflict')]]).value)
$$;
SELECT current_user AS owner \gset
\c -
SET client_min_messages = error;
SET plpgsql.variable_conflict = 'use_column';
SELECT public.as_definer();
\c - regress_bg_setter
SET client_min_messages = error;
SET plpgsql.variable_conflict = 'use_column';
SELECT public.as_definer();
\c "dbname=contrib_regression user=regress_bg_setter options='-c plpgsql.variable_conflict=use_column'"
SET client_min_messages = error;
SELECT public.as_definer();
\c - :owner
\set SHOW_CONTEXT never
DROP FUNCTION public.as_definer();
DROP FUNCTION public.ask(text);
DROP OWNED BY regress_bg_setter;
DROP ROLE regress_bg_setter;
