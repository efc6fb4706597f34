-- Parameters travel in binary with their types; untyped literals take the type their place asks for.
\set SHOW_CONTEXT never
CREATE TABLE typed (i int, b bigint, t text, d date, n numeric, f float8, a int[], j jsonb, o bytea);
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE TYPE pair AS (x int, y text);
SELECT bg.launch() AS pid \gset
SELECT bg.run(:pid, 'SELECT $1, $2, $3, $4', 5, 'abc'::text, date '2020-02-29', array[1, 2, NULL]);
SELECT * FROM bg.result(:pid) AS (i int, t text, d date, a int[]);
SELECT bg.run(:pid, 'INSERT INTO typed VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)',
    '1', '2', '3', '2020-01-01', '4.5', '1e10', '{1,2}', '{"a": 1}', '\x00ff');
SELECT * FROM bg.result(:pid) AS (tag text);
SELECT * FROM typed;

-- strong ones are coerced as any expression of their type
SELECT bg.run(:pid, 'UPDATE typed SET b = $1, n = $2 WHERE i = $3', 10, 2.5::float8, 1::bigint);
SELECT * FROM bg.result(:pid) AS (tag text);
SELECT b, n FROM typed;

-- nulls, long values, composites, domains
SELECT bg.run(:pid, 'SELECT $1, length($2), $3, ($3).y', NULL::int, repeat('x', 500000), row(1, 'z')::pair);
SELECT * FROM bg.result(:pid) AS (i int, n int, p pair, y text);
SELECT bg.run(:pid, 'SELECT $1::positive', '0');
SELECT * FROM bg.result(:pid) AS (i int);
SELECT bg.run(:pid, 'SELECT $1::smallint', 100000);
SELECT * FROM bg.result(:pid) AS (i int);
SELECT bg.run(:pid, 'SELECT $1 + 1', 'many');
SELECT * FROM bg.result(:pid) AS (i int);

-- where no place asks for a type an untyped literal is text, as often as it occurs
SELECT bg.run(:pid, 'SELECT $1, $1 IS NULL, $2 IS NULL ORDER BY 1', 'free', NULL);
SELECT * FROM bg.result(:pid) AS (t text, n boolean, m boolean);
SELECT bg.run(:pid, 'SELECT $1 IS NULL OR $1 > 5', '7');
SELECT * FROM bg.result(:pid) AS (b boolean);
SELECT bg.run(:pid, 'SELECT $1::int, $1::date', '7');
SELECT * FROM bg.result(:pid) AS (i int, d date);

-- utility statements take parameters where the server lets them
SELECT bg.run(:pid, 'CREATE TEMP TABLE made AS SELECT $1 AS c', 'text');
SELECT bg.run(:pid, 'SELECT c FROM made');
SELECT * FROM bg.result(:pid) AS (c text);
CREATE PROCEDURE twice(INOUT i int) LANGUAGE plpgsql AS $$ BEGIN i := i * 2; END $$;
SELECT bg.run(:pid, 'CALL twice($1)', 21);
SELECT * FROM bg.result(:pid) AS (i int);

-- refused
SELECT bg.run(:pid, 'SELECT $1; SELECT 2', 1);
SELECT * FROM bg.result(:pid) AS (i int);
SELECT bg.run(:pid, 'SELECT $2', 1);
SELECT * FROM bg.result(:pid) AS (i int);
SELECT bg.run(:pid, 'SELECT $1', row(1, 2));
BEGIN;
CREATE TYPE unseen AS ENUM ('a');
SELECT bg.run(:pid, 'SELECT $1', 'a'::unseen);
SELECT * FROM bg.result(:pid) AS (i text);
ROLLBACK;

-- VARIADIC array
SELECT bg.run(:pid, 'SELECT $1 + $2', VARIADIC array[20, 22]);
SELECT * FROM bg.result(:pid) AS (i int);
SELECT bg.detach(:pid);
DROP PROCEDURE twice;
DROP TYPE pair;
DROP DOMAIN positive;
DROP TABLE typed;
