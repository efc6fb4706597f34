-- hstore as Lua tables: the extensions hstore_pllua_bg and hstore_pllua_bgu.
create extension hstore;
create extension hstore_pllua_bg;
create extension hstore_pllua_bgu;
create function h_show(h hstore) returns text language pllua_bg transform for type hstore as $$
  if h == nil then return 'nil' end
  local list = {}
  for key, value in pairs(h) do list[#list + 1] = ('%q=%q'):format(key, value) end
  table.sort(list)
  return table.concat(list, ' ')
$$;
select h_show(h) from unnest(array['a=>1', '', 'a=>NULL, b=>""', null, '"a b"=>"c, d=>e", ","=>"=>", "null"=>"NULL"',
  '"q\"\\"=>"\\\"", "\\"=>"\\\\"', 'grün=>"straße €", ""=>x']::hstore[]) h;
create function h_same(h hstore) returns hstore language pllua_bg transform for type hstore as $$ return h $$;
select count(*), count(*) filter (where h_same(h) is distinct from h) as different from (
  select hstore(array_agg(k), array_agg(case when n % 3 <> 0 then v end)) as h from (
    select i, n, chr(33 + (i * 7 + n * 13) % 90) || repeat(chr(34 + (n * 58) % 92), n % 4) as k, repeat(chr(92 - (n % 2) * 58), n % 5) || n as v
    from generate_series(1, 500) i, generate_series(0, 7) n) x group by i) y;
create function h_make() returns hstore language pllua_bg transform for type hstore as $$
  return {a = 1, b = 'x', c = true, d = 1.5, e = false, [5] = 'five', ['q"\\'] = 'w"\\', n = pgtype.numeric '1.50'}
$$;
select h_make();
create function h_other(x int) returns hstore language pllua_bg transform for type hstore as $$
  if x == 1 then return 'a=>1' elseif x == 2 then return pgtype.hstore 'b=>2' elseif x == 3 then return {} elseif x == 4 then return 5 else return 'a=>' end
$$;
select h_other(1), h_other(2), h_other(3);
select h_other(4);
do $$ begin perform h_other(5); raise notice 'taken'; exception when others then raise notice 'refused'; end $$;
create function h_rows(a hstore[]) returns setof hstore language pllua_bg transform for type hstore as $$ for i = 1, #a do local h = a[i] h.n = i coroutine.yield(h) end $$;
select h_rows(array['a=>1', 'b=>2']::hstore[]);
do language pllua_bg $$
  local h = spi.execute("select 'a=>1'::hstore").value
  print(type(h), h.a, spi.execute('select $1::hstore -> $2', {x = 'y'}, 'x').value, pgtype.hstore {a = 1}, type(pgtype.hstore {a = 1}))
  print(spi.execute('select $1::hstore[]', {{a = 1}, {b = 2}}).value)
$$;
do language pllua_bgu $$ print(type(spi.execute("select 'a=>1'::hstore").value), spi.execute('select ($1::hstore)::text', {b = false}).value) $$;
select extname, obj_description(oid, 'pg_extension') from pg_extension where extname like 'hstore%' order by extname;
\set VERBOSITY terse
set client_min_messages = warning;
drop extension hstore cascade;
