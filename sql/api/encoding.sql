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
    try(spi.error, s)
    try(spi.error, '22012', 'm', s)
    try(spi.error, {message = 'm', table = s})
    try(spi.notice, s)
    try(print, s)
    try(quote_ident, s)
    try(quote_literal, s)
  end
  print('all refused')
  print(pcall(spi.execute, 'select $1::text', '\xff'))
  print(#spi.execute('select $1::bytea', '\xff\0').value, spi.execute('select $1::text', 'grün €').value)
$$;
