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
