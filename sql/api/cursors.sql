-- Cursor objects.
do language pllua_bg $$
  local c = spi.newcursor('cur_a')
  print(c:name(), c:isopen(), spi.findcursor('cur_a'))
  print(c:open('select generate_series(1, 10) as x') == c)
  print(c:isopen(), spi.findcursor('cur_a') == c, spi.newcursor('cur_a') == c)
  print(c:fetch()[1].x, c:fetch(3).n, c:fetch(2)[2].x)
  local r = c:fetch(100)
  print(r.n, #r, r.tag, r[4].x, r.columns[1].name)
  r = c:fetch(1)
  print(r.n, #r, r.tag)
  print(pcall(c.open, c, 'select 1'))
  print(c:close())
  print(c:isopen(), c:name(), c:close(), spi.findcursor('cur_a'))
  print(pcall(c.fetch, c))
  print(pcall(c.move, c))
  print(pcall(c.rows, c))
  -- the same name again is another portal
  local d = spi.newcursor('cur_a'):open('select $1 || $2 as t', 'x', 'y')
  print(d ~= c, c:isopen(), d:fetch()[1].t)
$$;
select name from pg_cursors;

-- directions
do language pllua_bg $$
  local c = spi.prepare('select generate_series(1, 10) as x', {}, {scroll = true}):getcursor()
  local function x(r) return r[1] and r[1].x end
  print(c:move(4), x(c:fetch()), x(c:fetch(1, 'backward')), x(c:fetch(1, 'prior')), x(c:fetch(1, 'next')))
  print(x(c:fetch(8, 'absolute')), x(c:fetch(-3, 'relative')), x(c:fetch(0)), x(c:fetch(-1)), x(c:fetch(-1, 'absolute')))
  print(c:fetch(1, 'forward').n, c:move(100, 'backward'), x(c:fetch(nil, nil)))
  print(pcall(c.fetch, c, 1, 'sideways'))
  print(pcall(c.fetch, c, 'x'))
  c:close()
  c = spi.prepare('select generate_series(1, 10) as x', {}, {scroll = false}):getcursor()
  c:fetch(2)
  local ok, e = pcall(c.fetch, c, 1, 'backward')
  print(ok, e.sqlstate, e.message, e.hint)
$$;

-- where cursors come from
do language pllua_bg $$
  local s = spi.prepare('select generate_series(1, $1) as x', {'int4'})
  print(s:getcursor(3):fetch(10).n, spi.newcursor():open(s, 4):fetch(10).n, spi.newcursor():name())
  print(pcall(s.getcursor, s))
  print(pcall(spi.newcursor().open, spi.newcursor(), {}))
  for _, command in ipairs {"create table cur_t ()", 'select 1; select 2', 'vacuum'} do
    local ok, e = pcall(function() spi.newcursor():open(command) end)
    print(ok, e.sqlstate, e.message)
  end
  spi.execute('create temp table cur_t (x int)')
  print(spi.newcursor():open('insert into cur_t values (1), (2) returning x * 10 as y'):fetch(5)[2].y)
  spi.execute('declare cur_sql cursor for select 5 as five')
  local c = spi.findcursor('cur_sql')
  print(c:name(), c:isopen(), c:fetch()[1].five, c.five)
  spi.execute('close cur_sql')
  print(c:isopen(), c:name())
  print((tostring(c):gsub('0x%x+', 'ADDRESS')))
  spi.execute('drop table cur_t')
$$;
begin;
declare cur_outer cursor for select generate_series(1, 5) as x;
fetch 1 from cur_outer;
do language pllua_bg $$ print(spi.findcursor('cur_outer'):fetch(2)[2].x) $$;
fetch 1 from cur_outer;
do language pllua_bg $$ _G.cur_left = spi.newcursor('cur_left'):open('select 7 as seven') $$;
fetch 1 from cur_left;
commit;
do language pllua_bg $$ print(cur_left:isopen(), pcall(cur_left.fetch, cur_left)) _G.cur_left = nil $$;

-- a cursor ends with the subtransaction it was opened in, not with an inner one
do language pllua_bg $$
  local inner
  local outer = spi.newcursor('cur_o'):open('select generate_series(1, 3) as x')
  print(pcall(function()
    inner = spi.newcursor('cur_i'):open('select 1')
    outer:fetch()
    error('undo')
  end))
  print(inner:isopen(), outer:isopen(), outer:fetch()[1].x)
  print(pcall(function() inner = spi.newcursor('cur_i'):open('select 1 as one') end))
  print(inner:isopen(), inner:fetch()[1].one)
$$;

-- rows of a cursor: no row is taken that the loop has not seen, and the cursor stays open
do language pllua_bg $$
  local c = spi.newcursor():open('select generate_series(1, 6) as x')
  for row in c:rows() do print(row.x) if row.x == 2 then break end end
  print(c:fetch()[1].x)
  for row in c:rows() do print(row.x) end
  print(c:isopen(), c:fetch().n)
  local s <close> = spi.newcursor():open('select 1')
  c = spi.prepare('select generate_series(1, 6) as x', {}, {fetch_count = 3}):getcursor()
  for row in c:rows() do break end
  print('prefetched to', c:fetch()[1].x)
$$;

-- refcursor values are cursor objects
create function cur_ref(c refcursor) returns refcursor language pllua_bg as $$
  print(c and c:name(), c and c:isopen())
  return spi.newcursor('cur_result'):open('select 1 as one')
$$;
begin;
select cur_ref('cur_none');
fetch all from cur_result;
close cur_result;
select cur_ref(null);
do language pllua_bg $$
  local c = spi.newcursor('cur_p'):open('select 2 as two')
  print(spi.execute('select $1::refcursor as c', c)[1].c == c, spi.execute('select pg_typeof($1)', c).value)
  print(pcall(spi.execute, 'select $1::refcursor', spi.newcursor()))
$$;
rollback;
drop function cur_ref;

-- a cursor over a transition table ends with its trigger
create table watched (id int);
create function keeps_cursor() returns trigger language pllua_bg as $$
    spi.newcursor('kept'):open('select * from newtab')
$$;
create trigger keeps_cursor after insert on watched referencing new table as newtab
    for each statement execute function keeps_cursor();
begin;
insert into watched values (1);
fetch 1 from kept;
rollback;
drop table watched;
drop function keeps_cursor;
-- the portal of a cursor that was opened here is closed when the object is garbage, unless it is disowned or its name was given to SQL
begin;
create function cur_count() returns int language sql as $$ select count(*)::int from pg_cursors where name like 'own%' or name like '<unnamed%' $$;
do language pllua_bg $$
  local function count() collectgarbage() collectgarbage() return spi.execute('select cur_count()').value end
  local s = spi.prepare('select generate_series(1, $1) as x')
  local c = s:getcursor(3)
  print(c:isowned(), c:disown() == c, c:isowned(), c:own() == c, c:isowned(), count())
  c = nil
  print(count())
  c = spi.newcursor('own_a')
  print(c:isowned(), c:open(s, 3):isowned(), count())
  c = nil
  print(count(), spi.findcursor('own_a'))
  c = spi.newcursor('own_b'):open(s, 3):disown()
  c = nil
  print(count(), spi.findcursor('own_b'):isowned())
  spi.findcursor('own_b'):own()
  print(count(), spi.findcursor('own_b'))
  c = spi.newcursor('own_c'):open(s, 3)
  c:close()
  print(c:isowned(), c:isopen(), c:own():isowned(), c:disown():isowned(), c:open(s, 2):isowned())
  spi.execute('select $1::refcursor', c)
  print(c:isowned())
  c = nil
  print(count(), spi.findcursor('own_c'):fetch(5).n)
  for _, method in ipairs {'own', 'disown', 'isowned'} do print(pcall(spi.newcursor()[method], {})) end
$$;
create function cur_made() returns refcursor language pllua_bg as $$ return spi.newcursor('own_made'):open('select 1 as one') $$;
create function cur_lost() returns text language pllua_bg as $$ return spi.newcursor('own_lost'):open('select 1 as one'):name() $$;
select cur_made(), cur_lost();
do language pllua_bg $$ collectgarbage() collectgarbage() $$;
select name from pg_cursors where name like 'own%' order by name;
-- not one that is in use just then
do language plpgsql $$ declare c cursor for select generate_series(1, 3) as x; total int := 0; begin
  for r in c loop
    execute format($do$ do language pllua_bg $lua$ spi.findcursor(%L):own() collectgarbage() collectgarbage() $lua$ $do$, c::text);
    total := total + r.x;
  end loop;
  raise notice 'the loop has gone on: %', total;
end $$;
rollback;
-- an error while it is open; a subtransaction that ends with it
do language pllua_bg $$
  local s = spi.prepare('select generate_series(1, $1) as x')
  print(pcall(function() local c = s:getcursor(3) error('out of it', 0) end))
  pcall(function() s:getcursor(3) spi.execute('select 1/0') end)
  collectgarbage() collectgarbage()
  print(spi.execute('select count(*) from pg_cursors').value)
$$;
-- a statement is called as its method execute is
do language pllua_bg $$
  local s = spi.prepare('select $1::int + 1 as n')
  print(s(1)[1].n, s:execute(1)[1].n, pcall(s))
  print(spi.prepare('set local work_mem = 64')())
  -- parameters that do not occur have no type
  s = spi.prepare('select $2::int')
  print(s:numargs(), s:argtype(1), s:argtype(2), s(nil, 5).value, s('any', 5).value, pcall(s.argtype, s, 3))
  print(spi.prepare('select $2::int', {'text'}):argtype(1), spi.prepare('select $1'):argtype(1))
$$;
-- whether a statement gives rows to a cursor; a closed cursor is no error of the server
do language pllua_bg $$
  print(spi.prepare('select 1'):cursor_ok(), spi.prepare('create table cur_no ()'):cursor_ok(), spi.prepare('show work_mem'):cursor_ok())
  local c = spi.newcursor('cur_closed')
  print(lpcall(c.fetch, c))
  print(lpcall(c.move, c))
$$;
-- held beyond the transaction
do language pllua_bg $$ spi.newcursor('cur_held'):open(spi.prepare('select generate_series(1, 3) as n', {}, {hold = true})):disown() $$;
fetch all from cur_held;
close cur_held;
do language pllua_bg $$ for row in spi.prepare('select generate_series(1, 2) as n', {}, {hold = true}):rows() do print(row.n) _G.cur_loop = spi.prepare('select 1', {}, {hold = true}):rows() cur_loop() end $$;
select name from pg_cursors;
do language pllua_bg $$ _G.cur_loop = nil collectgarbage() $$;
create function cur_restricted(a int) returns int immutable language pllua_bg as $$
  print(pcall(function() spi.newcursor('cur_evil'):open(spi.prepare('select 1', {}, {hold = true})) end))
  return a
$$;
create table cur_indexed as select 1 as a;
create index on cur_indexed (cur_restricted(a));
drop table cur_indexed;
drop function cur_restricted;
