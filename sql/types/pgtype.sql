-- The module pgtype: types by name, of values and of arguments; values made by calling them.
create schema types_pgtype;
set search_path = types_pgtype, public;
create type pair as (a int, b text);
do language pllua_bg $$
    print(pgtype.int4, pgtype.integer:name(), pgtype['varchar(10)'], pgtype.array.int4, pgtype.pair, pgtype['double precision'])
    print(pgtype.int4 == pgtype.integer, pgtype.int4 == pgtype(nil, 'int4'), pgtype.int4 == pgtype.int8, pgtype.Int4:name())
    print(pgtype(1), pgtype('x'), pgtype(nil), pgtype(), pgtype(1, 'int4'), pgtype(pgtype.date '2020-01-01', 'int4'))
    print(pgtype.array.int4:element(), pgtype.int4:element(), pgtype['numeric(5,2)']:typmod(), pgtype.int4:oid())
    print(pgtype['types_pgtype.pair'], pgtype['"pair"'], pgtype.array.pair, rawequal(pgtype.pair, pgtype.pair))
    for _, name in ipairs{'nosuch', 'int4; x', 'no such type', '', 'nosuch.pair'} do
        local ok, err = pcall(function() return pgtype(nil, name) end)
        print(ok, err.sqlstate)
    end
    print(pcall(pgtype, nil, 0))
    print(pcall(pgtype.int4, 1, 2), pcall(pgtype.int4))
    local five, text = pgtype.int4 '5', pgtype.text 'abc'
    print(type(five), five, five == pgtype.int4(5), five < pgtype.int4(6), type(text), text, text == pgtype.text 'abc')
    print(pgtype.int4:fromstring '17', pgtype.int4:fromstring(nil), pgtype['varchar(5)'] 'abc', pgtype['char(5)'] 'abc' == pgtype.bpchar 'abc  ')
    print(pgtype.bit '101', pgtype['bit(3)'] '101', pgtype.char 'abc', pcall(pgtype['bit(2)'], '101'))
    print(pgtype['numeric(4,1)'](3.14159), pcall(pgtype['varchar(3)'], 'abcdef'))
    -- A typed value keeps its type as a parameter.
    for _, v in ipairs{five, text, pgtype.int2(1), pgtype.numeric(1), pgtype.array.int2(1), pgtype.pair(1, 'x')} do
        print(spi.execute('select pg_typeof($1)::text as type, $1 as value', v)[1])
    end
    -- Plain values take the type that their place asks for, or else their own.
    for _, v in ipairs{1, 1.5, true, 'x', {1, 2}, {'a'}, {1, 2.5}, {{1}, {2}}, {a = 1}, {true}} do
        print(spi.execute('select pg_typeof($1)::text as type', v)[1].type)
    end
    print(pgtype.text(pgtype.numeric(1.5)), pgtype.int4(pgtype.numeric(1.5)), pgtype.uuid(pgtype.text '0ab0c0d0-0000-0000-0000-000000000000'))
    print(pgtype.date(pgtype.timestamp '2020-01-01 12:00'), pcall(pgtype.date, pgtype.numeric(1)))
$$;
create function argument_types(int, text[], pair, anyelement, variadic numeric[]) returns date language pllua_bg as $$
    for i = 0, 5 do print(i, pgtype(nil, i)) end
$$;
select argument_types(1, '{}', null, '1 day'::interval, 1, 2);
-- A name means what the search path says now.
create schema types_pgtype_other;
create type types_pgtype_other.pair as enum ('x');
create function pair_type() returns text language pllua_bg as $$
    local t = pgtype.pair
    return tostring(t) .. ' ' .. tostring(pcall(t, 'x'))
$$;
select pair_type();
set search_path = types_pgtype_other, types_pgtype, public;
select pair_type();
set search_path = types_pgtype, public;
select pair_type();
drop type pair cascade;
create domain pair as text;
select pair_type();
drop domain pair;
\set VERBOSITY terse
select pair_type();
-- A name that is no type's gives nil, as an argument an error; what types say of their parts.
create type pair as (a int, b text);
create domain pairs as pair;
do language pllua_bg $$
    print(pgtype.nosuch, pgtype['noschema.nosuch'], pgtype.array.nosuch, pgtype['nosuch[]'], pcall(pgtype, nil, 'nosuch'))
    print(pgtype.pair:element('b'), pgtype.pair:element(1), pgtype.pairs:element('a'), pgtype.int4range:element(), pgtype.int4multirange:element(), pgtype.array.pair:element(), pgtype.int4:element())
    print(pgtype.varchar:name(14), pgtype.numeric:name(655366), pgtype.int4:name(-1))
    print(pgtype.int4:fromstring(5), pgtype.numeric:fromstring(1.5), pgtype.int4:frombinary('\0\0\1\0'), pgtype.text:frombinary('abc'), pgtype.int4:frombinary(nil), pgtype.pair:frombinary('\0\0\0\2\0\0\0\23\0\0\0\4\0\0\0\7\0\0\0\25\255\255\255\255'))
    for _, f in ipairs{function() return pgtype.pair:element('x') end, function() return pgtype.pair:element(3) end, function() return pgtype.pair:element() end,
                       function() return pgtype.int4range:element('a') end, function() return pgtype.int4:frombinary('\0') end, function() return pgtype.int2:frombinary('\0\0\0') end,
                       function() return pgtype.pairs:frombinary('x') end, function() return pgtype.int4:fromstring(true) end, function() return pgtype.text:frombinary('\255') end,
                       function() return pgtype.int4:name(1 << 40) end, function() return pgtype.int4:frombinary(5) end} do
        print(select(2, pcall(f)))
    end
$$;
set client_min_messages = warning;
drop schema types_pgtype, types_pgtype_other cascade;
