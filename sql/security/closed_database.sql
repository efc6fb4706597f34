-- What code can reach after its call has been left: what it holds it can release, and say something; everything else is refused.
CREATE FUNCTION closed_late(fails boolean) RETURNS SETOF int LANGUAGE pllua_bg AS $$
  local s <close> = bg.launch()
  s:exec('select 1')
  local future, other = s:run('select 1'), s:run('select 2')
  local prepared <close> = s:prepare('select $1::int')
  local next_row, _, _, stream = s:rows('select g from generate_series(1, 1000) g')
  next_row()
  local plan, open = spi.prepare('select 1'), spi.prepare('select 1'):getcursor()
  local row = spi.execute([[select '2 days'::interval as i, 1.5 as n, now() as t, '{1,2}'::int[] as a, row(1, 2) as r, '[1,2)'::int4range as g,
    '{}'::jsonb as j, 'x'::text as x, 7 as k]])[1]
  local roads = {
    exec = function() s:exec('select 1') end, run = function() s:run('select 1') end, rows = function() s:rows('select 1') end,
    prepare = function() s:prepare('select 1') end, begin = function() s:begin() end, atomic = function() s:atomic(function() end) end,
    result = function() s:result() end, notification = function() s:notification(0) end,
    get = function() future:get() end, done = function() future:done() end, wait = function() bg.wait{future} end,
    next_row = function() for i = 1, 1000 do next_row() end end,
    prepared_exec = function() prepared:exec(1) end, prepared_run = function() prepared:run(1) end, prepared_rows = function() prepared:rows(1) end,
    launch = function() bg.launch() end, autonomous = function() bg.autonomous('select 1') end, map = function() bg.map({1}, 'select $1') end,
    on_commit = function() bg.on_commit('select 1') end, chunks = function() bg.chunks('pg_class') end, progress = function() bg.progress(1) end,
    scope = function() bg.scope(function(scope) scope:go(function() spi.execute('select 1') end) end) end,
    sessions = function() bg.sessions() end, session = function() bg.session(1) end, sleep = function() bg.sleep(0.01) end,
    spi_execute = function() spi.execute('select 1') end, spi_rows = function() spi.rows('select 1') end, plan = function() plan:execute() end,
    getcursor = function() plan:getcursor() end, fetch = function() open:fetch(1) end, move = function() open:move(1) end,
    newcursor = function() spi.newcursor('another'):open('select 1') end, spi_prepare = function() spi.prepare('select 1') end,
    commit = function() spi.commit() end, rollback = function() spi.rollback() end,
    interval = function() tostring(row.i) end, numeric = function() tostring(row.n + 1) end, time = function() tostring(row.t) end,
    record = function() tostring(row.r) end, range = function() tostring(row.g) end, jsonb = function() tostring(row.j) end,
    input = function() pgtype.numeric('1') end, type_name = function() return pgtype['pg_class'] end,
    coroutine = function() local ok, e = coroutine.resume(coroutine.create(function() spi.execute('select 1') end)) if not ok then error(e, 0) end end,
    yield = function() coroutine.yield(1) end,
  }
  local names = {}
  for name in pairs(roads) do names[#names + 1] = name end
  table.sort(names)
  local guard <close> = setmetatable({}, {__close = function()
    local refused = 0
    for _, name in ipairs(names) do
      local ok, e = pcall(roads[name])
      if not ok and type(e) == 'userdata' and e.sqlstate == '55000' then refused = refused + 1 else print(name, ok, e) end
    end
    print(refused .. ' of ' .. #names .. ' refused')
    print('values', row.x, row.k, row.a[1], open:isopen(), spi.quote_literal('x'))
    spi.warning('a warning')
    open:close()
    print('released', open:isopen(), other:cancel() ~= nil, prepared:close())
    if fails then error('the end') end
  end})
  for i = 1, 100 do coroutine.yield(i) end
$$;
SELECT closed_late(false) LIMIT 1;
DO LANGUAGE pllua_bg $$ print(#bg.sessions()) $$;
SELECT closed_late(true) LIMIT 1;
DO LANGUAGE pllua_bg $$ print(#bg.sessions()) $$;
DROP FUNCTION closed_late;
