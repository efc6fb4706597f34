-- What test/fuzz/fuzz.lua works on. Run as superuser in an empty database; :fuzz is the text of fuzz.lua.
\set ON_ERROR_STOP on
\set fuzz `cat test/fuzz/fuzz.lua`
CREATE EXTENSION pllua_bg;
CREATE EXTENSION pllua_pg_background;
CREATE EXTENSION hstore;
CREATE ROLE fuzz_user LOGIN;
CREATE ROLE fuzz_other;
GRANT fuzz_other TO fuzz_user;
GRANT USAGE ON SCHEMA bg TO fuzz_user, fuzz_other;
GRANT CREATE ON SCHEMA public TO fuzz_user;
SELECT grant_pg_background_privileges('fuzz_user');
SET SESSION AUTHORIZATION fuzz_user;
CREATE TYPE fuzz_row AS (a int, b int);
CREATE TYPE fuzz_enum AS ENUM ('x', 'y');
CREATE DOMAIN fuzz_domain AS int CHECK (value < 100);
CREATE TABLE fuzz_table (a int, b text);
INSERT INTO fuzz_table SELECT i, 'text ' || i FROM generate_series(1, 20) i;
CREATE FUNCTION fuzz(bigint, int, OUT calls int, OUT failed int) LANGUAGE pllua_bg AS :'fuzz';
CREATE FUNCTION fuzz_set() RETURNS SETOF int LANGUAGE pllua_bg AS $$
  local x <close> = setmetatable({}, {__close = function() return spi.execute('select 1') end})
  for i = 1, 5 do coroutine.yield(i) end
$$;
CREATE FUNCTION fuzz_row_of(fuzz_table) RETURNS fuzz_row LANGUAGE pllua_bg AS $$ local r = ... return {a = r.a, b = r.a} $$;
CREATE FUNCTION fuzz_error() RETURNS int LANGUAGE pllua_bg AS $$ error('x') $$;
CREATE FUNCTION fuzz_definer(seed bigint, calls int, OUT calls int, OUT failed int) LANGUAGE sql SECURITY DEFINER
  AS $$ SELECT * FROM fuzz(seed, calls) $$;
CREATE PROCEDURE fuzz_procedure(seed bigint) LANGUAGE pllua_bg AS $$ spi.execute('select fuzz($1, 50)', seed) spi.commit() $$;
CREATE FUNCTION fuzz_trigger() RETURNS trigger LANGUAGE pllua_bg AS $$
  fuzz_pool = fuzz_pool or {}
  fuzz_pool[#fuzz_pool % 120 + 1] = trigger
  return trigger.row
$$;
CREATE TRIGGER fuzz_trigger BEFORE INSERT OR UPDATE ON fuzz_table FOR EACH ROW EXECUTE FUNCTION fuzz_trigger();
CREATE FUNCTION fuzz_window(n int) RETURNS int LANGUAGE pllua_bg WINDOW AS $$
  fuzz_window_object = window
  window.state.sum = (window.state.sum or 0) + (window:lead(1) or 0)
  for i, other in window:frame(1) do if i > 2 then break end end
  return window.state.sum + (window:nth_value(1, 2) or 0)
$$;
CREATE FUNCTION fuzz_list_step(internal, int) RETURNS internal LANGUAGE pllua_bg AS $$
  local list, n = ... list = list or {} list[#list + 1] = n return list
$$;
CREATE FUNCTION fuzz_list_end(internal) RETURNS int[] LANGUAGE pllua_bg AS $$ local list = ... return list $$;
RESET SESSION AUTHORIZATION;
CREATE AGGREGATE fuzz_list(int) (SFUNC = fuzz_list_step, STYPE = internal, FINALFUNC = fuzz_list_end);
SET SESSION AUTHORIZATION fuzz_user;
CREATE FUNCTION fuzz_partial(first int, last int) RETURNS SETOF int LANGUAGE pllua_bg AS $$
  for i = first, last do
    if i == 70 then pcall(spi.execute, 'insert into fuzz_plain values (1)') end
    coroutine.yield(i)
  end
$$;
CREATE FUNCTION fuzz_direct(int) RETURNS int LANGUAGE pllua_bg AS $$ local n = ... return n $$;
CREATE FUNCTION fuzz_float(float8) RETURNS float8 LANGUAGE pllua_bg AS $$ local x = ... return x * 2 $$;
CREATE FUNCTION fuzz_scope(int) RETURNS int LANGUAGE pllua_bg AS $$
  local n = ...
  local sub <close> = spi.subtransaction()
  spi.execute('insert into fuzz_plain values ($1)', n)
  if n % 2 == 0 then sub:rollback() end
  return n // (n - 3)
$$;
CREATE TABLE fuzz_plain (a int, b text, c numeric, d int[]);
CREATE FUNCTION fuzz_plain() RETURNS trigger LANGUAGE pllua_bg AS $$ new.a = (new.a or 0) + 1 new.d = {new.a} return new $$;
CREATE TRIGGER fuzz_plain BEFORE INSERT OR UPDATE ON fuzz_plain FOR EACH ROW EXECUTE FUNCTION fuzz_plain();
