-- tag, columns and value are no keys: what goes through a result meets its rows and n, as in pllua
do language pllua_bg $$
  create = spi.prepare('select generate_series(1, $1) as a')
  for _, r in ipairs {create(0), create(1), create(2)} do
    local keys = {}
    for key in pairs(r) do keys[#keys + 1] = tostring(key) end
    table.sort(keys)
    print(table.concat(keys, ' '), r.tag, r.n, #r, r.columns[1].name, r.value, rawget(r, 'tag'))
  end
  -- one statement, several tags
  spi.execute('create temp table tags (a int)')
  local s = spi.prepare('insert into tags select generate_series(1, $1) returning a')
  local two, three = s(2), s(3)
  print(two.tag, three.tag, spi.execute('explain (costs off) select 1').tag, spi.execute('show work_mem').tag, two.tag)
  local c = spi.prepare('select a from tags'):getcursor()
  local some, select_all = c:fetch(2), spi.execute('select a from tags')
  print(some.tag, select_all.tag, c:fetch(1).tag, some.tag)
  -- they can be set, and a result can be changed
  two.tag, two.value, two.mine = 'mine', 5, 1
  print(two.tag, two.value, two.mine, three.tag)
  three[1], three[2], three[3] = nil, nil, nil
  print(three.value, #three, three.tag)
  print(spi.execute('select null as a').value, spi.execute('select 7 as a')[1].a, spi.execute('select 7 as a, 8 as b').value)
  print(pgtype.jsonb(create(2)), pgtype.jsonb {rows = create(1)})
  local meta = getmetatable(create(1))
  print(pcall(meta.__index, {}, 'tag'), pcall(meta.__index, 5, 'tag'), pcall(meta.__index, setmetatable({}, meta), 'value'))
  local names = {}
  for key in pairs(meta) do names[#names + 1] = tostring(key) end
  table.sort(names)
  print(table.concat(names, ' '), setmetatable({n = 3}, meta).tag, pcall(function() return setmetatable({}, meta).tag end))
  c:close()
  spi.execute('drop table tags')
$$;
