-- An error of the server that Lua code catches must have been rolled back, or not be catchable: every way around pcall ends in
-- the server's own error, and nothing of the failed statement stays.
CREATE TABLE pl_integrity (id int PRIMARY KEY);
\set VERBOSITY terse

-- the proper way
DO LANGUAGE pllua_bg $$ print(pcall(spi.execute, 'INSERT INTO pl_integrity VALUES (1), (2), (1)')) $$;
TABLE pl_integrity;
-- load with a reader
DO LANGUAGE pllua_bg $$ print(load(function() spi.execute('INSERT INTO pl_integrity VALUES (1), (2), (1)') end)) print 'went on' $$;
DO LANGUAGE pllua_bg $$
  pcall(function() load(function() spi.execute('INSERT INTO pl_integrity VALUES (1), (2), (1)') end) print 'went on' end)
  print(spi.execute('SELECT count(*) AS n FROM pl_integrity')[1].n)
$$;
-- coroutine.close
DO LANGUAGE pllua_bg $$
  local co = coroutine.create(function()
    local guard <close> = setmetatable({}, { __close = function() spi.execute('INSERT INTO pl_integrity VALUES (1), (2), (1)') end })
    coroutine.yield()
  end)
  coroutine.resume(co)
  print(coroutine.close(co))
  print 'went on'
$$;
-- __gc in a coroutine
DO LANGUAGE pllua_bg $$
  local co = coroutine.wrap(function()
    setmetatable({}, { __gc = function() spi.execute('INSERT INTO pl_integrity VALUES (1), (2), (1)') end })
    collectgarbage()
  end)
  co()
$$;
-- <close> that replaces the error, in wrap, in resume
DO LANGUAGE pllua_bg $$
  local co = coroutine.create(function()
    local inner = coroutine.wrap(function()
      local guard <close> = setmetatable({}, { __close = function() error 'another error' end })
      spi.execute('INSERT INTO pl_integrity VALUES (1), (2), (1)')
    end)
    inner()
  end)
  print(coroutine.resume(co))
  print 'went on'
$$;
-- the same at the top
DO LANGUAGE pllua_bg $$
  local guard <close> = setmetatable({}, { __close = function() error 'another error' end })
  spi.execute('INSERT INTO pl_integrity VALUES (1), (2), (1)')
$$;
-- coroutine.resume, lpcall, xpcall with a failing handler
DO LANGUAGE pllua_bg $$
  print(coroutine.resume(coroutine.create(function() spi.execute('INSERT INTO pl_integrity VALUES (1), (2), (1)') end)))
  print 'went on'
$$;
DO LANGUAGE pllua_bg $$ print(lpcall(spi.execute, 'INSERT INTO pl_integrity VALUES (1), (2), (1)')) print 'went on' $$;
DO LANGUAGE pllua_bg $$
  print(xpcall(spi.execute, function() error 'in handler' end, 'INSERT INTO pl_integrity VALUES (1), (2), (1)'))
  print(spi.execute('SELECT count(*) AS n FROM pl_integrity')[1].n)
$$;
TABLE pl_integrity;
-- a set-returning function
CREATE FUNCTION pl_swallows() RETURNS SETOF int LANGUAGE pllua_bg AS $$
  coroutine.yield(1)
  lpcall(spi.execute, 'INSERT INTO pl_integrity VALUES (1), (2), (1)')
  coroutine.yield(2)
$$;
SELECT pl_swallows();
SELECT * FROM pl_swallows();
TABLE pl_integrity;
DROP FUNCTION pl_swallows();
DROP TABLE pl_integrity;
