-- Parameters of spi.execute take the types that the statement asks for.
create type par_mood as enum ('sad', 'ok');
create domain par_small as int check (value < 100);
create table par_t (i int, b bigint, n numeric, f float8, t text, d date, j jsonb, a int[], m par_mood, s par_small,
                    x bytea, o bool);

do language pllua_bg $$
  spi.execute('insert into par_t values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)',
              1, 2^40 | 0, 3, 4.5, 'text', '2020-02-29', {a = {1, 2}}, {1, 2, 3}, 'ok', 99, '\0\xff', true)
  print(spi.execute('select * from par_t')[1])
  spi.execute('insert into par_t (i, j, a) values ($1, $2, $3)', nil, nil, nil)
  print(spi.execute('select count(*) from par_t where i is null and j is null and a is null').value)
  print(spi.execute('select i from par_t where i = $1', 1).value, spi.execute('select i from par_t where i = $1', '1').value)
  print(spi.execute("select $1 < date '2020-01-01'", '2019-12-31').value)
  print(spi.execute('select $1::text || $2', 1, 2).value)
  print(spi.execute('select t from par_t where i = any ($1)', {5, 1}).value)
$$;

-- where nothing is asked for, the value's own type
do language pllua_bg $$
  local r = spi.execute('select $1 as a, $2 as b, $3 as c, $4 as d, $5 as e', 1, 1.5, 'x', true, nil)
  for _, c in ipairs(r.columns) do print(c.name, c.type) end
  for _, v in ipairs {1, 1.5, 'x', false, {1, 2}, {1.5}, {{'a'}, {'b'}}} do
    print(spi.execute('select pg_typeof($1)', v).value)
  end
  print(spi.execute('select pg_typeof($1)', nil).value)
  print(spi.execute('select $1 is null, $1 = 5', 5)[1])
$$;

-- typed objects keep their type, whatever is asked for
do language pllua_bg $$
  for _, v in ipairs {pgtype.numeric('1.50'), pgtype.date('2020-01-01'), pgtype.int4range(1, 5), pgtype.jsonb({1})} do
    local r = spi.execute('select $1 as v, pg_typeof($1) as t', v)
    print(r[1].v, r[1].t, r.columns[1].type)
  end
  print(spi.execute("select $1 + 1", pgtype.date('2020-01-01')).value)
  print(spi.execute('select i from par_t where i = $1', pgtype.numeric(1)).value)
$$;

-- one text with values of different types
do language pllua_bg $$
  for i = 1, 3 do
    for _, v in ipairs {1, 'one', pgtype.numeric('1.0'), 1.5, true, pgtype.date('2020-01-01')} do
      if i == 3 then print(spi.execute('select pg_typeof($1)', v).value) else spi.execute('select pg_typeof($1)', v) end
    end
  end
$$;

-- refused
do language pllua_bg $$
  local function try(...)
    local ok, e = pcall(spi.execute, ...)
    print(ok, type(e) == 'string' and e or e.sqlstate, type(e) ~= 'string' and e.message or '')
  end
  try('select $1', 1, 2)
  try('select $2', 1)
  try('select 1', 1)
  try('select $1')
  try('select $1 + $2', 4, 5)
  try('select $1::int', 'one')
  try('select $1::int', 1.5)
  try('select $1::int', 2^40 | 0)
  try('select $1::smallint', 100000)
  try('select $1::date', {})
  try('select $1::par_mood', 'happy')
  try('select $1::par_small', 100)
  try('select $1', print)
  try('select $1 + $1', 'x')
  try('select $1::date + $1::int', 1)
$$;

drop table par_t;
drop type par_mood;
drop domain par_small;
