-- Names that cannot be written in Lua: keywords, other characters, other scripts.
CREATE SCHEMA pl_names;
SET search_path = pl_names;

CREATE FUNCTION "end"(x int) RETURNS int LANGUAGE pllua_bg AS $$ return x + 1 $$;
CREATE FUNCTION "g-9"(x int) RETURNS int LANGUAGE pllua_bg AS $$ return x + 2 $$;
CREATE FUNCTION "größe"(x int) RETURNS int LANGUAGE pllua_bg AS $$ return x + 3 $$;
CREATE FUNCTION "a""b]]\n"(x int) RETURNS int LANGUAGE pllua_bg AS $$ return x + 4 $$;
CREATE FUNCTION "_ENV"(x int) RETURNS int LANGUAGE pllua_bg AS $$ return x + #tostring(x) $$;
SELECT "end"(1), "g-9"(1), "größe"(1), "a""b]]\n"(1), "_ENV"(1);
CREATE FUNCTION "x) error('injected') --"(x int) RETURNS int LANGUAGE pllua_bg AS $$ return x $$;
SELECT "x) error('injected') --"(5);

-- such arguments come in `...`, in their order, after those with usable names
CREATE FUNCTION arguments(a int, "end" int, "while" int, b int, "größe" int) RETURNS text LANGUAGE pllua_bg AS
  $$ return table.concat({a, b, ...}, ',') $$;
SELECT arguments(1, 2, 3, 4, 5);
CREATE FUNCTION injected("x) error('injected') --" int) RETURNS int LANGUAGE pllua_bg AS $$ return (...) $$;
SELECT injected(6);
CREATE FUNCTION upper("A" int, a int) RETURNS int LANGUAGE pllua_bg AS $$ return A * 10 + a $$;
SELECT upper(1, 2);
CREATE FUNCTION environment("_ENV" int, x int) RETURNS text LANGUAGE pllua_bg AS $$ return tostring(x) .. (...) $$;
SELECT environment(1, 2);

-- names that are Lua functions hide them, as any local does
CREATE FUNCTION type(print int) RETURNS int LANGUAGE pllua_bg AS $$ return print $$;
SELECT pl_names.type(7);

-- columns
CREATE TABLE odd ("end" int, "größe" text, "two words" int, "1" int);
CREATE FUNCTION make_odd() RETURNS odd LANGUAGE pllua_bg AS
  $$ return { ['end'] = 1, ['größe'] = 'g', ['two words'] = 2, ['1'] = 3 } $$;
SELECT * FROM make_odd();
CREATE FUNCTION read_odd(o odd) RETURNS text LANGUAGE pllua_bg AS
  $$ return o['end'] .. o['größe'] .. o['two words'] .. o['1'] $$;
SELECT read_odd(make_odd());

-- the name in errors
CREATE FUNCTION "bad-name"() RETURNS int LANGUAGE pllua_bg AS $$ error 'here' $$;
SELECT "bad-name"();
-- a long name is cut at a character
CREATE FUNCTION "fünfzehnfünfzehnfünfzehnfünfzehnfünfzehnfünfzehnäöü"() RETURNS int LANGUAGE pllua_bg AS $$ error 'here' $$;
SELECT "fünfzehnfünfzehnfünfzehnfünfzehnfünfzehnfünfzehnäöü"();

\set VERBOSITY terse
SET client_min_messages = warning;
DROP SCHEMA pl_names CASCADE;
