-- fuzz(seed, calls): random calls of everything that Lua code can reach, with odd arguments. What the calls return is kept in a
-- pool and used again, by later calls and in later transactions: ended sessions, dropped cursors, foreign threads, wrong selves.
-- Returns how many calls were made, and how many of them failed; what must never happen is raised as a WARNING that begins
-- with FOUND. The same seed makes the same calls, as far as time does not decide what they return.
local seed, calls = ...

-- Everything this code needs itself: what it calls may change the globals of its role.
local ipairs, pairs, type, tostring, next, rawget, getmetatable = ipairs, pairs, type, tostring, next, rawget, getmetatable
local setmetatable, pcall, error = setmetatable, pcall, error
local format, unpack, sort = string.format, table.unpack, table.sort
local create, wrap, resume, yield, close = coroutine.create, coroutine.wrap, coroutine.resume, coroutine.yield, coroutine.close
local execute, prepare, rows = spi.execute, spi.prepare, spi.rows
local warning = require 'pllua.elog'.warning

local state = seed * 2 + 1
local function random(n)
  state = state * 6364136223846793005 + 1442695040888963407
  return (state >> 33) % n + 1
end

local function any(list) return list[random(#list)] end

-- Kept over calls and transactions, in the state of the role.
local POOL_SIZE = 120
local pool = rawget(_G, 'fuzz_pool')
if type(pool) ~= 'table' then
  pool = {}
  _G.fuzz_pool = pool
end

local function keep(value)
  local kind = type(value)
  if value == nil or kind == 'boolean' or kind == 'number' then return end
  if kind == 'string' and #value > 10000 then return end
  if #pool < POOL_SIZE then
    pool[#pool + 1] = value
  else
    pool[random(POOL_SIZE)] = value
  end
end

-- What waits, starts workers or makes much is called less often.
local SLOW = {}
for name in ([[sleep launch get result results exec autonomous map each all any settled completed scope wait try notification
    notifications collectgarbage run stream rows prepare on_commit rep timer atomic detach close terminate chunks begin commit
    rollback sqrt exp log date traceback]]):gmatch('%S+') do
  SLOW[name] = true
end
local SLOW_ONE_IN = 40

local targets = {}
local function find_targets()
  local seen = {}
  local function walk(t, path)
    if seen[t] or #path > 60 then return end
    seen[t] = true
    local keys = {}
    for key in next, t do
      if type(key) == 'string' then keys[#keys + 1] = key end
    end
    sort(keys)
    for _, key in pairs(keys) do
      local value = rawget(t, key)
      if type(value) == 'function' and key ~= 'fuzz_pool' then
        targets[#targets + 1] = {name = path .. key, fn = value, slow = SLOW[key]}
      elseif type(value) == 'table' and key ~= 'fuzz_pool' and key ~= '_G' then
        walk(value, path .. key .. '.')
      end
    end
  end
  walk(_G, '')
end

local METHODS = {}
for name in ([[run exec result results rows notification notifications prepare begin commit rollback atomic cancel terminate detach
    close status pid name get all try wait done pending go execute execute_count numargs argtype save issaved getcursor open isopen
    fetch move oid typmod element fromstring message sqlstate detail hint context schema table column datatype constraint query
    new to tonumber tointeger isnan equal abs ceil floor round trunc sign pairs ipairs len sub upper n tag columns notices value
    map as_table ndim relation operation level when trigger_name args row old values cursor_ok disown isopen subtransaction position count
    state lag lead first_value last_value nth_value frame partition peers frombinary attributes]]):gmatch('%S+') do
  METHODS[#METHODS + 1] = name
end

local SQL = {
  'select 1', 'select $1', 'select $1::int', "select $1 || 'x'", 'select * from fuzz_table', 'select t from fuzz_table t',
  'insert into fuzz_table values ($1, $2) returning *', 'update fuzz_table set b = $1', 'delete from fuzz_table where a = $1',
  'select 1/0', 'selec', '', ';', 'begin', 'commit', 'rollback', 'savepoint a', 'rollback to a', 'select 1; select 2',
  'create temp table if not exists fuzz_temp (a fuzz_row)', 'drop table if exists fuzz_temp', 'alter type fuzz_row add attribute c int',
  'alter type fuzz_row drop attribute if exists c', 'alter type fuzz_row alter attribute b type text', 'insert into fuzz_temp values ($1)',
  'alter type fuzz_row alter attribute b type int using null', 'select row(1, 2)::fuzz_row', 'select array[row(1, 2)::fuzz_row]',
  'select row(1, row(2, null))', 'select generate_series(1, 300)', "select repeat('x', 100000)", 'set role none', 'reset role',
  'set local work_mem = 64', 'listen fuzz', "notify fuzz, 'payload'", 'unlisten *', 'discard all', 'declare c cursor for select 1',
  'declare h cursor with hold for select generate_series(1, 9)', 'fetch all from c', 'close all', 'show work_mem', 'explain select 1',
  "select '{1,2,{3}}'::int[]", "select '[1,3)'::int4range, '{[1,3)}'::int4multirange", 'select null::fuzz_row', "select 'NaN'::numeric",
  "select '{\"a\": [1, null, {}]}'::jsonb", "select '<a/>'::xml", "select 'infinity'::timestamptz, interval '1 month -1 day'",
  'select fuzz_set()', 'select fuzz_set() limit 1', 'select exists (select fuzz_set())', 'select fuzz_row_of(t) from fuzz_table t',
  'select fuzz_error()', 'do language pllua_bg $$ return 1 $$', 'do $$begin raise exception using errcode = $e$P1234$e$; end$$',
  'copy fuzz_table to stdout', 'vacuum fuzz_table', 'prepare transaction $$fuzz$$', 'set client_encoding = latin1', 'lock fuzz_table',
  'select pg_cancel_backend(pg_backend_pid())', "set statement_timeout = '100ms'", 'create temp table t as select 1', 'select $2, $1',
  'select fuzz_window(a) over (order by a rows 2 preceding) from fuzz_table', 'select fuzz_list(a) over (order by a) from fuzz_table',
  'select fuzz_list(a) from fuzz_table', 'select fuzz_list(a) from fuzz_table group by a % 3', 'select fuzz_partial(3, 200)',
  'select count(*) from fuzz_partial(3, 200)', "insert into fuzz_plain values (1, 'x', null, '{1,2}') returning *",
  'update fuzz_plain set a = a + 1 returning *', 'alter table fuzz_plain add column if not exists e int default 5',
  'alter table fuzz_plain drop column if exists e', 'select fuzz_scope(7)',
  'create or replace function fuzz_direct(int) returns int language pllua_bg as $$ local n = ... return n $$',
  'select fuzz_direct(a) from fuzz_table', 'select fuzz_direct(5), fuzz_scope(3), fuzz_float(1e300)',
  'select count(*) from fuzz_table where a = any($1)', 'do $$begin raise notice $n$h\195\188$n$; end$$', 'select * from bg.backend_sessions()',
}
local TYPES = {
  'int', 'int8', 'text', 'text[]', 'numeric', 'numeric(5,2)', 'bytea', 'bool', 'json', 'jsonb', 'timestamptz', 'date', 'interval', 'time',
  'int4range', 'int4multirange', 'fuzz_row', 'fuzz_row[]', 'fuzz_domain', 'fuzz_enum', 'record', 'void', 'anyelement', 'name', 'oid',
  'regclass', 'refcursor', 'xml', 'uuid', 'inet', 'bit(3)', 'char', '"char"', 'varchar(2)', 'point', 'tsvector', 'cstring', 'nix', '',
}

-- SQL functions of ours, with any number of arguments.
local sql_functions = {}
local function find_sql_functions()
  local list = execute([[select p.oid::regproc::text as name, p.proretset as set from pg_catalog.pg_proc p
    where p.oid in (select objid from pg_catalog.pg_depend d join pg_catalog.pg_extension e on e.oid = d.refobjid
      where d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass and d.deptype = 'e' and e.extname like 'pllua%')
      and p.prorettype not in ('language_handler'::regtype) order by 1]])
  for _, row in ipairs(list) do sql_functions[#sql_functions + 1] = row.name end
end

local make -- a random value, `depth` levels deep at most

local FUNCTIONS = {
  function(...) return ... end,
  function() error('raised by a callback') end,
  function() error(setmetatable({}, {__tostring = function() error('again') end})) end,
  function() return yield(1) end,
  function() return execute('select 1')[1] end,
  function() execute('select 1/0') end,
  function() pcall(execute, 'select 1/0') return 1 end,
  function() local x <close> = setmetatable({}, {__close = function() execute('select 1') end}) return x end,
  function() local x <close> = setmetatable({}, {__close = function() error('closing') end}) yield(x) end,
  function(x) keep(x) return x end,
  function() return make(1) end,
  function(_, key) return key end,
}
FUNCTIONS[#FUNCTIONS + 1] = wrap(function() while true do yield(make(1)) end end)

local METAMETHODS = {'__index', '__newindex', '__call', '__eq', '__lt', '__le', '__concat', '__len', '__unm', '__add', '__tostring',
  '__close', '__gc', '__pairs', '__name', '__metatable', '__mode'}

local STRINGS = {'', 'x', '1', '-1', '1e5', '0x10', 'nan', 'infinity', '\0', 'a\0b', '\255\254', 'h\195\188h', '\195', '%', '%s%d%q%c', '%99d',
  '(', '(()', '[a-', '%b', '%f', '.-', '(.)(.)', '*a', '*t', '!%c', '2024-02-30', '{1,2}', '{', '(1,2)', '[1,2)', '{"a":1}', 'fuzz_table',
  'fuzz_row', 'pg_catalog.pg_class', 'k', 'v', 'n', '__gc', '>I16', 's8z', 'collect', 'step', 'generational', 'incremental', 'count',
  ('x'):rep(200), ('a'):rep(5000), '=stdin', '\27Lua', 'return 1', 'return (function() return ... end)(...)', 'x x', 'goto l ::l::',
  'public.fuzz', 'spi', 'pllua.jsonb', 'bg', 'bg.core', '22012', '57014', 'P0001', 'warning', 'all', 'raise'}
local NUMBERS = {0, 1, 2, 3, -1, 7, 100, 1000, 65536, 2 ^ 31, -2 ^ 31 - 1, math.maxinteger, math.mininteger, 0.5, -0.0, 1e308, -1e308, 1 / 0,
  -1 / 0, 0 / 0, 1e-320, 0.001, 2 ^ 53 + 1, 9999999999}

local OPTIONS = {'timeout', 'wait', 'name', 'settings', 'snapshot', 'workers', 'errors', 'retry', 'limit', 'rows', 'idle_timeout', 'on_notice',
  'on_notify', 'on_exit', 'queue_size', 'isolation', 'readonly', 'deferrable', 'progress', 'sqlstate', 'message', 'detail', 'hint',
  'as_table', 'map', 'null', 'empty_object', 'pairs', 'year', 'month', 'day', 'hour', 'epoch', 'fields', 'args', 'by', 'scroll', 'hold',
  'no_scroll', 'fetch_count', 'read_only'}

local function make_table(depth)
  local t = {}
  local kind = random(8)
  if kind <= 3 then
    for i = 1, random(4) - 1 do t[i] = make(depth - 1) end
  elseif kind <= 5 then
    for _ = 1, random(4) do t[any(OPTIONS)] = make(depth - 1) end
  elseif kind == 6 then
    for _ = 1, random(3) do
      local key = make(depth - 1)
      if key ~= nil and key == key then t[key] = make(depth - 1) end
    end
  elseif kind == 7 then
    t[1], t.self = t, t
  else
    local metatable = {}
    for _ = 1, random(3) do metatable[any(METAMETHODS)] = random(2) == 1 and any(FUNCTIONS) or make(depth - 1) end
    pcall(setmetatable, t, metatable)
  end
  return t
end

local function make_thread()
  local co = create(any(FUNCTIONS))
  local kind = random(3)
  if kind >= 2 then pcall(resume, co, 1) end
  if kind == 3 then pcall(close, co) end
  return co
end

function make(depth)
  local kind = random(20)
  if kind <= 7 and #pool > 0 then return any(pool) end
  if kind <= 9 then return any(STRINGS) end
  if kind <= 11 then return any(NUMBERS) end
  if kind == 12 then return any(SQL) end
  if kind == 13 then return any(TYPES) end
  if kind == 14 then return random(2) == 1 end
  if kind == 15 then return any(FUNCTIONS) end
  if kind == 16 then return make_thread() end
  if kind <= 18 and depth > 0 then return make_table(depth) end
  if kind == 19 then return random(1000) end
  return nil
end

local function arguments()
  local list, n = {}, random(5) - 1
  for i = 1, n do list[i] = make(2) end
  return list, n
end

local OPERATIONS = {
  function(a, b) return a[b] end,
  function(a, b, c) a[b] = c end,
  function(a, ...) return a(...) end,
  function(a, b) return a == b end,
  function(a, b) return a < b end,
  function(a, b) return a <= b end,
  function(a, b) return a .. b end,
  function(a) return #a end,
  function(a) return -a end,
  function(a, b) return a + b end,
  function(a, b) return a // b end,
  function(a, b) return a % b end,
  function(a, b) return a ^ b end,
  function(a, b) return a << b end,
  function(a) return tostring(a) end,
  function(a) local x <close> = a return x end,
  function(a, b, c, d) for x, y in a, b, c, d do keep(y) return x end end,
  function(a) local n = 0 for k, v in pairs(a) do n = n + 1 keep(v) if n > 5 then return k end end end,
  function(a, ...) return pgtype[a](...) end,
  function(a, b) return pgtype(a, b) end,
  function() return pgtype(any(pool), any(TYPES)) end,
  function(a) return pgtype[any(TYPES)](a) end,
  function(a) return pgtype[any(TYPES)]:fromstring(tostring(a)) end,
  function(...) return execute(any(SQL), ...) end,
  function(...) return prepare(any(SQL)):execute(...) end,
  function(...) for row in rows(any(SQL), ...) do return row end end,
  function(a) return prepare(any(SQL)):getcursor():fetch(a) end,
  function(a) local metatable = getmetatable(a) return metatable, type(metatable) == 'table' and next(metatable) end,
}

-- Objects as they are meant to be made, so that odd calls meet living ones too.
local numeric, bg = require 'pllua.numeric', rawget(_G, 'bg')
local function session()
  local list = bg.sessions()
  if #list < 3 and random(30) == 1 then return bg.launch{wait = 1, idle_timeout = 5, on_notice = random(2) == 1 and any(FUNCTIONS) or nil} end
  return any(list)
end
local MAKERS = {
  function() return prepare(any(SQL)) end,
  function() return prepare(any(SQL), {any(TYPES)}) end,
  function() return prepare('select generate_series(1, 9)'):getcursor() end,
  function() return prepare('select t, a from fuzz_table t', {}, {scroll = true}):getcursor() end,
  function() return execute(any(SQL)) end,
  function(...) return rows('select * from fuzz_table where a < $1', ...) end,
  function() return pgtype[any(TYPES)] end,
  function() return pgtype.jsonb('{"a": [1, 2, {"b": null}]}') end,
  function() return pgtype.fuzz_row(random(9), random(9)), pgtype.fuzz_row[2] end,
  function() return pgtype.array.int(1, 2, 3), pgtype['int[]']({{1, 2}, {3, 4}}) end,
  function() return numeric.new(random(9)) / 7 end,
  function() return execute('select now() as t, date $$2024-01-31$$ as d, $$1 day$$::interval as i, $$[1,5)$$::int4range as r')[1] end,
  function() return session() end,
  function() return session():run(any(SQL)) end,
  function(...) return session():run(any(SQL), ...) end,
  function() return session():prepare(any(SQL)) end,
  function() return session():rows('select generate_series(1, 20000)') end,
  function() return session():result(0.01) end,
  function() return session():status(), session():cancel() end,
  function() return session():run('select * from fuzz_table'):try(0.05) end,
  function() return bg.wait({session(), bg.timer(0.001)}, 0.01) end,
  function() return random(20) == 1 and session():close() end,
  function() return random(20) == 1 and session():detach() end,
  function() return bg.scope(function(sc) return sc:go(any(FUNCTIONS), make(1)), sc:go(any(FUNCTIONS)) end, {timeout = 0.05}) end,
  function() return random(9) == 1 and bg.autonomous(any(SQL)) end,
  function() return random(9) == 1 and bg.on_commit(any(SQL)) end,
  function() return random(9) == 1 and bg.map({1, 2, 3}, any(SQL), {workers = 2, errors = 'collect'}) end,
  function() return spi.subtransaction() end,
  function() local _ <close> = spi.subtransaction() return execute(any(SQL)) end,
  function() local s <close> = spi.subtransaction() keep(s) return any(FUNCTIONS)(s) end,
  function() local s = spi.subtransaction() execute(any(SQL)) return any{s.commit, s.rollback}(s) end,
  function() return pgtype.jsonb('{"a": [1, 2, {"b": [null, {"c": 1}]}]}').a[3].b end,
  function() return rawget(_G, 'fuzz_window_object') end,
  function(...) return spi.values(any(SQL), ...) end,
  function() for a, b in spi.values('select a, b from fuzz_table') do keep(b) return a end end,
  function(...) return bg.import(any{'fuzz_direct', 'fuzz_row_of', 'fuzz_set', 'length', 'pg_catalog.now', 'fuzz_partial'})(...) end,
  function(...) return prepare(any(SQL))(...) end,
  function() setmetatable({prepare('select generate_series(1, 9)'):getcursor()}, {__gc = any(FUNCTIONS)}) end,
  function() return bg.chunks('fuzz_table', {by = 'ctid', rows = 5}) end,
}

-- A method of something in the pool, or of something else by mistake.
local function call_method(list, n)
  local object, name = make(1), any(METHODS)
  if SLOW[name] and random(SLOW_ONE_IN) > 1 then name = 'status' end
  local method = object[name]
  if random(20) == 1 then object = make(1) end
  return method(object, unpack(list, 1, n))
end

local function call_sql(list, n)
  local places = {}
  for i = 1, n do places[i] = '$' .. i end
  local name = any(sql_functions)
  if random(8) > 1 and (name:find('wait') or name:find('launch') or name:find('submit') or name:find('result') or name:find('run')) then
    return
  end
  return execute('select * from ' .. name .. '(' .. table.concat(places, ', ') .. ')', unpack(list, 1, n))
end

local ways = {
  {4, function(list, n) return any(MAKERS)(unpack(list, 1, n)) end},
  {8, function(list, n) return any(OPERATIONS)(unpack(list, 1, n)) end},
  {13, call_method},
  {14, function(list, n) return wrap(call_method)(list, n) end},
  {15, call_sql},
}

local raises -- the call is one of those whose purpose is to raise an error, which is an internal one unless they are told another

local function call_one()
  raises = false
  local list, n = arguments()
  local way = random(20)
  for _, entry in pairs(ways) do
    if way <= entry[1] then return entry[2](list, n) end
  end
  local target = any(targets)
  if target.slow and random(SLOW_ONE_IN) > 1 then return end
  raises = target.name:find('error') or target.name:find('elog')
  return target.fn(unpack(list, 1, n))
end

-- Nothing that Lua code does may end as an internal error of the server.
local function judge(err)
  if type(err) ~= 'userdata' and type(err) ~= 'table' then return end
  local ok, code, text = pcall(function() return err.sqlstate, err.message end)
  if ok and not raises and type(code) == 'string' and code:sub(1, 2) == 'XX' then
    warning(format('FOUND an internal error, seed %d: %s %s', seed, code, tostring(text)))
  end
end

find_targets()
find_sql_functions()
local failed = 0
for _ = 1, calls do
  local results = table.pack(pcall(call_one))
  if not results[1] then
    failed = failed + 1
    judge(results[2])
  end
  for i = 2, results.n do keep(results[i]) end
end
return calls, failed
