-- Types whose Lua value is a string.
create schema types_text;
set search_path = types_text, public;

create type color as enum ('red', 'green');
create function show(anyelement) returns text language pllua_bg as $$
    local value = ...
    return type(value) .. ' ' .. #value .. ' [' .. value .. ']'
$$;
select show('abc'::text), show('abc'::varchar(10)), show('abc'::bpchar(5)), show('abc'::name), show(''::text);
select show('{"a": 1}'::json), show('red'::color), show('x'::"char"), show(''::"char");
create function show_cstring(cstring) returns cstring language pllua_bg as 'return (...) .. "!"';
select show_cstring('abc');
create function show_cursor(refcursor) returns refcursor language pllua_bg as 'return (...)';

create function bytes(bytea) returns text language pllua_bg as $$
    return #... .. ': ' .. table.concat({string.byte((...), 1, -1)}, ' ')
$$;
create function all_bytes() returns bytea language pllua_bg as $$
    local parts = {}
    for i = 0, 255 do parts[#parts + 1] = string.char(i) end
    return table.concat(parts)
$$;
select bytes('\x00ff80'), bytes(''), bytes(all_bytes()) = '256: ' || string_agg(i::text, ' ' order by i)
    from generate_series(0, 255) i;

-- Values that are compressed or stored out of line.
create table big (t text, b bytea);
alter table big alter b set storage external;
insert into big values (repeat('0123456789', 100000), decode(repeat('00ff', 100000), 'hex'));
create function length_of(text) returns int language pllua_bg as 'return #...';
create function bytes_of(bytea) returns int language pllua_bg as 'return #...';
select length_of(t), bytes_of(b) from big;

-- Every string is checked for the encoding of the database and for NUL.
create function from_bytes(bytea) returns text language pllua_bg as 'return (...)';
create function varchar_of(bytea) returns varchar language pllua_bg as 'return (...)';
create function json_of(bytea) returns json language pllua_bg as 'return (...)';
\set VERBOSITY terse
select from_bytes('\xc3a9') = U&'\00e9';
select from_bytes('\x6100');
select from_bytes('\xc3');
select varchar_of('\xff');
select json_of('\x22ff22');
do language pllua_bg $$
    for _, bad in ipairs{'a\0b', 'a\xffb'} do
        local ok, err = pcall(spi.execute, 'select $1::text', bad)
        print(ok, err.sqlstate)
        ok, err = pcall(pgtype.numeric, bad)
        print(ok, err.sqlstate)
        ok, err = pcall(pgtype.jsonb, {bad}, {})
        print(ok, err.sqlstate)
    end
$$;

-- Numbers become text as Lua writes them; other values do not.
create function text_of(what text) returns text language pllua_bg as $$
    return ({integer = 17, float = 1.5, whole = 2.0, table = {}, boolean = true})[what]
$$;
select text_of('integer'), text_of('float'), text_of('whole'), text_of('none');
select text_of('table');
select text_of('boolean');

create function color_of(text) returns color language pllua_bg as 'return (...)';
select color_of('green');
select color_of('blue');
-- A label that is renamed is seen at once, also by the session that had it in its cache.
select show('red'::color);
alter type color rename value 'red' to 'crimson';
select show('crimson'::color);
begin;
alter type color rename value 'crimson' to 'scarlet';
select show('scarlet'::color);
rollback;
select show('crimson'::color);
set client_min_messages = warning;
drop schema types_text cascade;
