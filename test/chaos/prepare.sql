-- What the clients of test/chaos/run work on. A function raises a WARNING that begins with FOUND when an answer is wrong; errors
-- are what the signals are for.
\set ON_ERROR_STOP on
CREATE EXTENSION pllua_bg;
CREATE ROLE chaos LOGIN;
GRANT USAGE ON SCHEMA bg TO chaos;
GRANT CREATE ON SCHEMA public TO chaos;
ALTER ROLE chaos SET statement_timeout = '8s';
ALTER ROLE chaos SET lock_timeout = '2s';
ALTER ROLE chaos SET client_min_messages = warning;
SET SESSION AUTHORIZATION chaos;
CREATE TABLE account (id int PRIMARY KEY, balance bigint NOT NULL);
INSERT INTO account SELECT i, 1000 FROM generate_series(1, 50) i;
CREATE TABLE diary (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, word text NOT NULL UNIQUE);
CREATE TABLE queue (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, word text NOT NULL UNIQUE, done boolean NOT NULL DEFAULT false);

-- Moves money, in one statement: the sum never changes.
CREATE FUNCTION move(one int, other int, amount int) RETURNS void LANGUAGE sql AS $$
  UPDATE account SET balance = balance + CASE id WHEN one THEN -amount ELSE amount END WHERE id IN (one, other) AND one <> other
$$;

CREATE FUNCTION chaos_map(n int) RETURNS int LANGUAGE pllua_bg AS $$
  local items = {}
  for i = 1, 40 do items[i] = {(n * i) % 50 + 1, (n + i * 7) % 50 + 1, i} end
  local done = bg.map(items, function(s, item) return s:exec('select move($1, $2, $3)', item[1], item[2], item[3]) and 1 end,
    {workers = 3, errors = 'collect'})
  return #done
$$;
CREATE FUNCTION chaos_pipeline(n int) RETURNS int LANGUAGE pllua_bg AS $$
  local items = {}
  for i = 1, 300 do items[i] = i end
  local results = bg.map(items, 'select $1::int * ' .. n, {workers = 2, retry = 1})
  for i, result in ipairs(results) do
    if result.value ~= i * n then require 'pllua.elog'.warning('FOUND item ' .. i .. ': ' .. tostring(result.value)) end
  end
  return #results
$$;
-- Every answer belongs to its question, also after a cancel in the middle.
CREATE FUNCTION chaos_answers(n int) RETURNS int LANGUAGE pllua_bg AS $$
  local s <close> = bg.launch()
  local futures = {}
  for i = 1, 60 do futures[i] = s:run(i % 7 == 0 and 'select $1::int, pg_sleep(0.002)' or 'select $1::int', n + i) end
  for i, f in ipairs(futures) do
    local result = f:get()
    local row = result[1]
    if (result.value or row.int4) ~= n + i then require 'pllua.elog'.warning('FOUND answer ' .. tostring(result.value) .. ' for ' .. n + i) end
  end
  return #futures
$$;
-- A session that lives on in this connection, whatever happened to the calls before.
CREATE FUNCTION chaos_kept(n int) RETURNS int LANGUAGE pllua_bg AS $$
  kept = kept or {}
  local i = n % 3 + 1
  if not kept[i] or kept[i]:status().state == 'gone' then kept[i] = bg.launch{name = 'kept ' .. i, on_exit = n % 2 == 0 and 'cancel' or 'finish'} end
  local f = kept[i]:run('select $1::int as v, pg_sleep($2)', n, n % 5 == 0 and 0.05 or 0)
  if n % 4 == 0 then return -1 end
  local result = f:get()
  if result[1].v ~= n then require 'pllua.elog'.warning('FOUND kept answer ' .. tostring(result[1].v) .. ' for ' .. n) end
  return n
$$;
CREATE FUNCTION chaos_rows(n int) RETURNS bigint LANGUAGE pllua_bg AS $$
  local s <close> = bg.launch()
  local sum, count = 0, 0
  for row in s:rows("select i, repeat('x', 200) as x from generate_series(1, 3000) i") do
    sum, count = sum + row.i, count + 1
    if count == n % 4000 then return sum end
  end
  if sum ~= 3000 * 3001 // 2 then require 'pllua.elog'.warning('FOUND sum ' .. sum) end
  return sum
$$;
-- What an autonomous transaction has said stays said.
CREATE FUNCTION chaos_diary(word text) RETURNS text LANGUAGE pllua_bg AS $$
  bg.autonomous('insert into diary (word) values ($1)', word)
  if spi.execute("select count(*) as n from diary where word = $1", word)[1].n ~= 1 and not spi.execute('show transaction_isolation')[1].transaction_isolation:find('r') then
    require 'pllua.elog'.warning('FOUND no word ' .. word)
  end
  return word
$$;
CREATE FUNCTION chaos_scope(n int) RETURNS int LANGUAGE pllua_bg AS $$
  return bg.scope(function(sc)
    local tasks = {}
    for i = 1, 4 do
      tasks[i] = sc:go(function()
        local s <close> = bg.launch()
        return s:exec('select $1::int + 1 as v, pg_sleep(0.005)', n + i)[1].v
      end)
    end
    local sum = 0
    for i, task in ipairs(tasks) do
      local v = task:get()
      if v ~= n + i + 1 then require 'pllua.elog'.warning('FOUND task ' .. v .. ' for ' .. n + i + 1) end
      sum = sum + v
    end
    return sum
  end, {timeout = 5})
$$;
CREATE FUNCTION chaos_queue() RETURNS trigger LANGUAGE pllua_bg AS $$
  bg.on_commit('update queue set done = true where word = $1', new.word)
  return new
$$;
CREATE TRIGGER queued AFTER INSERT ON queue FOR EACH ROW EXECUTE FUNCTION chaos_queue();
-- The session waits for a lock of ours.
CREATE FUNCTION chaos_deadlock(n int) RETURNS text LANGUAGE pllua_bg AS $$
  spi.execute('update account set balance = balance where id = $1', n % 50 + 1)
  local ok, err = pcall(bg.autonomous, 'update account set balance = balance where id = $1', n % 50 + 1)
  if ok then require 'pllua.elog'.warning('FOUND no deadlock') end
  return err.sqlstate
$$;
CREATE FUNCTION chaos_set(n int) RETURNS SETOF int LANGUAGE pllua_bg AS $$
  local s <close> = bg.launch{snapshot = n % 2 == 0}
  for i = 1, 5 do coroutine.yield(s:exec('select $1::int', i).value) end
$$;
