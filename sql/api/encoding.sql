-- Every string that goes to the server has to be valid in the database encoding and free of NUL.
do language pllua_bg $$
  local bad = {'\xff', 'a\0b', '\xc3', 'cut \xe2\x82', '\xed\xa0\x80'}
  for i, s in ipairs(bad) do
    local function try(f, ...)
      local ok, e = pcall(f, ...)
      if ok or e.sqlstate ~= '22021' then error('accepted ' .. i) end
    end
    try(spi.execute, "select '" .. s .. "'")
    try(spi.execute, 'select $1::text', s)
    try(spi.execute, 'select $1', s)
    try(spi.prepare, "select '" .. s .. "'")
    try(spi.prepare, 'select $1', {s})
    try(spi.prepare('select $1::varchar').execute, spi.prepare('select $1::varchar'), s)
    try(spi.rows, "select '" .. s .. "'")
    try(quote_ident, s)
    try(quote_literal, s)
  end
  print('all refused')
  print(pcall(spi.execute, 'select $1::text', '\xff'))
  print(#spi.execute('select $1::bytea', '\xff\0').value, spi.execute('select $1::text', 'grün €').value)
$$;
-- messages show what is no text
do language pllua_bg $$
  for _, s in ipairs {'\xff', 'a\0b\0', '\xc3', 'cut \xe2\x82', '\xed\xa0\x80', 'grün \xff €'} do
    print(s, s)
    spi.info('22012', s, 'detail ' .. s, s)
    local e = select(2, pcall(spi.error, {message = s, table = s, sqlstate = '22012'}))
    print(e.sqlstate, e.message, e.table)
  end
  print(setmetatable({}, {__tostring = function() return '\xfe' end}))
  warn('\xfd', '\0')
  for i = 1, 1000 do spi.debug('\xff') end
  print(spi.execute("select total_bytes < 100000 from pg_backend_memory_contexts where name = 'ErrorContext'").value)
$$;
do language pllua_bg $$ spi.error('an \xff \0 error') $$;
do language pllua_bg $$ spi.error('57014', 'an \xff \0 error') $$;
