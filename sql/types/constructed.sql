-- What a function returns goes to the constructor of its type: bounds, elements, options.
create schema types_constructed;
set search_path = types_constructed, public;
\set VERBOSITY terse
create domain from_one as int4range check (lower(value) > 0);
create domain some_ints as int[] check (value[1] > 0);
create domain doc as jsonb;
create type parts as (a int, r int4range, x int[], m int4multirange);
-- The same code for every type and for sets; errors are shown by their message.
create function run(type text, code text) returns text language plpgsql as $$
declare
    one text;
    many text;
    first text;
begin
    execute format('create or replace function pg_temp.f() returns %s language pllua_bg as %L', type, 'return ' || code);
    execute format('create or replace function pg_temp.g() returns setof %s language pllua_bg as %L', type, 'coroutine.yield(' || code || ')');
    begin execute 'select pg_temp.f()' into one; exception when others then one := sqlstate || ' ' || sqlerrm; end;
    begin execute 'select row from pg_temp.g() row' into many; exception when others then many := sqlstate || ' ' || sqlerrm; end;
    begin execute 'select pg_temp.g()' into first; exception when others then first := sqlstate || ' ' || sqlerrm; end;
    drop function pg_temp.f();
    drop function pg_temp.g();
    if (one, one) is distinct from (many, first) then return format('differ: %s, %s, %s', one, many, first); end if;
    return one;
end $$;
select type, code, run(type, code) from (values
    ('int4range', '1, 5'), ('int4range', '1, 5, "[]"'), ('int4range', 'nil, 5'), ('int4range', '1, nil'), ('int4range', 'nil, nil'), ('int4range', 'nil'),
    ('int4range', '{1, 5}'), ('int4range', '{1, 5, "[]"}'), ('int4range', '{nil, 5}'), ('int4range', '{lower = 1, upper_inc = true, upper = 5}'),
    ('int4range', '{lower = 1, upper_inf = true, upper = 5}'), ('int4range', '{isempty = true}'), ('int4range', '"[1,5]"'), ('int4range', 'pgtype.int4range(1, 5)'),
    ('int4range', '1'), ('int4range', '{}'), ('int4range', '{1, upper = 5}'), ('int4range', '{lowr = 1}'), ('int4range', '1, 2, 3'), ('int4range', '1, 2, "[)", 4'),
    ('int4range', '5, 1'), ('int4range', '"x", 2'), ('numrange', '2 ^ 53, nil'), ('tsrange', '{year = 2020, month = 1, day = 1}, "2020-02-01"'),
    ('from_one', '1, 5'), ('from_one', '{1, 5}'), ('from_one', '0, 5'), ('from_one', 'nil'),
    ('int4multirange', '{1, 3}, {5, 7}'), ('int4multirange', '{{1, 3}, {5, 7}}'), ('int4multirange', 'pgtype.int4range(1, 3), "[2,7)"'),
    ('int4multirange', '"{[1,3)}"'), ('int4multirange', 'pgtype.int4range(1, 3)'), ('int4multirange', '{}'), ('int4multirange', '{1, 2}, nil'), ('int4multirange', '1'),
    ('int[]', '1'), ('int[]', '1, 2'), ('int[]', 'nil'), ('int[]', 'nil, nil'), ('int[]', '1, nil'), ('int[]', '{1, nil, 3}'), ('int[]', '{1, 2}, 3'), ('int[]', '{{1, 2}, {3, 4}}'),
    ('int[]', '{{1, 2}, {3, 4}}, 2, 2'), ('int[]', '{1, 2}, {3, 4}'), ('int[]', '{1, 2}, {3}'), ('int[]', '1, "2", pgtype.numeric(3)'), ('int[]', '1.5'), ('int[]', 'true'),
    ('int[]', 'pgtype.array.numeric("1.6", 2)'), ('int[]', '{}'), ('int[]', '"{1,2}"'), ('text[]', '"a"'), ('text[]', '"{a}"'), ('text[]', '"a", "b"'), ('bool[]', 'true'),
    ('numeric[]', '2 ^ 53'), ('int2vector', '1, 2'), ('some_ints', '1'), ('some_ints', '1, 2'), ('some_ints', '0'), ('parts[]', 'pgtype.parts(1, nil, nil, nil)'),
    ('parts[]', '{a = 1}, {a = 2}'), ('int4range[]', '{1, 2}, {3, 4}'), ('int4range[]', 'pgtype.int4range(1, 2)'), ('date[]', '{{year = 2020, month = 1, day = 1}}'),
    ('jsonb', '{1, 0}, {null = 0}'), ('jsonb', '{}, {empty_object = true}'), ('jsonb', '{1}, nil'), ('jsonb', '"x", {}'), ('jsonb', '"x", nil'), ('jsonb', 'nil, {}'), ('jsonb', 'nil'),
    ('jsonb', '{1, 2}, {map = function(v) return v end}'), ('jsonb', '1, 2'), ('jsonb', '1, {}, 3'), ('json', '{}, {empty_object = true}'), ('doc', '{1, 0}, {null = 0}'),
    ('jsonb[]', '{1}, {2}'), ('date', '{year = 2020, month = 1, day = 2}'), ('date', '1, 2'), ('int', '1, 2'), ('int', 'nil, nil'),
    ('parts', '1, {1, 5}, 7, {{1, 2}, {3, 4}}'), ('parts', '{1, {1, 5}, 7, {{1, 2}}}'), ('parts', '{a = 1, r = {1, 5}, x = 7, m = "{[1,2)}"}')) t(type, code);
create function outs(out r int4range, out x int[], out j jsonb) language pllua_bg as $$ return {1, 5}, 7, {2 ^ 53} $$;
create function one_out(out r int4range) language pllua_bg as $$ return 1, 5 $$;
create function grown(anyrange) returns anyrange language pllua_bg as $$ return 1, 5 $$;
create function listed(anyelement) returns anyarray language pllua_bg as $$ return ... $$;
select outs(), one_out(), grown(int4range(1, 2)), listed(1), listed('x'::text);
-- The types called, and parameters here and in a session.
do language pllua_bg $$
    print(pgtype.from_one(1, 5), pgtype.some_ints(1, 2), pgtype.doc({1, 0}, {null = 0}), pgtype.int4multirange(), pgtype.int4multirange({1, 2}, {5, 7}))
    print(pcall(pgtype.from_one, 0, 1), pcall(pgtype.some_ints, 0))
    print(pgtype.array.int4({1, 2}, {3, 4}), pgtype.array.int4(pgtype.array.numeric('1.6', '2')), pgtype.array.text(pgtype.array.int4(1, 2)))
    local s <close> = bg.launch()
    for _, p in ipairs{{'int[]', 7}, {'numeric[]', 2 ^ 53}, {'bool[]', true}, {'text[]', 5}, {'int4range', {1, 5}}, {'int4multirange', {{1, 2}, {4, 5}}}, {'int[]', 1.5}, {'some_ints', 0}, {'jsonb[]', 1}} do
        local here, there = {pcall(spi.execute, 'select $1::' .. p[1] .. ' as x', p[2])}, {pcall(s.exec, s, 'select $1::' .. p[1] .. ' as x', p[2])}
        print(p[1], here[1] and here[2].value or here[2].message, there[1] and there[2].value or there[2].message)
    end
$$;
set client_min_messages = warning;
drop schema types_constructed cascade;
