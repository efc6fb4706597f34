-- What CREATE FUNCTION checks.
CREATE SCHEMA pl_validator;
SET search_path = pl_validator;

CREATE FUNCTION wrong() RETURNS int LANGUAGE pllua_bg AS $$
  local x =
  = 3
$$;
CREATE FUNCTION wrong(größe int) RETURNS int LANGUAGE pllua_bg AS $$
  -- größe
  return größe
$$;
CREATE FUNCTION unfinished() RETURNS int LANGUAGE pllua_bg AS $$
  if true then
$$;
CREATE FUNCTION too_finished() RETURNS int LANGUAGE pllua_bg AS $$ return 1 end $$;
CREATE FUNCTION bytecode() RETURNS int LANGUAGE pllua_bg AS E'\x1bLua';
DO LANGUAGE pllua_bg $$
  x ==
$$;
-- nothing of a function runs when it is created
CREATE FUNCTION quiet() RETURNS int LANGUAGE pllua_bg AS $$ return 1
end
print 'runs at the first call'
do $$;
SELECT quiet();
SELECT quiet();

-- unchecked, the error comes at the first call
SET check_function_bodies = off;
CREATE FUNCTION wrong() RETURNS int LANGUAGE pllua_bg AS $$ return = $$;
RESET check_function_bodies;
SELECT wrong();

-- types
CREATE FUNCTION takes(x language_handler) RETURNS int LANGUAGE pllua_bg AS $$ $$;
CREATE FUNCTION takes(x internal) RETURNS int LANGUAGE pllua_bg AS $$ $$;
CREATE FUNCTION gives(x int) RETURNS internal LANGUAGE pllua_bg AS $$ $$;
CREATE FUNCTION takes(x trigger) RETURNS int LANGUAGE pllua_bg AS $$ $$;
CREATE FUNCTION trigger_with(x int) RETURNS trigger LANGUAGE pllua_bg AS $$ $$;
CREATE FUNCTION gives(x int) RETURNS language_handler LANGUAGE pllua_bg AS $$ $$;

-- only for those who may use the language and the function
CREATE ROLE regress_pl_validator;
GRANT USAGE ON SCHEMA pl_validator TO regress_pl_validator;
REVOKE ALL ON FUNCTION quiet() FROM PUBLIC;
SET SESSION AUTHORIZATION regress_pl_validator;
SELECT pllua_bg_validator('pl_validator.quiet()'::regprocedure);
RESET SESSION AUTHORIZATION;
SELECT pllua_bg_validator('pl_validator.quiet()'::regprocedure);
\set VERBOSITY sqlstate
SELECT pllua_bg_validator('pg_catalog.abs(int)'::regprocedure);
REVOKE ALL ON SCHEMA pl_validator FROM regress_pl_validator;
DROP ROLE regress_pl_validator;

\set VERBOSITY terse
SET client_min_messages = warning;
DROP SCHEMA pl_validator CASCADE;
