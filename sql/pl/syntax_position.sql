-- Where a syntax error is, whatever the text around it is made of.
CREATE SCHEMA pl_syntax_position;
SET search_path = pl_syntax_position;

-- the line before the error ends in a character of several bytes
CREATE FUNCTION f() RETURNS text LANGUAGE pllua_bg AS $$if true then --é
$$;
CREATE FUNCTION f() RETURNS text LANGUAGE pllua_bg AS $$if true then --日本語
$$;
DO LANGUAGE pllua_bg $$if true then --é
$$;
DO LANGUAGE pllua_bgu $$if true then -- 𝄞

$$;
CREATE FUNCTION f() RETURNS text LANGUAGE pllua_bg AS $$
local größe = 'ü'
$$;
CREATE FUNCTION f(größe int) RETURNS text LANGUAGE pllua_bg AS $$
  -- ä€𝄞
  return größe
$$;
CREATE FUNCTION f() RETURNS text LANGUAGE pllua_bg AS 'é';
CREATE FUNCTION f() RETURNS text LANGUAGE pllua_bg AS E'\n\n\né\n\n';
CREATE FUNCTION f() RETURNS trigger LANGUAGE pllua_bg AS $$ local x = 'é' --é
= $$;
-- lines end as Lua sees it
CREATE FUNCTION message_of(body text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('CREATE FUNCTION pg_temp.wrong() RETURNS void LANGUAGE pllua_bg AS %L', body);
	RETURN 'created';
EXCEPTION WHEN syntax_error THEN
	RETURN sqlerrm;
END $$;
SELECT message_of(E'if true then --é\r\n'), message_of(E'--é\r\n\r\nx y'), message_of(E'--é\r\rx y'), message_of(E'--é\n\r\n\rx y');
\set VERBOSITY verbose
\set SHOW_CONTEXT never
DO LANGUAGE plpgsql $$ BEGIN EXECUTE E'DO LANGUAGE pllua_bg \'--é\r\n--é\r\n  x y\''; END $$;
DO LANGUAGE plpgsql $$ BEGIN EXECUTE E'DO LANGUAGE pllua_bg \'--é\r--é\r\tx y\''; END $$;
\set VERBOSITY default

-- the last line, and very long ones
DO $$ BEGIN
	EXECUTE format('DO LANGUAGE pllua_bg %L', repeat('é', 1000) || E'\n');
EXCEPTION WHEN syntax_error THEN RAISE NOTICE '%', left(sqlerrm, 60);
END $$;
DO $$ BEGIN
	EXECUTE format('DO LANGUAGE pllua_bg %L', repeat(E'-- 日本語\n', 100000) || 'x');
EXCEPTION WHEN syntax_error THEN RAISE NOTICE '%', left(sqlerrm, 60);
END $$;

-- what Lua quotes may be half a character
DO LANGUAGE pllua_bg $$ local x = '\é' $$;
DO LANGUAGE pllua_bg $$ local x = "日本\日" $$;
DO LANGUAGE pllua_bg $$ goto é $$;

-- names
CREATE FUNCTION "größe:5 日本"() RETURNS text LANGUAGE pllua_bg AS $$ -- é
=$$;
CREATE FUNCTION "x日本語日本語日本語日本語日本語日本語日本語"() RETURNS text LANGUAGE pllua_bg AS $$ -- é
=$$;

-- chunks of the code's own, whose names are cut at any byte
CREATE FUNCTION loads(text text, name text) RETURNS text LANGUAGE pllua_bg AS $$ return (select(2, load(text, name))) $$;
SELECT loads(E'-- é\n=', '=größe'), loads(E'-- é\n=', repeat('é', 100)) IS NOT NULL;
DO LANGUAGE pllua_bg $$ assert(load('-- é\n=', ('é'):rep(100))) $$;
DO LANGUAGE pllua_bg $$ assert(load('-- é\n=', '=' .. ('é'):rep(100))) $$;
DO LANGUAGE pllua_bg $$ assert(load('error("é")', '=\xc3'))() $$;
DO LANGUAGE pllua_bg $$ local t = {['\xc3'] = function() error('é') end} load('(...)["\xc3"]()', '=' .. ('é'):rep(100) .. '\xff')(t) $$;

-- an error of any bytes, kept
CREATE FUNCTION raises() RETURNS text LANGUAGE pllua_bg AS $$ error('é\xc3 \xff') $$;
SELECT raises();
CREATE FUNCTION raises_object() RETURNS text LANGUAGE pllua_bg AS $$ error(setmetatable({}, {__tostring = function() return '\xe6\x97' end})) $$;
SELECT raises_object();
CREATE TABLE kept (message text);
DO $$ BEGIN PERFORM raises(); EXCEPTION WHEN OTHERS THEN INSERT INTO kept VALUES (sqlerrm); END $$;
SELECT message, length(message) FROM kept;
-- the message of a check is cut between characters
DO LANGUAGE pllua_bg $$ bg.launch{idle_timeout = 'x' .. ('é'):rep(100)} $$;

-- the backend is as it was
DO LANGUAGE pllua_bg $$ print(1 + 1) $$;

\set VERBOSITY terse
SET client_min_messages = warning;
DROP SCHEMA pl_syntax_position CASCADE;
