-- jsonb as objects and as Lua tables; json as strings.
create schema types_json;
set search_path = types_json, public;
create function show(jsonb, text) returns text language pllua_bg as $$
    local function render(v)
        if type(v) ~= 'table' then
            return type(v) == 'string' and '"' .. v .. '"' or math.type(v) == 'float' and v .. 'f' or tostring(v)
        end
        local keys, parts = {}, {}
        for k in pairs(v) do keys[#keys + 1] = k end
        table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
        for _, k in ipairs(keys) do parts[#parts + 1] = tostring(k) .. '=' .. render(v[k]) end
        return '{' .. table.concat(parts, ' ') .. '}'
    end
    local value, options = ...
    return render(value(options and load('return ' .. options)()))
$$;
select show('{"a": 1, "b": [1, 2.5, null, "x", true], "c": {"d": null}, "e": [], "f": {}}', null);
select show('[1, [null]]', '{null = "none"}'), show('[1, null]', '"none"'), show('null', '7'), show('"x"', null);
select show('1', null), show('1.0', null), show('1.5', null), show('12345678901234567890', null), show('true', null);
select show('[1.50, {"n": 2}]', '{pg_numeric = true}');
select show('{"a": 1, "b": [2, 3]}', 'function(k, v) if k ~= "a" then return k, type(v) == "number" and v * 10 or v end end');
do language pllua_bg $$
    local j = pgtype.jsonb '{"b": [1, {"c": 2}], "a": null}'
    local seen = {}
    print(j{map = function(k, v, ...)
        seen[#seen + 1] = tostring(k) .. '/' .. type(v) .. '/' .. table.concat({...}, '.')
        return k, v
    end} ~= nil, table.concat(seen, ' '))
    seen = {}
    print(select('#', j{discard = true, map = function(k, v, ...)
        seen[#seen + 1] = tostring(k) .. '/' .. tostring(v) .. '/' .. table.concat({...}, '.')
    end}), table.concat(seen, ' '))
    print(j, type(j), pgtype(j), j == pgtype.jsonb '{"a": null, "b": [1, {"c": 2}]}', pgtype.jsonb '1' < pgtype.jsonb '2')
    for k, v in pairs(j) do print(k, type(v), v) end
    for k, v in pairs(j().b) do print(k, type(v)) end
    for k, v in pairs(pgtype.jsonb '[1, "x", true, null, {"z": 1}]') do print(k, type(v), v) end
    for k, v in pairs(pgtype.jsonb '1') do print(k, v) end
$$;

-- From Lua values.
do language pllua_bg $$
    local J = pgtype.jsonb
    print(J{a = 1, b = {1, 2, 3}, c = 'x', d = true, e = 1.5, f = 1.0}, J({}), J({}, {empty_object = true}), J{{}, {a = {}}})
    print(J('x', {}), J(1, {}), J(nil, {}), J(true, {}), J('{"a": 1}'), J('{"a": 1}', {}))
    print(J{1, nil, 3}, J{[3] = 1}, J{[2000] = 1}, J{[0] = 1, 2}, J{[1.5] = 1, 2}, J{1, 2, a = 3})
    print(J({[3] = 1}, {array_thresh = 1}), J({1, [10] = 2}, {array_frac = 2}), J({1, 'N', a = 'N'}, {null = 'N'}))
    print(J({1, {2, 3}, a = 'N'}, {map = function(v) return type(v) == 'number' and v * 10 or v end}))
    print(J({1, 2, 3}, {map = function(v) if v ~= 2 then return v end end}))
    print(J{n = pgtype.numeric '1.50', d = pgtype.date '2020-01-01', a = pgtype.array.int4(1, 2), j = J '{"z": 1}',
            r = pgtype.int4range(1, 5), x = pgtype.json '{"b":  1}'})
    print(J{row = spi.execute([[select 1 as a, null::int as b, '{"k": [1]}'::json as c, '\x01'::bytea as d]])[1]})
    print(J{setmetatable({}, {__pairs = function() return pairs{q = 1} end})})
    print(J{[setmetatable({}, {__tostring = function() return 'key' end})] = 1, [pgtype.numeric(3)] = 3})
    print(J{1/0, -1/0, 0/0, 1e100, 0.1, 1 << 53, math.mininteger}, J{'\1\n"\\/\u{e9}'})
    for _, bad in ipairs{{print}, {[true] = 1}, {coroutine.create(print)}, {'a\0'}, {['\xff'] = 1}} do
        local ok, err = pcall(J, bad)
        print(ok, (tostring(err):gsub('0x%x%x.*', '')))
    end
    local loop = {}
    loop.loop = loop
    print(select(2, pcall(J, loop)).sqlstate)
    print(J(pgtype.array.int4(1, nil, 2)), J(pgtype.numeric '1.50'), J(pgtype.text '[1]'), J(pgtype.json '[2]'), J(J '[3]'))
    print(J(spi.execute('select 1 as a, null as b')[1]), J({pgtype.array.int4(1, 2)}, {map = function(v) return v end}))
    print(pcall(J), pcall(J, '{"a"'))
    -- What came from JSON goes back as it was.
    for _, text in ipairs{'{}', '[]', '{"a": {}, "b": []}', '[[], {}]', '{"1": 2}', '[null, 1]'} do
        print(text, J(J(text)()))
    end
$$;
do language pllua_bg $$
    local json = require 'pllua.jsonb'
    local J = pgtype.jsonb
    print(json.is_object(J '{}'()), json.is_array(J '{}'()), json.is_array(J '[]'()), json.is_object{}, json.is_array{})
    print(J(json.set_as_object{}), J(json.set_as_object{1, 2}), J(json.set_as_array{}), J(json.set_as_array{1, a = 2}))
    print(J(json.set_as_unknown(J '{"1": 2}'())))
    print(json.type(J '{}'), json.type(J '[]'), json.type(J '1'), json.type(J '"a"'), json.type(J 'null'), json.type(J 'true'))
    print(json.type(J '{}'()), json.type{}, json.type(1), json.type(1, true), json.type('x', true), json.type(nil, true))
    for k, v in json.ipairs(J '[10, null]') do print(k, v) end
    print(pcall(json.ipairs, J '{}'))
$$;

-- Indexing: without conversion; containers are objects that point into the whole.
do language pllua_bg $$
    local j = pgtype.jsonb[[{"a": 1, "b": {"c": [1, 2.5, {"x": null, "yy": "z"}], "d": {}}, "s": "str", "t": true, "f": false, "n": null, "": "empty", "bb": [], "zz": "last"}]]
    print(j.a, j.b.c[1], j.b.c[2], j.b.c[3].yy, j.b.c[3].x, j.s, j.t, j.f, j.n, j[''], j.bb, j.zz)
    print(j.b.c[0], j.b.c[4], j.b.c['1'], j.b.c[1.0], j.b.c[1.5], j[1], j[true], j.nosuch, #j.b.c, #j.bb, j.b)
    print(math.type(j.a), math.type(j.b.c[2]), type(j.b), pgtype(j.b))
    print(pcall(function() return #j end))
    print(pcall(function() return #pgtype.jsonb('"text"') end))
    print(pcall(function() return pgtype.jsonb('5').x end))
    print(pcall(function() return pgtype.jsonb('[1]')[1].x end))
    print(pcall(function() j.a = 2 end))
    -- what is within outlives the whole, and is a jsonb wherever one is wanted
    local inner = pgtype.jsonb'{"list": [{"id": 1}, {"id": 2}]}'.list
    collectgarbage()
    for i, v in ipairs(inner) do print(i, v) end
    for i, v in pairs(inner[1]) do print(i, v) end
    print(inner == pgtype.jsonb'[{"id": 1}, {"id": 2}]', inner[1] < inner[2], inner()[2].id, inner[2]{map = function(k, v) return k, v end}.id)
    print(spi.execute('select $1 as j, pg_typeof($1) as t, $1 || $2 as both', inner, inner[1])[1])
    print(pgtype.jsonb{copy = inner, one = inner[1]}, pgtype.array.jsonb{inner, inner[1]}, pgtype.text(inner[1]))
    print(require'pllua.jsonb'.type(inner), require'pllua.jsonb'.type(inner[1]))
    local many = {}
    for i = 1, 300 do many['key' .. i] = i end
    local large, wrong = pgtype.jsonb(many), 0
    for k, v in pairs(many) do if large[k] ~= v then wrong = wrong + 1 end end
    print(wrong, large.key0, large.key301, large.ke, large.key3000)
$$;
create function part(jsonb, text) returns jsonb language pllua_bg as 'local j, key = ... return j[key]';
create function part_of_json(jsonb, text) returns json language pllua_bg as 'local j, key = ... return j[key]';
create function parts(jsonb) returns setof jsonb language pllua_bg as 'for i = 1, #... do coroutine.yield((...)[i]) end';
select k, part(j, k), part_of_json(j, k) from (values ('{"a": {"b": [1, {}]}, "d": null, "n": 1}'::jsonb)) v(j), unnest('{a,d,e,n}'::text[]) k;
select parts('[[1], {"a": []}, 3, null]');

-- A jsonb is what its text would be parsed as.
do language pllua_bg $$
local row = spi.execute("select 1 as a, 'x' as b, null as c, '2020-01-01'::date as d, '{1,2}'::int[] as e, '{\"q\": [1, {}]}'::jsonb as f, '[1]'::json as g")[1]
local values = {
    {}, {1, 2, 3}, {a = 1}, 5, 1.5, -0.0, 1e300, 2^53, 1/0, -1/0, 0/0, true, false, 'text', '"q"\\\n\1\127', {[1] = 'a', ['1'] = 'b'}, {[1.5] = 1, x = {}},
    {pgtype.date'2020-01-01', pgtype.numeric'1.50', pgtype.numeric'NaN', pgtype.jsonb'{"a": [1]}', pgtype.jsonb'5', pgtype.jsonb'"s"', pgtype.jsonb'null', pgtype.jsonb'[]', pgtype.array.int4(1, 2), pgtype.int4range(1, 5)},
    row, {row, {row}}, {{{{{}}}}}, {[''] = ''}, {n = math.maxinteger, m = math.mininteger, z = 0}, 0.1, 1e-300, 123456789.125, ('x'):rep(100000), {('k'):rep(1000), [('k'):rep(1000)] = 1},
    {1, nil, 3}, {[3] = 1}, {pgtype.jsonb'{"x": 1, "y": {"z": [1, 2, {"w": null}]}}'.y}, pgtype.jsonb'{"x": 1}', pgtype.jsonb'{"x": {"y": 1}}'.x, setmetatable({}, {__tostring = function() return 'shown' end}),
    pgtype.jsonb'{"a": [], "b": {}}'(), pgtype.jsonb'[]'(), pgtype.jsonb'{}'(),
}
local same, different = 0, 0
for i, v in pairs(values) do
    for _, options in ipairs{{}, {empty_object = true}, {array_thresh = 0}, {map = function(x) return x end}} do
        local ok, a = pcall(pgtype.jsonb, v, options)
        local ok2, b = pcall(function() return pgtype.jsonb(tostring(pgtype.json(v, options))) end)
        if type(v) == 'string' then b = pgtype.jsonb(pgtype.json(v, options)) end
        if ok == ok2 and (not ok or tostring(a) == tostring(b)) then same = same + 1 else different = different + 1 print(i, v, ok, a, ok2, b) end
    end
end
print(same, different)
$$;

-- Arguments and results; json is a string, tables are welcome for both.
create function as_jsonb(int) returns jsonb language pllua_bg as $$
    return ({{1, 2}, {a = {b = 1}}, '{"c": 3}', 5, true, setmetatable({}, {})})[...]
$$;
create function as_json(int) returns json language pllua_bg as $$
    return ({{1, 2}, {a = {b = 1}}, '{"c":  3}', 5, true})[...]
$$;
select i, as_jsonb(i), as_json(i) from generate_series(1, 7) i;
create function json_length(json) returns int language pllua_bg as 'return #...';
select json_length('{"a":  1}');
\set VERBOSITY terse
create function bad_json() returns json language pllua_bg as 'return "{x"';
select bad_json();
-- A document that is compressed in its table.
create table documents (d jsonb);
insert into documents select jsonb_agg(jsonb_build_object('n', i, 't', repeat('x', 50), 'f', i + 0.5)) from generate_series(1, 1000) i;
create function sum_n(jsonb) returns text language pllua_bg as $$
    local n, f = 0, 0
    for _, entry in ipairs((...)()) do n, f = n + entry.n, f + entry.f end
    return n .. ' ' .. f
$$;
create function round_trip(jsonb) returns jsonb language pllua_bg as 'return (...)()';
select sum_n(d), round_trip(d) = d from documents;
-- Without recursion what is within stays jsonb; marks take the place of no other metatable.
do language pllua_bg $$
    local m = require 'pllua.jsonb'
    local j = pgtype.jsonb '{"a": [1, {"b": 2}], "c": 2, "d": null, "e": {}}'
    local t = j{norecurse = true, null = 'none'}
    print(pgtype(t.a), t.a, t.c, t.d, t.e, t.a{}[2].b, pgtype.jsonb(t, {null = 'none'}) == j)
    print(pgtype.jsonb '[[1], 2]'{norecurse = true}[1], pgtype.jsonb '5'{norecurse = true}, pgtype(pgtype.jsonb '[1.5]'{norecurse = true, pg_numeric = true}[1]))
    local keys = {}
    print(select('#', j{norecurse = true, discard = true, map = function(k, v) keys[#keys + 1] = k .. '=' .. tostring(v) end}), table.concat(keys, ' '))
    for _, name in ipairs{'set_as_array', 'set_as_object', 'set_as_unknown'} do
        print(pcall(m[name], setmetatable({}, {})))
        print(pcall(m[name], setmetatable({}, {__metatable = false})))
        print(pcall(m[name], spi.execute('select 1 as a')[1]))
        print(getmetatable(m[name]{}) ~= nil, pgtype.jsonb(m[name](m.set_as_array(m.set_as_object{1}))))
    end
$$;
-- options that have no meaning
do language pllua_bg $$
    for _, options in ipairs{{map = 5}, {array_thresh = 'x'}, {array_thresh = 1.5}, {array_frac = {}}} do
        print(pcall(pgtype.jsonb, {}, options))
    end
    print(pgtype.jsonb({[3] = 1}, {array_thresh = '1', array_frac = 1.0}))
$$;
set client_min_messages = warning;
drop schema types_json cascade;
