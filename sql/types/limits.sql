-- Long conversions obey a timeout, deep ones the stack limit, and garbage does not pile up.
create schema types_limits;
set search_path = types_limits, public;
\set VERBOSITY sqlstate
set statement_timeout = '200ms';
-- An endless table.
do language pllua_bg $$
    pgtype.array.int4(setmetatable({}, {__len = function() return 1 << 26 end, __index = function(_, i) return i end}))
$$;
do language pllua_bg $$
    local wide = {}
    for i = 1, 1000 do wide[i] = {} for j = 1, 1000 do wide[i][j] = i end end
    while true do pcall(pgtype.jsonb, wide) end
$$;
reset statement_timeout;
-- Depth.
do language pllua_bg $$
    local t = {}
    for i = 1, 1000000 do t = {t} end
    pgtype.jsonb(t)
$$;
-- Size.
do language pllua_bg $$
    pgtype.array.int4(setmetatable({}, {__len = function() return 1 << 40 end}))
$$;
do language pllua_bg $$
    pgtype.array.int4()[1] = 1
    local a = pgtype.array.int4(1)
    a[1 << 28] = 1
$$;
\set VERBOSITY default

-- What one call with many conversions leaves behind outside of Lua's own memory.
create function used() returns bigint language sql volatile as $$
    select sum(total_bytes)::bigint from pg_backend_memory_contexts where name <> 'pllua_bg interpreter'
$$;
create type pair as (a int, b text);
create type color as enum ('red', 'green');
create function busy() returns text language pllua_bg as $$
    local n = pgtype.numeric
    local function work(count)
        for i = 1, count do
            local a = pgtype.array.text('a', 'b')
            a[1] = 'changed'
            local row = pgtype.pair(i, 'x')
            row.b = tostring(a) .. tostring(pgtype.int4range(1, 2).upper) .. tostring(pgtype.color 'red')
            local j = pgtype.jsonb{a = i, b = {i, row.b}, c = n(i), d = row}
            local v = n(j().a) + n(i) * 2 - require 'pllua.numeric'.round(n '1.55', 1)
            v = pgtype.date{year = 2020, month = 1, day = 5}.year + tonumber(tostring(pgtype.int4(n(i))))
            v = tostring(row) .. tostring(j) .. tostring(pgtype.array.pair(row, row)[1])
            v = pgtype.array.int4({{1, 2}, {3, 4}}, 2, 2) == pgtype.array.int4:fromstring '{{1,2},{3,4}}'
            for _, value in pairs(j) do v = value end
            pcall(pgtype.jsonb, '{broken')
            pcall(pgtype.array.int4, {1, 'x'})
        end
    end
    local function used() return spi.execute('select used() as n')[1].n end
    work(500)
    local before = used()
    work(5000)
    local grown = used() - before
    return grown < 1000000 and 'flat' or 'grew by ' .. grown
$$;
select busy();
set client_min_messages = warning;
drop schema types_limits cascade;

-- A table with few elements and a high index is no array: its type is found without counting up to there.
SET statement_timeout = '5s';
DO LANGUAGE pllua_bg $$ print(spi.execute('SELECT $1 AS v', {[2^53 | 0] = 1})[1].v) $$;
DO LANGUAGE pllua_bg $$ print(pcall(spi.execute, 'SELECT $1::int[] AS v', {[2^53 | 0] = 1})) $$;
DO LANGUAGE pllua_bg $$ print(pcall(spi.execute, 'SELECT $1 AS v', setmetatable({}, {__len = function() return math.maxinteger end}))) $$;
-- A long one is, and can be cancelled meanwhile.
SET statement_timeout = '200ms';
DO LANGUAGE pllua_bg $$ spi.execute('SELECT $1 AS v', {[100000000] = 1}) $$;
RESET statement_timeout;
