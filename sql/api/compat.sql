-- pllua.compat: the interface of pllua 1.x. It makes globals, so a role of its own has them.
create role compat_user;
grant create, usage on schema public to compat_user;
set pllua_bg.on_common_init = $$ require 'pllua.compat' $$;
set role compat_user;
create table compat_t (a int primary key, b text);
do language pllua_bg $$
  local function show(r)
    if type(r) ~= 'table' then return tostring(r) end
    local list = {}
    for i, row in ipairs(r) do list[i] = row.a end
    return '{' .. table.concat(list, ' ') .. '}'
  end
  print(require 'pllua.compat' == true)
  print(server.execute("insert into compat_t select g, 'x' || g from generate_series(1, 5) g"), show(server.execute("insert into compat_t values (6, 'x6') returning a")))
  print(show(server.execute('select * from compat_t')), show(server.execute('select * from compat_t', true, 2)), show(server.execute('select * from compat_t where a > 9')))
  print(show(server.execute(spi.prepare('select 7 as a'))))
  for row in server.rows('select * from compat_t where a > 4') do print(row.a, row.b) end
  print(pcall(server.execute, {}))
  print(pcall(server.execute, 'select $1::int', 5))
  print(pcall(server.execute, 'select 1', true, -1))
  print(pcall(server.execute, 'select nothing'))
  -- statements take their arguments as a table
  local all, some = server.prepare('select * from compat_t order by a'), server.prepare('select * from compat_t where a > $1 order by a', {'int4'}, {scroll = true})
  print(show(all:execute()), show(some:execute({3})), show(some:execute({3}, true, 1)), show(some:execute({9})), show(some:execute({nil})))
  print(all:save() == all, all:issaved(), pcall(some.execute, some))
  print(pcall(some.execute, some, {'x'}))
  for row in some:rows({4}) do print(row.a) end
  for row in all:rows(nil, true) do print(row.b) break end
  -- cursors: fetch, move by so many; posfetch, posmove to a place, or relative to this one
  local c = some:getcursor({0})
  print(show(c:fetch(2)), show(c:fetch()), show(c:posfetch(1)), show(c:posfetch(2, true)), show(c:posfetch(99)), show(c:fetch(-1)))
  print(c:move(-2), show(c:fetch()), c:posmove(1), show(c:fetch()), c:posmove(-2, true), show(c:fetch()))
  c:close()
  print(pcall(c.fetch, c))
  print(pcall(c.close, c))
  c = some:getcursor({4}, true, 'compat_cursor')
  print(show(server.find('compat_cursor'):fetch(9)), server.find('nothing'))
  print(pcall(some.getcursor, some, {4}, true, 'compat_cursor'))
  c:close()
$$;
-- text to values, subtransactions, messages
do language pllua_bg $$
  print(fromstring('int4', '5'), fromstring('numeric', '1.50'), fromstring('int4[]', '{1,2}')[2], fromstring('compat_t', '(1,x)').b, fromstring('text', nil))
  print(pcall(fromstring, 'no_such', 'x'))
  print(pcall(fromstring, 'int4', 'x'))
  print(subtransaction(function(...) return ... end, 1, 2))
  print(subtransaction(spi.execute, 'select 1/0'))
  info('info') notice('notice') warning('warning') info('a', 'b') warning {message = 'table', hint = 'hint'}
  debug('not shown') print(type(debug.traceback))
  print(pcall(notice))
  print(pcall(pgfunc, 'f'))
$$;
set client_min_messages = debug1;
do language pllua_bg $$ debug('shown') $$;
set client_min_messages = log;
do language pllua_bg $$ log('in the log') $$;
reset client_min_messages;
-- setshared: what is shared looks as a global of every function's own, and is assigned as one
create function compat_count() returns int language pllua_bg as $$
  setshared('counter', (counter or 0) + 1)
  counter = counter + 10
  return counter
end
do private = 1 $$;
select compat_count(), compat_count();
do language pllua_bg $$
  print(counter, shared.counter, rawget(_G, 'counter'), private)
  counter = 5 mine = 1
  print(shared.counter, rawget(_ENV, 'counter'), rawget(_ENV, 'mine'), shared.mine)
  setshared('print_twice', function(x) print(x, x) end)
  setshared('gone', 1) setshared('gone')
  print(gone, pcall(setshared))
  setshared('table', {1})
  print(table[1], table == shared.table, type(_G.table.concat))
  setshared('table')
$$;
do language pllua_bg $$ print_twice(counter) print(mine, table.concat{1, 2}) shared.direct = 7 print(direct) direct = 8 print(shared.direct) $$;
drop function compat_count();
drop table compat_t;
reset role;
-- the untrusted language, and without the setting nothing of it
do language pllua_bgu $$ print(type(server), require 'pllua.compat', server.execute('select 1 as a')[1].a, debug('not shown'), type(debug.getinfo)) $$;
reset pllua_bg.on_common_init;
do language pllua_bg $$ print(rawget(_G, 'server'), rawget(_G, 'setshared'), getmetatable(debug)) $$;
revoke create, usage on schema public from compat_user;
drop role compat_user;
