-- Results of several columns: OUT, INOUT, TABLE, composite types, records.
CREATE SCHEMA pl_out;
SET search_path = pl_out;

CREATE FUNCTION one_out(x int, OUT y int) LANGUAGE pllua_bg AS $$ return x * 2 $$;
CREATE FUNCTION two_out(x int, OUT y int, OUT z text) LANGUAGE pllua_bg AS $$ return x * 2, 'z' $$;
CREATE FUNCTION by_name(x int, OUT y int, OUT z text) LANGUAGE pllua_bg AS $$ return { z = 'named', y = x } $$;
CREATE FUNCTION by_place(x int, OUT y int, OUT z text) LANGUAGE pllua_bg AS $$ return { x, 'placed' } $$;
CREATE FUNCTION in_out(INOUT x int, INOUT y text, z int DEFAULT 5) LANGUAGE pllua_bg AS $$ return x + z, y .. '!' $$;
SELECT one_out(3);
SELECT * FROM two_out(3);
SELECT * FROM by_name(3);
SELECT * FROM by_place(3);
SELECT * FROM in_out(3, 'a');
SELECT two_out(3);

CREATE FUNCTION no_values(OUT y int, OUT z text) LANGUAGE pllua_bg AS $$ $$;
CREATE FUNCTION null_row(OUT y int, OUT z text) LANGUAGE pllua_bg AS $$ return nil $$;
CREATE FUNCTION null_columns(OUT y int, OUT z text) LANGUAGE pllua_bg AS $$ return nil, nil $$;
SELECT no_values() IS NULL AS no_values, null_row() IS NULL AS null_row, null_columns()::text;
CREATE FUNCTION too_few(OUT y int, OUT z text) LANGUAGE pllua_bg AS $$ return 1 $$;
CREATE FUNCTION too_many(OUT y int, OUT z text) LANGUAGE pllua_bg AS $$ return 1, 'x', 3 $$;
CREATE FUNCTION wrong_name(OUT y int, OUT z text) LANGUAGE pllua_bg AS $$ return { y = 1, q = 2 } $$;
SELECT too_few();
SELECT too_many();
SELECT wrong_name();

-- composite types, with dropped columns
CREATE TABLE t (a int, gone int, b text, c numeric(5,2));
ALTER TABLE t DROP COLUMN gone;
CREATE FUNCTION row_values() RETURNS t LANGUAGE pllua_bg AS $$ return 1, 'b', 3.14159 $$;
CREATE FUNCTION row_table() RETURNS t LANGUAGE pllua_bg AS $$ return { a = 1, c = 2 } $$;
CREATE FUNCTION row_null() RETURNS t LANGUAGE pllua_bg AS $$ return nil $$;
CREATE FUNCTION row_changed(r t) RETURNS t LANGUAGE pllua_bg AS $$ r.a = r.a + 1 return r $$;
CREATE FUNCTION row_of_query() RETURNS t LANGUAGE pllua_bg AS $$ return spi.execute("SELECT 1 AS a, 'q' AS b, 2.5 AS c")[1] $$;
SELECT * FROM row_values();
SELECT * FROM row_table();
SELECT * FROM row_null();
SELECT row_null() IS NULL AS null_row;
SELECT row_changed(ROW(1, 'x', 2));
SELECT * FROM row_of_query();
ALTER TABLE t ADD COLUMN d int DEFAULT 9;
CREATE OR REPLACE FUNCTION row_table() RETURNS t LANGUAGE pllua_bg AS $$ return { a = 1, d = 4 } $$;
SELECT * FROM row_table();
INSERT INTO t VALUES (1, 'x', 2, 3);
SELECT row_changed(t) FROM t;

CREATE TYPE single AS (v int[]);
CREATE FUNCTION single_by_name() RETURNS single LANGUAGE pllua_bg AS $$ return { v = { 1, 2 } } $$;
SELECT single_by_name();

CREATE DOMAIN checked AS t CHECK ((VALUE).a > 0);
CREATE FUNCTION to_checked(a int) RETURNS checked LANGUAGE pllua_bg AS $$ return { a = a } $$;
SELECT to_checked(1);
SELECT to_checked(-1);
SELECT * FROM to_checked(-1);

-- records: with a column definition list by place, without one as they are
CREATE FUNCTION rec() RETURNS record LANGUAGE pllua_bg AS $$ return 3, 'r' $$;
SELECT * FROM rec() AS (a int, b text);
SELECT * FROM rec() AS (a int, b text, c int);
SELECT rec();
CREATE FUNCTION same_record(x record) RETURNS record LANGUAGE pllua_bg AS $$ return x $$;
SELECT same_record(ROW(1, 'y', 2.5));
SELECT * FROM same_record(ROW(1, 'y')) AS (other int, names text);
CREATE FUNCTION rec_of_query() RETURNS record LANGUAGE pllua_bg AS $$ return spi.execute("SELECT 1 AS one, 'q' AS two")[1] $$;
SELECT * FROM rec_of_query() AS (a int, b text);
SELECT rec_of_query();
CREATE FUNCTION rec_table() RETURNS record LANGUAGE pllua_bg AS $$ return { b = 'named', a = 1 } $$;
SELECT * FROM rec_table() AS (a int, b text);
SELECT rec_table();

\set VERBOSITY terse
SET client_min_messages = warning;
DROP SCHEMA pl_out CASCADE;
