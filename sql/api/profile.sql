-- bg.profile: time and calls by line and by text of SQL.
create schema api_profile;
set search_path = api_profile;
create function work(n int) returns int language pllua_bg as $$
  local sum = 0
  for i = 1, n do
    sum = sum + spi.execute('select $1::int', i).value
  end
  return sum
$$;
create function outer_work(n int) returns int language pllua_bg as $$
  local total = 0
  for i = 1, 2 do total = total + spi.execute('select api_profile.work($1)', n).value end
  return total
$$;
-- what was counted, by place; the time of all is more than none
do language pllua_bg $$
  function _G.show(rows)
    local lines, seconds = {}, 0
    for _, r in ipairs(rows) do
      lines[#lines + 1] = ('%s %s%s %d'):format(r.kind, r.source, r.line and ':' .. r.line or '', r.calls)
      seconds = seconds + r.seconds
    end
    table.sort(lines)
    print(table.concat(lines, '\n'), seconds > 0)
  end
$$;
do language pllua_bg $$
  local outer = bg.import 'outer_work'
  show(bg.profile(function(a)
    local x = a
    for i = 1, 3 do
      x = x + i
    end
    return outer(5)
  end, 1))
$$;
-- what the function returns follows; the most time first; a loop over rows; coroutines
do language pllua_bg $$
  local rows, a, b, c = bg.profile(function(...)
    for row in spi.rows('select generate_series(1, 20)') do end
    local co = coroutine.wrap(function() for i = 1, 3 do
      coroutine.yield(i) end end)
    for i in co do
      if i == 3 then break end
    end
    local n = 0
    for i = 1, 300000 do n = n + i end
    return ...
  end, 1, nil, 3)
  print(a, b, c, rows[1].source, rows[1].line)
  for i = 2, #rows do if rows[i].seconds > rows[i - 1].seconds then error 'order' end end
  show(rows)
$$;
-- an error ends it, as does the next run; none within another
do language pllua_bg $$
  print(pcall(bg.profile, error, 'gone'))
  print(pcall(bg.profile, function() spi.execute('select 1/0') end))
  print(pcall(bg.profile, function() bg.profile(print) end))
  print(pcall(bg.profile))
  print(pcall(bg.profile, 1))
  show(bg.profile(function() return 1 end))
$$;
-- left in the middle, and begun again
create function rows_of_profile() returns setof int language pllua_bg as $$
  bg.profile(function() coroutine.yield(1) coroutine.yield(2) end)
$$;
select rows_of_profile() limit 1;
begin;
declare c cursor for select rows_of_profile();
fetch c;
do language pllua_bg $$ show(bg.profile(function() return 1 end)) $$;
rollback;
-- what a coroutine leaves in the middle ends with the call
create function left_behind() returns boolean language pllua_bg as $$
  _G.left = coroutine.create(bg.profile)
  return (coroutine.resume(left, coroutine.yield))
$$;
select left_behind(), left_behind();
select left_behind();
do language pllua_bg $$
  show(bg.profile(function() return 1 end))
  print((coroutine.resume(left)))
$$;
-- no more is kept than 64 MB
do language pllua_bg $$
  local rows = bg.profile(function()
    local comment = ' -- ' .. ('x'):rep(2^23)
    for i = 1, 20 do spi.execute('select ' .. i .. comment) end
  end)
  local texts = 0
  for _, r in ipairs(rows) do texts = texts + (r.kind == 'sql' and 1 or 0) end
  print(texts)
$$;
-- interrupts come through, before and after
set statement_timeout = '200ms';
do language pllua_bg $$ bg.profile(function() while true do end end) $$;
do language pllua_bg $$ while true do end $$;
do language pllua_bg $$
  bg.profile(function()
    local loops <close> = setmetatable({}, {__close = function() while true do end end})
    coroutine.wrap(function() local again <close> = loops while true do end end)()
  end)
$$;
reset statement_timeout;
-- as rows of a function
create function profiled(out kind text, out source text, out line int, out calls bigint, out seconds float8) returns setof record language pllua_bg as $$
  return (bg.profile(bg.import 'work', 3))
$$;
select kind, source, line, calls, seconds >= 0 as some from profiled() order by kind, line;
-- in another interpreter, of another role
create role regress_api_profile;
create function of_role() returns int language pllua_bg security definer as $$
  local n = 1
  return n
$$;
grant usage on schema api_profile to regress_api_profile;
alter function of_role() owner to regress_api_profile;
do language pllua_bg $$ show(bg.profile(bg.import 'of_role')) $$;
set client_min_messages = warning;
drop schema api_profile cascade;
drop role regress_api_profile;
