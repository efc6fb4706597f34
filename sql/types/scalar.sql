-- Booleans, integers, OIDs and floats between SQL and Lua.
create schema types_scalar;
set search_path = types_scalar, public;

create function show(anyelement) returns text language pllua_bg as $$
    local value = ...
    return type(value) .. ' ' .. tostring(math.type(value)) .. ' ' .. tostring(value)
$$;
select show(true), show(false), show(null::bool);
select show((-32768)::int2), show(2147483647), show(9223372036854775807), show(4294967295::oid);
select show(1.5::float4), show(0.1::float8), show('infinity'::float8), show('nan'::float4), show(1::float8);

create function as_int2(bigint) returns int2 language pllua_bg as 'return (...)';
create function as_int4(bigint) returns int4 language pllua_bg as 'return (...)';
create function as_oid(bigint) returns oid language pllua_bg as 'return (...)';
create function int4_of_float(float8) returns int4 language pllua_bg as 'return (...)';
create function int8_of_float(float8) returns int8 language pllua_bg as 'return (...)';
create function int4_of_text(text) returns int4 language pllua_bg as 'return (...)';
create function float4_of_float(float8) returns float4 language pllua_bg as 'return (...)';
create function bool_of_text(text) returns bool language pllua_bg as 'return (...)';
create function bool_of_float(float8) returns bool language pllua_bg as 'return (...)';
\set VERBOSITY sqlstate
select as_int2(-32768), as_int4(2147483647), as_oid(4294967295), as_int4(null);
select as_int2(32768);
select as_int4(2147483648);
select as_oid(-1);
select as_oid(4294967296);
\set VERBOSITY terse
-- A float that is whole is an integer; one with a fraction is not rounded silently.
select int4_of_float(3), int8_of_float(-9223372036854775808.0);
select int4_of_float(1.5);
select int4_of_float('nan');
select int8_of_float(9223372036854775808.0);
select int8_of_float('infinity');
-- Strings go through the input function of the type.
select int4_of_text(' 17 '), bool_of_text('yes');
select int4_of_text('1e1');
select int4_of_text('17x');
select float4_of_float(0.1), float4_of_float('-infinity');
select float4_of_float(1e300);
select float4_of_float(1e-300);
select bool_of_float(0), bool_of_float(0.5);
select bool_of_text('maybe');

create function wrong(what text) returns int4 language pllua_bg as $$
    return ({table = {}, ['function'] = print, boolean = true, ['nil'] = nil})[what]
$$;
select wrong('nil');
select wrong('table');
select wrong('function');
select wrong('boolean');

-- int8 keeps every bit on its way through.
create function same(int8) returns int8 language pllua_bg as 'return (...)';
select bool_and(same(v) = v) from (values ('-9223372036854775808'::int8), (9007199254740993), (0), (-1)) as t(v);
\set VERBOSITY default
set client_min_messages = warning;
drop schema types_scalar cascade;
