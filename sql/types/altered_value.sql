-- A value of a composite type that was altered afterwards: the server may refuse it (22P07, from 15.20 on), in the middle of whatever
-- reads it. The same happens wherever it is read, nothing of it remains, and the backend lives.
CREATE SCHEMA types_altered_value;
SET search_path = types_altered_value;
\set VERBOSITY terse

CREATE TYPE pair AS (a int, b int);
CREATE TABLE vt (v pair[]);
CREATE FUNCTION b_of(r pair) RETURNS text LANGUAGE pllua_bg AS $$ return tostring(r.b) $$;
CREATE FUNCTION b_of_first(r pair[]) RETURNS text LANGUAGE pllua_bg AS $$ return tostring(r[1].b) $$;
CREATE FUNCTION caught(r pair[]) RETURNS text LANGUAGE pllua_bg AS $$
	local ok, e = pcall(function() return r[1].b end)
	local after = spi.execute('select 1 as x')[1].x
	return ok and 'read' or (e.sqlstate .. ' ' .. after)
$$;
CREATE FUNCTION caught_unused(r pair[]) RETURNS text LANGUAGE pllua_bg AS $$
	local ok, e = pcall(function() return r[1].b end)
	return ok and 'read' or e.sqlstate
$$;
CREATE FUNCTION one() RETURNS int LANGUAGE pllua_bg AS $$ return 1 $$;
CREATE FUNCTION boom() RETURNS int LANGUAGE pllua_bg AS $$ error('boom') $$;
-- Many entries and errors above the place where the value was refused.
CREATE FUNCTION deep(n int) RETURNS int LANGUAGE plpgsql AS $$
DECLARE x int;
BEGIN
	IF n = 0 THEN RETURN 0; END IF;
	x := one() + deep(n - 1);
	BEGIN
		x := x + boom();
	EXCEPTION WHEN OTHERS THEN
		IF sqlerrm !~ 'boom' THEN RAISE NOTICE 'odd: %', sqlerrm; END IF;
	END;
	RETURN x;
END $$;
CREATE FUNCTION fail(v pair[], n int) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	IF n > 0 THEN RETURN fail(v, n - 1); END IF;
	RETURN b_of(v[1]);
EXCEPTION WHEN OTHERS THEN
	RETURN sqlstate;
END $$;
-- What is read is either refused or, by an older server, read as it is; all else is a fault.
CREATE FUNCTION allowed(t text) RETURNS boolean LANGUAGE sql AS $$ SELECT coalesce(t ~ '^22P07' OR current_setting('server_version_num')::int < 150020
	OR current_setting('server_version_num')::int >= 160000, true) $$;

INSERT INTO vt VALUES (array[row(1, 5)::pair]);
DO $$
DECLARE
	v pair[]; r text; bad int := 0;
BEGIN
	SELECT vt.v INTO v FROM vt;
	DROP TABLE vt;
	ALTER TYPE pair ALTER ATTRIBUTE b TYPE bigint;
	-- A server older than that reads beyond the end of such a value by itself.
	IF current_setting('server_version_num')::int < 150020 THEN
		RAISE NOTICE 'done, 0 bad';
		RETURN;
	END IF;
	FOR d IN 0..30 LOOP
		r := fail(v, d);
		IF NOT allowed(r) THEN bad := bad + 1; RAISE NOTICE 'fail: %', r; END IF;
		PERFORM deep(40);
	END LOOP;
	IF NOT allowed(caught(v)) THEN RAISE NOTICE 'caught: %', caught(v); END IF;
	IF NOT allowed(caught_unused(v)) THEN RAISE NOTICE 'caught_unused: %', caught_unused(v); END IF;
	PERFORM deep(40);
	BEGIN
		r := b_of_first(v);
	EXCEPTION WHEN OTHERS THEN
		r := sqlstate;
	END;
	IF NOT allowed(r) THEN RAISE NOTICE 'array: %', r; END IF;
	RAISE NOTICE 'done, % bad', bad;
END $$;
SELECT one(), deep(3);

-- the transaction state is right afterwards, too
SELECT txid_current_if_assigned() IS NULL AS no_transaction;
DO LANGUAGE pllua_bg $$ print(pcall(error, 'x')) print(spi.execute('select 1 as x')[1].x) $$;

SET client_min_messages = warning;
DROP SCHEMA types_altered_value CASCADE;
