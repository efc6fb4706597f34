-- VARIADIC arrays, and VARIADIC "any".
CREATE SCHEMA pl_variadic;
SET search_path = pl_variadic;

CREATE FUNCTION total(VARIADIC a int[]) RETURNS int LANGUAGE pllua_bg AS $$
  local sum = 0
  for i = 1, #a do sum = sum + (a[i] or 0) end
  return sum
$$;
SELECT total(1), total(1, 2, 3), total(VARIADIC ARRAY[4, 5]), total(VARIADIC '{}');
CREATE FUNCTION described(VARIADIC "any") RETURNS text LANGUAGE pllua_bg AS $$
  local parts = {}
  for i = 1, select('#', ...) do
    local value = select(i, ...)
    parts[i] = tostring(value) .. ':' .. tostring(pgtype(nil, i))
  end
  return table.concat(parts, ' ')
$$;
SELECT described(1, 'x'::text, NULL::int, 2.5, ARRAY[1, 2]);
SELECT described(VARIADIC ARRAY[1, 2]);
SELECT described('literal');
CREATE FUNCTION after_first(a int, VARIADIC "any") RETURNS text LANGUAGE pllua_bg AS $$ return a .. ':' .. select('#', ...) .. ':' .. (...) $$;
SELECT after_first(1, 2, 'three', 4.0);
CREATE FUNCTION named_any(a int, VARIADIC rest "any") RETURNS int LANGUAGE pllua_bg AS $$ return a + select('#', ...) $$;
SELECT named_any(1, 2, 3), named_any(1, 'x');
CREATE FUNCTION formatted(f text, VARIADIC "any") RETURNS text LANGUAGE pllua_bg AS $$ return f:format(...) $$;
SELECT formatted('%d-%s-%.1f', 1, 'two', 3.0::float8);

\set VERBOSITY terse
SET client_min_messages = warning;
DROP SCHEMA pl_variadic CASCADE;
