-- The result object: rows at 1..n, and n, tag, columns, value.
create table res_t (id int, name varchar(20), price numeric(8,2), tags text[]);
insert into res_t values (1, 'one', 1.50, '{a,b}'), (2, null, null, null);

do language pllua_bg $$
  local r = spi.execute('select * from res_t order by id')
  print(r.n, #r, r.tag, r.value)
  for i, c in ipairs(r.columns) do print(i, c.name, c.type, c.oid, c.typmod) end
  for i, row in ipairs(r) do print(i, row.id, row.name, row.price, row.tags, row[1], row[2]) end
  print(tostring(r[1]), tostring(r[2]))
  for name, value, number in pairs(r[2]) do print(name, value, number) end
$$;

-- value: one row of one column
do language pllua_bg $$
  print(spi.execute('select 42 as answer').value)
  print(spi.execute('select null::int as answer').value)
  print(spi.execute('select false as answer').value)
  print(spi.execute('select 1, 2').value)
  print(spi.execute('select generate_series(1, 2)').value)
  print(spi.execute('select 1 where false').value)
$$;

-- odd shapes
do language pllua_bg $$
  local r = spi.execute('select 1 as a, 2 as a, 3 as "?"')
  print(r[1][1], r[1][2], r[1]['?'], #r.columns)
  r = spi.execute('select from generate_series(1, 3)')
  print(r.n, #r.columns, tostring(r[1]))
  r = spi.execute('select row(1, $1::text) as whole, res_t as composite from res_t where id = 1', 'x')
  print(r[1].whole, r[1].composite.name, r.columns[1].type, r.columns[2].type)
$$;

-- many rows, and values stored out of line or compressed
create table res_big as select i, repeat(md5(i::text), 200) as t from generate_series(1, 50) i;
alter table res_big alter t set storage external;
update res_big set t = t || 'x' where i % 2 = 0;
do language pllua_bg $$
  local r = spi.execute('select i, t, length(t) as l, md5(t) as m from res_big order by i')
  for i, row in ipairs(r) do
    if #row.t ~= row.l or row.m ~= spi.execute('select md5($1)', row.t).value then error('wrong row ' .. i) end
  end
  print(r.n, #r[1].t, #r[2].t)
  r = spi.execute("select i, 'row ' || i as t from generate_series(1, 20000) i")
  print(r.n, r[1].t, r[20000].t)
$$;

-- the rows are the caller's own: changing one does not change the next result
do language pllua_bg $$
  local statement = spi.prepare('select id, name from res_t where id = $1')
  local first = statement:execute(1)[1]
  first.name = 'changed'
  print(first.name, statement:execute(1)[1].name)
  print(statement:execute(1).columns[2].name)
$$;

-- a result larger than the memory limit is refused; iterating is not
set pllua_bg.memory_limit = '20MB';
do language pllua_bg $$
  local ok, e = pcall(spi.execute, "select i, repeat('x', 100) as t from generate_series(1, 1000000) i")
  print(ok, e.sqlstate, e.message, e.hint)
  local n = 0
  for row in spi.rows("select i, repeat('x', 100) as t from generate_series(1, 100000) i") do n = n + 1 end
  print(n)
$$;
reset pllua_bg.memory_limit;


-- printed: a table as psql shows it, bounded; a command without rows is its tag
do language pllua_bg $$
  print(spi.execute('select * from res_t order by id'))
  print(spi.execute('select * from res_t where false'))
  print(spi.execute('select 1 as one'), 'and', spi.execute([[select 1.5 as "Long name of it", chr(10) || 'two', '\x00ff'::bytea, false]]))
  print(spi.execute('select from generate_series(1, 2)'))
  print(spi.execute([[select i, repeat('é', i * 10) as t, i::float8 / 4 as f, row(i, null) as r from generate_series(1, 30) i]]))
  print((tostring(spi.execute('select ' .. string.rep('i as "column", ', 40) .. 'i from generate_series(1, 2) i'))))
  local s <close> = bg.launch()
  print(s:exec('select * from generate_series(1, 2) as one, (values (null, true)) as v(a, b)'))
  print(s:exec('create temp table printed (a int)'), s:exec('insert into printed values (1), (2)'), s:exec(''))
  s:exec('drop table if exists nowhere')
  do local quiet <close> = bg.launch{on_notice = function() end} print(quiet:exec('drop table if exists nowhere')) end
  local cursor = spi.prepare('select 1 as one'):getcursor()
  print(cursor:fetch(5))
  local r = spi.execute('select 1 as one')
  r[2] = 'text'
  r[3] = {one = 3}
  -- an address may be short or long
  print((tostring(r):gsub('0x%x+', '0xN'):gsub(' +', ' '):gsub('%-+', '-')))
$$;

-- no field but those; it is a sequence all the same
do language pllua_bg $$
  local s <close> = bg.launch()
  for _, run in ipairs {spi.execute, function(sql) return s:exec(sql) end} do
    local r = run('select i as one, i as two from generate_series(1, 3) i')
    local _, err = pcall(function() return r.one end)
    print(err, err.hint)
    _, err = pcall(function() return r.rows end)
    print(err, err.hint)
    print(r[0], r[4], r[-1], r[1.5], r[true], #r, next(r) ~= nil, r.value, r.tag, r.n)
    for i, row in ipairs(r) do print(i, row.two) end
    local n = 0
    for _ in pairs(r) do n = n + 1 end
    print(n, table.unpack(r, 2))
    print(select('#', table.unpack(r, 1, 5)), table.remove(r), #r, pcall(table.sort, r, function(a, b) return a.one > b.one end))
    print(r[1].one, r[2].one)
    print(pgtype.jsonb({run('select 1 as a')[1]}), pgtype.jsonb(run('select 1 as a')))
    print(getmetatable(setmetatable(r, {x = 1})).x)
    print(pcall(bg.wait, {r}))
  end
  local r = s:exec('create temp table fields (a int)')
  print(r.value, r.columns, pcall(function() return r.a end))
$$;
-- what pairs gives for a row may be called with anything
do language pllua_bg $$
  local next_column = pairs(spi.execute('select 1 as a')[1])
  for _, x in ipairs{5, 'text', print, true} do print(pcall(next_column, x)) end
  print(pcall(next_column))
  print(next_column{a = 2})
  print(next_column{})
$$;
drop table res_t, res_big;
