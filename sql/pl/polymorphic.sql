-- Polymorphic types are those of the call.
CREATE SCHEMA pl_poly;
SET search_path = pl_poly;

CREATE FUNCTION element(x anyelement, y anyarray) RETURNS anyelement LANGUAGE pllua_bg AS $$
  print(tostring(pgtype(nil, 0)), tostring(pgtype(x, 1)), tostring(pgtype(y, 2)))
  return y and y[1]
$$;
SELECT element(1, ARRAY[2, 3]), element('a'::text, ARRAY['b']), element(now(), NULL::timestamptz[]) IS NULL AS is_null;
CREATE FUNCTION pair(x anyelement) RETURNS anyarray LANGUAGE pllua_bg AS $$ return x, x $$;
SELECT pair(1), pair('x'::text), pair(2.50), pair('2020-01-01'::date);
CREATE FUNCTION common(x anycompatible, y anycompatible) RETURNS anycompatible LANGUAGE pllua_bg AS $$ return y $$;
SELECT common(1, 2.5), pg_typeof(common(1, 2.5)), common(1, 2::bigint);
CREATE FUNCTION spans(r anyrange) RETURNS anyelement LANGUAGE pllua_bg AS $$ return r.upper $$;
SELECT spans(int4range(1, 5)), spans(daterange('2020-01-01', '2020-02-01'));
CREATE FUNCTION multi(r anymultirange) RETURNS text LANGUAGE pllua_bg AS $$ return tostring(r) $$;
SELECT multi('{[1,3),[5,7)}'::int4multirange);
CREATE FUNCTION out_poly(x anyelement, OUT y anyelement, OUT z anyarray) LANGUAGE pllua_bg AS $$ return x, { x } $$;
SELECT * FROM out_poly('q'::text);
SELECT * FROM out_poly(5);
CREATE FUNCTION set_poly(x anyarray) RETURNS SETOF anyelement LANGUAGE pllua_bg AS $$ for i = 1, #x do coroutine.yield(x[i]) end $$;
SELECT * FROM set_poly(ARRAY[1.5, 2.5]);
SELECT set_poly(ARRAY['x', 'y']);
CREATE FUNCTION enumerated(x anyenum) RETURNS text LANGUAGE pllua_bg AS $$ return x .. '!' $$;
CREATE TYPE mood AS ENUM ('sad', 'happy');
SELECT enumerated('happy'::mood);

\set VERBOSITY terse
SET client_min_messages = warning;
DROP SCHEMA pl_poly CASCADE;
