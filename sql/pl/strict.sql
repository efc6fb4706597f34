-- Global variables that are not declared.
\c -
CREATE SCHEMA pl_strict;
SET search_path = pl_strict;
-- a function says so itself: a warning for each name when it is created, an error where one is used
CREATE FUNCTION typo(n int, flag bool) RETURNS int LANGUAGE pllua_bg AS $$
  -- strict
  local total = 0
  for i = 1, n do
    totl = total + i
    if flag then print(math.huge, totall, spi.nothing) end
  end
  local function inner() return function() return totl, deep end end
  return total
$$;
SELECT typo(0, false);
SELECT typo(1, false);
CREATE OR REPLACE FUNCTION typo(n int, flag bool) RETURNS int LANGUAGE pllua_bg AS $$
	--strict  
  if flag then print(totall) end
  local self_is, e = pcall(function() totall = 1 end)
  print(self_is, e, e.hint)
  return n
$$;
SELECT typo(1, false);
SELECT typo(1, true);
-- self declares
CREATE FUNCTION counts() RETURNS int LANGUAGE pllua_bg AS $$
-- strict
  self.count = self.count or 0
  count = count + 1
  for name, value in pairs(_ENV) do print(name, value) end
  print(rawget(self, 'count'), getmetatable(_ENV), select('#', type(_G)))
  return count
$$;
SELECT counts(), counts();
CREATE FUNCTION sets_twice() RETURNS int LANGUAGE pllua_bg AS $$
-- strict
  self.one, self.two = 1, 2
  if self.three == 3 or myself.four == 4 then self.five_six = 1 end
  return one, two, three, four, five
$$;
-- what is no global: arguments, locals, the function, fields, another _ENV, labels
CREATE FUNCTION quiet(a int) RETURNS int LANGUAGE pllua_bg AS $$
  -- strict
  local t <const> = {x = a, ['y z'] = 1}
  t.field, t['other field'] = 1, 2
  for i, v in ipairs {1, 2} do goto continue t.z = v ::continue:: end
  do local _ENV = {print = print, zz = 3} print(zz, yy) ww = 1 local function f() return zz, xx end f() end
  if a == 0 then return quiet(1) end
  return self and t.x
$$;
SELECT quiet(0);
-- the lines are those of the text
CREATE FUNCTION lines() RETURNS void LANGUAGE pllua_bg AS $$ local x = first

  -- strict
  if x then


    return { f = function()
        return second
      end, third,

      fourth }
  end
$$;
DO $do$ BEGIN
  EXECUTE 'CREATE FUNCTION wide() RETURNS void LANGUAGE pllua_bg AS ' || quote_literal(E'-- strict\nlocal x = 1' || repeat(E'\n', 300) || 'local a = far_away');
END $do$;
-- only a line of its own says so
CREATE FUNCTION no_word() RETURNS int LANGUAGE pllua_bg AS $$
  -- strict mode
  local s = '-- strict' -- strict
  x = nosuch
  return x
$$;
SELECT no_word();
-- the setting
SET pllua_bg.strict = on;
CREATE FUNCTION by_setting() RETURNS int LANGUAGE pllua_bg AS $$ return nothing $$;
SELECT by_setting();
DO LANGUAGE pllua_bg $$ x = 1 $$;
DO LANGUAGE pllua_bg $$ local env = ... env.x = 1 x = 2 print(x) $$;
CREATE FUNCTION in_trigger() RETURNS trigger LANGUAGE pllua_bg AS $$ new.a, old_one = trigger.op, old $$;
-- it is compiled already
SELECT no_word();
RESET pllua_bg.strict;
SELECT by_setting();
DO LANGUAGE pllua_bg $$ x = 1 $$;
DO LANGUAGE pllua_bg $$
  -- strict
  x = 1
$$;
-- of one function
CREATE FUNCTION set_here() RETURNS int LANGUAGE pllua_bg SET pllua_bg.strict = on AS $$ return nothing $$;
SELECT set_here();
-- what is shared counts as declared
DO LANGUAGE pllua_bg $$ _G.shared = 1 $$;
CREATE FUNCTION uses_shared() RETURNS int LANGUAGE pllua_bg AS $$
  -- strict
  return shared
$$;
SELECT uses_shared();
DO LANGUAGE pllua_bg $$ _G.shared = nil $$;
SELECT uses_shared();
-- untrusted, and where the body is not looked at
CREATE FUNCTION untrusted() RETURNS int LANGUAGE pllua_bgu AS $$
  -- strict
  print(io ~= nil)
  return nothing
$$;
SELECT untrusted();
SET check_function_bodies = off;
CREATE FUNCTION unchecked() RETURNS int LANGUAGE pllua_bg AS $$
  -- strict
  return nothing
$$;
SELECT unchecked();
CREATE ROLE regress_pl_strict;
SET ROLE regress_pl_strict;
SET pllua_bg.strict = on;
DO LANGUAGE pllua_bg $$ print(pcall(function() y = 1 end)) $$;
RESET ROLE;
DROP ROLE regress_pl_strict;
\set VERBOSITY terse
SET client_min_messages = warning;
DROP SCHEMA pl_strict CASCADE;
