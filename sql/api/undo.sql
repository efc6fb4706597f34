-- pcall undoes what a failed call has done in the database.
create table undo_t (id int primary key);

do language pllua_bg $$
  local function count() return spi.execute('select count(*) from undo_t').value end
  print(pcall(function()
    spi.execute('insert into undo_t values (1), (2)')
    spi.execute('insert into undo_t values (3), (1)')
  end))
  print(count())
  print(pcall(function() spi.execute('insert into undo_t values (1)') error('of Lua') end))
  print(count())
  print(pcall(function() spi.execute('insert into undo_t values (1), (2)') return 'kept' end))
  print(count())
  print(xpcall(function() spi.execute('insert into undo_t values (3)') spi.execute('select 1/0') end,
               function(e) return e.sqlstate, count() end))
  -- the first half of a failed statement
  print(pcall(spi.execute, 'insert into undo_t values (10), (11), (1)'))
  print(count())
$$;

-- nested
do language pllua_bg $$
  print(pcall(function()
    spi.execute('insert into undo_t values (20)')
    print(pcall(function() spi.execute('insert into undo_t values (21)') error({'inner'}) end) == false)
    print(pcall(spi.execute, 'insert into undo_t values (22)'))
  end))
  print(spi.execute('select array_agg(id order by id) from undo_t where id >= 20').value)
$$;

-- parameters that cannot be converted, at every boundary
do language pllua_bg $$
  for i = 1, 300 do
    lpcall(spi.execute, 'select $1::text, $2::int', 'text', 2^40 | 0)
    coroutine.resume(coroutine.create(function() spi.execute('select $1::text, $2::int', 'text', {}) end))
    pcall(spi.execute, 'select $1::text, $2::int', 'text', 'x')
    local v = spi.execute('select $1::text || $2::text', 'a' .. i, 'b').value
    if v ~= 'a' .. i .. 'b' then error('wrong value ' .. v) end
    if i % 50 == 0 then collectgarbage() end
  end
  print('all right')
$$;

-- the fields of a server error
do language pllua_bg $$
  local ok, e = pcall(spi.execute, 'insert into undo_t values ($1)', 1)
  for _, name in ipairs {'severity', 'sqlstate', 'errcode', 'category', 'message', 'detail', 'schema', 'table', 'constraint',
                         'column', 'hint'} do
    print(name, e[name])
  end
  ok, e = pcall(spi.execute, 'select * from undo_t where nothing = 1')
  print(e.sqlstate, e.internal_query, e.internal_position, e.context)
$$;

-- a cancelled statement cannot be caught
set statement_timeout = '200ms';
do language pllua_bg $$ while true do pcall(spi.execute, 'select pg_sleep(60)') end $$; -- workload
do language pllua_bg $$ for row in spi.rows('select generate_series(1, 100000000)') do end $$;
reset statement_timeout;

drop table undo_t;
