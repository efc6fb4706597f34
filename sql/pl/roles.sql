-- One interpreter for each role that runs trusted code.
CREATE SCHEMA pl_roles;
CREATE ROLE regress_pl_one;
CREATE ROLE regress_pl_two;
GRANT ALL ON SCHEMA pl_roles TO regress_pl_one, regress_pl_two;
SET search_path = pl_roles;

CREATE FUNCTION put(v text) RETURNS void LANGUAGE pllua_bg AS $$ _G.pl_state = v string.pl_state = v $$;
CREATE FUNCTION get() RETURNS text LANGUAGE pllua_bg AS $$ return pl_state $$;
SET ROLE regress_pl_one;
SELECT put('one');
SET ROLE regress_pl_two;
SELECT get();
SELECT put('two');
CREATE FUNCTION get_definer() RETURNS text SECURITY DEFINER LANGUAGE pllua_bg AS $$ return current_user_name() .. ' ' .. tostring(pl_state)
end
function current_user_name() return spi.execute('SELECT current_user AS u')[1].u end
do $$;
CREATE FUNCTION calls_get() RETURNS text SECURITY DEFINER LANGUAGE pllua_bg AS $$ return spi.execute('SELECT get() AS g')[1].g $$;
SET ROLE regress_pl_one;
SELECT get(), get_definer(), calls_get();
-- a role changed inside of one query
RESET ROLE;
CREATE FUNCTION as_role(r text) RETURNS text LANGUAGE pllua_bg AS $$
  spi.execute('SET LOCAL ROLE ' .. quote_ident(r))
  return spi.execute('SELECT get() AS g')[1].g
$$;
SELECT as_role(r) FROM (VALUES ('regress_pl_one'), ('regress_pl_two')) v(r);
SELECT get() IS NULL AS own_state;

-- the interpreters can be seen
SELECT ident, used_bytes > 0 AS used FROM pg_backend_memory_contexts WHERE name = 'pllua_bg interpreter' AND ident LIKE 'regress%' ORDER BY 1;

-- anybody may use the trusted language; the untrusted one is for superusers and has an interpreter of its own
SET ROLE regress_pl_one;
DO LANGUAGE pllua_bg $$ print 'trusted' $$;
DO LANGUAGE pllua_bgu $$ print 'untrusted' $$;
CREATE FUNCTION untrusted() RETURNS int LANGUAGE pllua_bgu AS $$ return 1 $$;
RESET ROLE;
CREATE FUNCTION untrusted() RETURNS text LANGUAGE pllua_bgu AS $$ return type(io.open) .. ' ' .. tostring(pl_state) $$;
SELECT untrusted();
CREATE FUNCTION trusted() RETURNS text LANGUAGE pllua_bg AS $$ return tostring(io) $$;
SELECT trusted();
SET ROLE regress_pl_two;
SELECT untrusted();
RESET ROLE;

\set VERBOSITY terse
SET client_min_messages = warning;
DROP SCHEMA pl_roles CASCADE;
DROP ROLE regress_pl_one;
DROP ROLE regress_pl_two;
