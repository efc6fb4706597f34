-- spi.subtransaction(): a subtransaction that ends with a block.
create schema api_subtransaction;
set search_path = api_subtransaction;
create table t (id int primary key);
create function ids() returns text language sql as $$ select coalesce(string_agg(id::text, ' ' order by id), '-') from t $$;
do language pllua_bg $$ function _G.ids() return spi.execute('select ids()').value end $$;

-- left normally: kept; by an error: undone
do language pllua_bg $$
  do
    local sub <close> = spi.subtransaction()
    spi.execute('insert into t values (1)')
    print(sub, sub:isopen())
  end
  print(ids())
  for i = 2, 4 do
    local sub <close> = spi.subtransaction()
    spi.execute('insert into t values ($1)', i)
    if i == 3 then break end
  end
  print(ids())
  local function give(n)
    local sub <close> = spi.subtransaction()
    spi.execute('insert into t values ($1)', n)
    return n
  end
  print(give(10), ids())
  print(pcall(give, 10))
  for _, what in ipairs {'text', 'nothing', 'table', 'server'} do
    print(what, pcall(function()
      local sub <close> = spi.subtransaction()
      spi.execute('insert into t values (20)')
      if what == 'text' then error('gone') end
      if what == 'nothing' then error() end
      if what == 'table' then error(setmetatable({}, {__tostring = function() return 'T' end})) end
      spi.execute('select 1/0')
    end))
  end
  print(ids())
  -- of the server, uncaught inside
  print(pcall(lpcall, function()
    local sub <close> = spi.subtransaction()
    spi.execute('insert into t values (1)')
  end))
  print(ids())
$$;

-- ended by hand
do language pllua_bg $$
  local sub <close> = spi.subtransaction()
  spi.execute('insert into t values (30)')
  sub:rollback()
  print(sub, sub:isopen(), ids())
  print(pcall(sub.rollback, sub))
  print(pcall(sub.commit, sub))
  local other <close> = spi.subtransaction()
  spi.execute('insert into t values (31)')
  other:commit()
  print(ids())
  -- those inside end with it
  local a = spi.subtransaction()
  spi.execute('insert into t values (32)')
  local b = spi.subtransaction()
  spi.execute('insert into t values (33)')
  a:rollback()
  print(a, b, ids())
  local a = spi.subtransaction()
  spi.execute('insert into t values (34)')
  local b = spi.subtransaction()
  spi.execute('insert into t values (35)')
  b:rollback()
  a:commit()
  print(ids())
  print(pcall(sub.commit))
  print(pcall(sub.commit, {}))
$$;

-- one that nobody ends, ends with its pcall, coroutine or function as that ends
do language pllua_bg $$
  local kept
  print(pcall(function() kept = spi.subtransaction() spi.execute('insert into t values (40)') end))
  print(kept, ids())
  print(pcall(function() kept = spi.subtransaction() spi.execute('insert into t values (41)') error 'no' end))
  print(kept, ids())
  print(xpcall(function() kept = spi.subtransaction() spi.execute('insert into t values (42)') end, print))
  print(xpcall(function() kept = spi.subtransaction() spi.execute('insert into t values (43)') error 'no' end, print))
  print(xpcall(function() spi.subtransaction() spi.execute('insert into t values (44)') error 'no' end, debug.traceback) == false)
  print(kept, ids())
  coroutine.wrap(function() kept = spi.subtransaction() spi.execute('insert into t values (45)') end)()
  print(kept, ids())
  print(coroutine.resume(coroutine.create(function() kept = spi.subtransaction() spi.execute('insert into t values (46)') error 'no' end)))
  print(kept, ids())
  print(pcall(coroutine.resume, coroutine.create(function()
    spi.subtransaction() spi.execute('insert into t values (47)') spi.execute('insert into t values (1)')
  end)))
$$;
select ids();
do language pllua_bg $$ last = spi.subtransaction() _G.last = last spi.execute('insert into t values (48)') $$;
select ids();
do language pllua_bg $$
  local sub <close> = spi.subtransaction()
  print(_G.last, pcall(_G.last.commit, _G.last))
  print(sub)
$$;

-- not from inside something that has begun later
do language pllua_bg $$
  local sub <close> = spi.subtransaction()
  print(pcall(function() sub:commit() end))
  print(pcall(function() local again <close> = sub end))
  print(coroutine.resume(coroutine.create(function() sub:rollback() end)))
  _G.sub = sub
  spi.execute([[do language pllua_bg 'print(pcall(sub.rollback, sub))']])
  print(sub)
$$;

-- no yield inside
do language pllua_bg $$
  local co = coroutine.create(function()
    local sub <close> = spi.subtransaction()
    spi.execute('insert into t values (50)')
    coroutine.yield()
  end)
  print(coroutine.resume(co))
  print(ids())
$$;
create function rows() returns setof int language pllua_bg as $$
  for i = 1, 2 do
    local sub <close> = spi.subtransaction()
    spi.execute('insert into t values ($1)', 60 + i)
    coroutine.yield(i)
  end
$$;
select rows();
select * from rows();
select ids();

-- no commit inside, and none where the database is closed
do language pllua_bg $$
  local sub <close> = spi.subtransaction()
  print(spi.is_atomic(), pcall(spi.commit))
$$;
do language pllua_bg $$
  setmetatable({}, {__gc = function() print(pcall(spi.subtransaction)) end})
  collectgarbage() collectgarbage()
$$;

-- in a pcall, in pcalls, and with pcalls inside
do language pllua_bg $$
  print(pcall(function()
    local sub <close> = spi.subtransaction()
    spi.execute('insert into t values (70)')
    print(pcall(function() spi.execute('insert into t values (71)') spi.execute('insert into t values (1)') end) == false)
    print(pcall(function() spi.execute('insert into t values (72)') end))
    sub:commit()
    local sub2 <close> = spi.subtransaction()
    spi.execute('insert into t values (73)')
    error 'out'
  end))
  print(ids())
  print(pcall(function()
    do
      local sub <close> = spi.subtransaction()
      spi.execute('insert into t values (70)')
    end
    local sub2 <close> = spi.subtransaction()
    spi.execute('insert into t values (73)')
    sub2:rollback()
  end))
  print(ids())
$$;

-- begun and left by a metamethod that runs while values are converted
do language pllua_bg $$
  local left
  local function begin(value)
    return setmetatable({}, {__tostring = function() return value end, __index = function(_, k)
      if k == 'a' then left = spi.subtransaction() spi.execute('insert into t values (80)') return 1 end
    end})
  end
  spi.execute('create type pair as (a int, b text)')
  print(spi.execute("select $1::pair::text || repeat('x', 10)", begin('x')).value)
  print(left, ids())
  left:rollback()
  print(spi.execute("select $1 || repeat('y', 10)", 'text').value)
  -- what a function has begun is ended by what converts its parameters
  local outer = spi.subtransaction()
  spi.execute('insert into t values (81)')
  local ender = setmetatable({}, {__index = function(_, k) if k == 'b' then outer:rollback() return 'ended' end end})
  print(spi.execute("select $1::pair::text", ender).value)
  print(outer, ids())
$$;

-- a recursion without an end
do language pllua_bg $$
  local function again() local sub <close> = spi.subtransaction() again() end
  print(pcall(again))
  local sub = spi.subtransaction()
  print(sub)
$$;
do language pllua_bg $$ for i = 1, 2000 do spi.subtransaction() end $$;

-- a cancel is not caught
set statement_timeout = '100ms';
do language pllua_bg $$
  pcall(function() local sub <close> = spi.subtransaction() while true do end end)
$$;
reset statement_timeout;
select ids();

-- a read-only function, and a trigger
create function reads() returns text stable language pllua_bg as $$
  local sub <close> = spi.subtransaction()
  return spi.execute('select count(*)::text from t').value
$$;
select reads();
create function guard() returns trigger language pllua_bg as $$
  local sub <close> = spi.subtransaction()
  if new.id % 2 == 1 then sub:rollback() return nil end
$$;
create trigger guard before insert on t for each row execute function guard();
insert into t select generate_series(90, 93);
select ids();

set client_min_messages = warning;
drop schema api_subtransaction cascade;
