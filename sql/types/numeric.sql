-- Numerics are exact: objects with the arithmetic of the server.
create schema types_numeric;
set search_path = types_numeric, public;

do language pllua_bg $$
    local n = pgtype.numeric
    local a, b = n('1.50'), n(2)
    print(type(a), pgtype(a), tostring(a))
    print(a + b, a - b, a * b, a / b, n(7) % n(3), b ^ n(10) == n(1024), -a)
    print(n(7) // n(2), n(-7) // 2, n(-7) % 2, n(7) % -2)
    print(a + 1, a + 1.5, 1 + a, a + '2', 3 - a)
    print(a < b, a <= b, a > b, a == n('1.5'), a ~= b, a < 2, 1 < a, a <= '1.5')
    print(n('0.1') + n('0.2') == n('0.3'), n('1e-300') * n('1e300'))
    print(n'NaN' == n'NaN', n(1/0), n(-1/0), n(0/0))
    print(n(math.mininteger), n(math.maxinteger) + 1)
    print(n(1/3), n(1e300) == n('1e300'))
    print(a == 1.5, a == '1.5', a.nosuch)
    for _, f in ipairs{function() return n(1) / 0 end, function() return a + {} end, function() return a .. 'x' end,
                       function() return n'x' end, function() return n(true) end, function() return a < true end,
                       function() return n('0') ^ -1 end} do
        local ok, err = pcall(f)
        print(ok, type(err) == 'string' and err:gsub('^.-:%d+: ', '') or err)
    end
$$;

-- The module, which is also what methods of numerics are.
do language pllua_bg $$
    local num = require 'pllua.numeric'
    local n = num.new
    print(num.abs(n'-2.5'), num.ceil(n'2.1'), num.floor(n'-2.1'), num.sign(n'-3'), num.sqrt(2), num.exp(1))
    print(num.round(n'12.567', 2), num.trunc(n'12.567', 1), num.round(n'12.5'), num.trunc(n'-12.5'))
    print(num.log(100), num.log(100, 10), num.log(n'8', n'2'))
    print(num.isnan(n'NaN'), num.isnan(1), num.equal(n'2.0', 2), num.equal('2', 2.0), num.equal(1, 2))
    print(n'2.5':floor(), n'2.5':tonumber(), n'1.567':round(1))
    print(num.maxinteger, num.mininteger)
    local function kind(v) return math.type(v) .. ' ' .. tostring(v) end
    print(kind(num.tonumber(n'12')), kind(num.tonumber(n'12.00')), kind(num.tonumber(n'12.5')), kind(num.tonumber'3'))
    print(kind(num.tonumber(n'9223372036854775807')), kind(num.tonumber(n'-9223372036854775808')))
    print(kind(num.tonumber(n'9223372036854775808')), kind(num.tonumber(n'-9223372036854775809')))
    print(kind(num.tonumber(n'1e-10')), kind(num.tonumber(n'1e20')), num.tonumber(n'NaN'), num.tonumber(n'Infinity'))
    print(num.tointeger(n'12.5'), num.tointeger(n'12.0'), num.tointeger(n'1e30'), num.tointeger(n'10000'))
    print(pcall(num.new, 1, 2))
    print(select(2, pcall(num.sqrt, -1)))
$$;

-- Digits read without the server give the same numbers as its own conversions.
create function number_of(numeric) returns float8 language pllua_bg as $$
    return require 'pllua.numeric'.tonumber((...)) + 0.0
$$;
create function integer_of(numeric) returns int8 language pllua_bg as $$
    return require 'pllua.numeric'.tointeger((...))
$$;
select count(*), bool_and(number_of(v) = v::float8)
from (select sign * (i::numeric * 10::numeric ^ e + 1 / 3::numeric) * 10::numeric ^ (-e) as v
      from generate_series(1, 999, 37) i, generate_series(-30, 30, 3) e, (values (1), (-1)) s(sign)) t;
select count(*), bool_and(integer_of(v) = v)
from (select (sign * i * (10 ^ e)::numeric(20))::int8::numeric as v
      from generate_series(0, 9) i, generate_series(0, 17) e, (values (1), (-1)) s(sign)) t;
select number_of('1.7976931348623157e308'), number_of('5e-324') > 0, number_of('0'), number_of('-0.0');

-- As argument, column and result; a length modifier holds for columns.
create function twice(numeric) returns numeric language pllua_bg as 'return (...) * 2';
create table prices (amount numeric(6, 2));
create function make_price(numeric) returns prices language pllua_bg as 'return {amount = (...)}';
select twice(1.50), twice('12345678901234567890.123456789'), (make_price(1.005)).amount;
\set VERBOSITY terse
select make_price(10000);
create function of_lua(text) returns numeric language pllua_bg as $$
    return ({integer = 5, float = 0.1, text = '1.50', table = {}})[...]
$$;
select of_lua('integer'), of_lua('float'), of_lua('text');
select of_lua('table');
-- Casts to what another type is wanted.
create function int_of_numeric(numeric) returns int language pllua_bg as 'return (...)';
create function text_of_numeric(numeric) returns text language pllua_bg as 'return (...)';
create function date_of_numeric(numeric) returns date language pllua_bg as 'return (...)';
select int_of_numeric(1.5), text_of_numeric(1.50);
select int_of_numeric(1e20);
select date_of_numeric(1);
-- A float becomes the numeric that as a float is that float again, on every road.
create domain amount as numeric check (value > -1e30);
create type priced as (n numeric, a numeric[], d amount);
create function exact_result(float8) returns numeric language pllua_bg as 'return (...)';
create function exact_row(float8) returns priced language pllua_bg as 'return {n = (...), a = {(...)}, d = (...)}';
create function exact_array(float8) returns numeric[] language pllua_bg as 'return {(...), -(...)}';
create function exact_range(float8) returns numrange language pllua_bg as 'return pgtype.numrange((...), nil)';
create function exact_roads(float8) returns setof text language pllua_bg as $$
    local x, n = ..., pgtype.numeric
    local s <close> = bg.launch()
    local roads = {n(x), n(0) + x, x + n(0), require 'pllua.numeric'.new(x), pgtype.amount(x),
                   pgtype.array.numeric(x)[1], spi.execute('select $1::numeric as x', x).value,
                   spi.prepare('select $1 as x', {'numeric'}):execute(x).value, spi.execute('select ($1::numeric[])[1] as x', {x}).value,
                   spi.execute('select ($1::priced).n as x', {n = x}).value, s:exec('select $1::numeric as x', x).value,
                   s:exec('select ($1::numeric[])[1] as x', {x}).value, s:exec('select ($1::priced).d as x', {d = x}).value}
    for i, road in ipairs(roads) do roads[i] = tostring(road) end
    for i = 1, #roads do
        if i == 1 or roads[i] ~= roads[1] then coroutine.yield(i .. ': ' .. roads[i]) end
    end
$$;
create function exact_roads_alike(x float8) returns text language sql as $$ select string_agg(r, ' / ') from exact_roads(x) r $$;
select x::text, exact_roads_alike(x), exact_result(x)::float8 = x as same, exact_result(x) = (exact_row(x)).n as row,
       exact_result(x) = (exact_row(x)).d as domain, exact_result(x) = (exact_array(x))[1] as element,
       exact_result(x) = lower(exact_range(x)) as bound
from (values (2 ^ 53 :: float8), (-2 ^ 53 - 2), (2 ^ 63), (-2 ^ 63), (2 ^ 64), (-2 ^ 64), (1e18 + 128), (1e22), (1e23), (0.1), (0.1::float8 + 0.2),
      (1 :: float8 / 3), (1e15::float8 + 0.25), (-0.0), (0.1::float4::float8), ('infinity'), ('nan')) t(x);
select x, exact_result(x)::float8 = x as same from unnest(array['5e-324', '1.7976931348623157e308', '-2.2250738585072014e-308']::float8[]) x;
-- Of objects, whose type is float8, the cast is the server's.
do language pllua_bg $$ print(pgtype.numeric(pgtype.float8(2 ^ 53)), spi.execute('select $1::numeric', pgtype.float8(0.1 + 0.2)).value) $$;
set client_min_messages = warning;
drop schema types_numeric cascade;
