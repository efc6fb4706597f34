-- Parameters become the same values, or the same errors, by both roads: each of the values as each of the types, in a statement
-- and in a prepared one, here and in a session.
\set SHOW_CONTEXT never
create role regress_alike_user login;
grant usage on schema bg to regress_alike_user;
grant usage on language pllua_bg to regress_alike_user;
create type color as enum ('red', 'blue');
create type pair as (a int, b text);
create type pair2 as (a bigint, b varchar(3), c pair);
create domain small as int check (value < 100);
create domain code as varchar(3);
create domain nn as int not null;
create domain price as numeric(6,2);
create domain dpair as pair check ((value).a > 0);
create domain ints as int[];
create type span as range (subtype = date);
create function color_of(bigint) returns color language sql as $$ select case when $1 = 1 then 'red' when $1 = 2 then 'blue'::color end $$;
create cast (bigint as color) with function color_of(bigint) as assignment;
create function inet_of(boolean) returns inet language plpgsql as $$ begin return '10.0.0.1'; end $$;
create cast (boolean as inet) with function inet_of(boolean) as implicit;
create function uuid_of(bigint) returns uuid language sql as $$ select '00000000-0000-0000-0000-000000000001'::uuid $$;
create cast (bigint as uuid) with function uuid_of(bigint); -- explicit only
create function pair_of(date) returns pair language plpgsql as $$ begin return row(extract(day from $1), 'day')::pair; end $$;
create cast (date as pair) with function pair_of(date) as assignment;
create function box_of(float8, int, boolean) returns box language sql as $$ select box(point($1, $2), point(0, 0)) $$;
create cast (float8 as box) with function box_of(float8, int, boolean) as assignment;


create function alike(types text[], chosen text default null) returns setof text language pllua_bg as $lua$
    local made = spi.execute([[select 1.5::numeric as n, date '2024-02-29' as d, timestamptz '2024-02-29 12:00+00' as tz, interval '1 day' as iv,
        '{"a": 1, "b": "x"}'::jsonb as j, array[1, 2] as ia, array['a', 'b'] as ta, row(1, 'x')::pair as p, int4range(1, 5) as r, '{[1,2)}'::int4multirange as mr,
        uuid '11111111-2222-3333-4444-555555555555' as u, inet '10.0.0.1/8' as i, row(1, 'y') as ar, array[row(1, 'x')::pair] as pa]])[1]
    local values = {
        {'true', true}, {'false', false}, {'0', 0}, {'1', 1}, {'2', 2}, {'-1', -1}, {'70000', 70000}, {'maxint', math.maxinteger}, {'minint', math.mininteger},
        {'1.0', 1.0}, {'1.5', 1.5}, {'-0.0', -0.0}, {'0.1+0.2', 0.1 + 0.2}, {'1e300', 1e300}, {'1e-300', 1e-300}, {'2^63', 2.0 ^ 63}, {'inf', 1 / 0},
        {[['']], ''}, {[['1']], '1'}, {[['x']], 'x'}, {'long', 'long string'}, {'red', 'red'}, {'array', '{1,2}'}, {'row', '(1,x)'}, {'day', '2024-02-29'}, {'range', '[1,5)'},
        {'json', '{"a":1}'}, {'zero byte', 'a\0b'}, {'no text', '\xff'}, {'utf8', 'grüße'}, {'hex', '\\x41'},
        {'{}', {}}, {'{1,2}', {1, 2}}, {'{1.5}', {1.5}}, {'{a,b}', {'a', 'b'}}, {'{red}', {'red'}}, {'{true}', {true}}, {'{1,nil,3}', {1, nil, 3}}, {'{1,x}', {1, 'x'}},
        {'{{1,2},{3,4}}', {{1, 2}, {3, 4}}}, {'ragged', {{1}, {2, 3}}}, {'{a=1}', {a = 1}}, {'{a=q}', {a = 'q'}}, {'{z=1}', {z = 1}}, {'{{a=1}}', {{a = 1}}}, {'{zero byte}', {'\0'}},
        {'{70000}', {70000}}, {'{long}', {'long string'}}, {'{year}', {year = 2024}}, {'{hour}', {hour = 1}}, {'{lower}', {lower = 1}}, {'{[5]=1}', {[5] = 1}}, {'{f}', {print}},
        {'{numeric}', {made.n}}, {'{a=numeric}', {a = made.n}}, {'{pair}', {made.p}}, {'{c=pair}', {c = made.p}}, {'{record}', {made.ar}},
        {'proxy', setmetatable({}, {__len = function() return 2 end, __index = function(_, i) return math.type(i) and i * 10 end})},
        {'pairs', setmetatable({}, {__pairs = function() return next, {a = 7} end})}, {'object', require('pllua.jsonb').set_as_object({})},
        {'integer', pgtype.int8(1)}, {'date', pgtype.date('2024-02-29')}, {'text', pgtype.text('x')}, {'boolean', pgtype.bool(true)}, {'float', pgtype.float8(1.5)},
    }
    for name, value in pairs(made) do values[#values + 1] = {'made.' .. name, value} end
    local s <close> = bg.launch()
    local function outcome(run, ...)
        local ok, got = pcall(run, ...)
        if ok then return got[1] and tostring(got[1][1]) or 'no row' end
        return type(got) == 'string' and 'Lua: ' .. got or got.sqlstate .. ' ' .. got.message
    end
    local function kept(session, sql, value) local st <close> = session:prepare(sql) return st:exec(value) end
    local compared, differ, failed = 0, 0, 0
    for _, t in ipairs(types) do
        local insert = ('insert into %s values ($1) returning quote_nullable(c::text)'):format('alike_' .. t:gsub('%W', '_'))
        local cast = ('select quote_nullable(($1::%s)::text)'):format(t)
        local none = 'select quote_nullable($1::text), pg_typeof($1), $1 is null'
        for i = 0, #values do
            local v = values[i] or {'nil'}
            local outcomes = (not chosen or chosen == v[1]) and {
                {'insert', outcome(spi.execute, insert, v[2]), outcome(s.exec, s, insert, v[2])},
                {'prepared', outcome(function() return spi.prepare(cast):execute(v[2]) end), outcome(kept, s, cast, v[2])},
                t == 'int4' and {'no place', outcome(spi.execute, none, v[2]), outcome(s.exec, s, none, v[2])} or nil,
            } or {}
            for _, pair in ipairs(outcomes) do
                compared = compared + 1
                if pair[2]:find('^%w%w%w%w%w ') then failed = failed + 1 end
                if pair[2] ~= pair[3] then
                    differ = differ + 1
                    coroutine.yield(('%s, %s: %s: here %s, there %s'):format(t, pair[1], v[1], pair[2], pair[3]))
                elseif chosen == v[1] then
                    coroutine.yield(('%s, %s: %s'):format(t, pair[1], pair[2]))
                end
            end
        end
    end
    if not chosen then coroutine.yield(('%d compared, %d errors, %d differ'):format(compared, failed, differ)) end
$lua$;
create view kinds as select array['int2', 'int4', 'int8', 'float4', 'float8', 'numeric', 'numeric(4,1)', 'text', 'varchar(3)', 'char(4)', 'name', 'bytea', 'bool', 'color',
    'date', 'time', 'timestamptz', 'interval', 'json', 'jsonb', 'int4[]', 'text[]', 'varchar(3)[]', 'bytea[]', 'color[]', 'jsonb[]', 'pair[]', 'pair', 'pair2', 'small', 'code', 'nn',
    'price', 'dpair', 'ints', 'int4range', 'span', 'int4multirange', 'oid', 'regclass', 'uuid', 'inet', 'bit(3)', 'box', 'refcursor'] as all,
    array['color', 'inet', 'pair', 'dpair', 'box', 'color[]'] as cast_by_users;
do $$ declare t text; begin
    foreach t in array (select "all" from kinds) loop
        execute format('create table %s (c %s)', regexp_replace('alike_' || t, '\W', '_', 'g'), t);
        execute format('grant insert, select on %s to regress_alike_user', regexp_replace('alike_' || t, '\W', '_', 'g'));
    end loop;
end $$;
grant select on kinds to regress_alike_user;
select alike("all") from kinds;
-- what some of them become
select alike("all", '1') from kinds;
select alike(array['int4', 'numeric', 'text', 'json'], '0.1+0.2');
select alike(array['pair', 'pair2', 'jsonb', 'date', 'int4range', 'color'], '{a=1}');
select alike(array['int4[]', 'pair', 'jsonb', 'text'], '{1,nil,3}');
select alike(array['json', 'pair', 'pair2', 'text'], 'made.p');
-- the same for who may not execute the functions of the casts
revoke execute on function color_of(bigint), inet_of(boolean), uuid_of(bigint), pair_of(date), box_of(float8, int, boolean) from public;
set role regress_alike_user;
select alike(cast_by_users) from kinds;
select alike(cast_by_users, v) from kinds, unnest(array['1.5', 'true', 'date']) v;
reset role;

do $$ declare t text; begin
    foreach t in array (select "all" from kinds) loop
        execute format('drop table %s', regexp_replace('alike_' || t, '\W', '_', 'g'));
    end loop;
end $$;
drop function alike(text[], text);
drop view kinds;
drop cast (bigint as color);
drop cast (boolean as inet);
drop cast (bigint as uuid);
drop cast (date as pair);
drop cast (float8 as box);
drop function color_of(bigint), inet_of(boolean), uuid_of(bigint), pair_of(date), box_of(float8, int, boolean);
drop domain small, code, nn, price, dpair, ints;
drop type span, pair2, pair, color;
drop owned by regress_alike_user;
drop role regress_alike_user;
