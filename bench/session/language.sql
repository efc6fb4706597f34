-- bench/session/language.sql: the language itself, without sessions, against plpgsql: calls, statements and rows in a function.
--   psql variables: turns
create function bench.add_lua(i int) returns int language pllua_bg as 'return i + 1';
create function bench.add_plpgsql(i int) returns int language plpgsql as 'begin return i + 1; end';
create function bench.statements_plpgsql(n int) returns bigint language plpgsql as $$
declare sum bigint := 0; x int;
begin
    for i in 1 .. n loop select i + g into x from generate_series(1, 1) g; sum := sum + x; end loop;
    return sum;
end $$;
create function bench.rows_plpgsql(n int) returns bigint language plpgsql as $$
declare sum bigint := 0; r record;
begin
    for r in select i, i::text as t from generate_series(1, n) i loop sum := sum + r.i; end loop;
    return sum;
end $$;
select set_config('bench.turns', :'turns', false) \g /dev/null
do language pllua_bg $lua$
local turns = tonumber(bench.value("select current_setting('bench.turns')"))
local kCalls, kStatements, kRows = 20000, 2000, 20000
local calls = 'select sum(bench.add_%s(i))::int8 from generate_series(1, ' .. kCalls .. ') i'
local statement = spi.prepare('select $1 + g as x from generate_series(1, 1) g', {'int4'})
local function check(got, expected) if got ~= expected then error('wrong sum: ' .. tostring(got)) end end
local function statements()
    local sum = 0
    for i = 1, kStatements do sum = sum + statement:execute(i)[1].x end
    check(sum, kStatements * (kStatements + 3) // 2)
end
local function rows()
    local sum = 0
    for row in spi.rows('select i, i::text as t from generate_series(1, ' .. kRows .. ') i') do sum = sum + row.i end
    check(sum, kRows * (kRows + 1) // 2)
end
local function query(sql, expected) return function() check(bench.value(sql), expected) end end
bench.figures('language', 'us', turns, {
    {'a call', query(calls:format('lua'), kCalls * (kCalls + 3) // 2), items = kCalls},
    {'a call of plpgsql', query(calls:format('plpgsql'), kCalls * (kCalls + 3) // 2), items = kCalls},
    {'a prepared statement', statements, items = kStatements},
    {'a statement of plpgsql', query('select bench.statements_plpgsql(' .. kStatements .. ')', kStatements * (kStatements + 3) // 2),
        items = kStatements},
    {'a row of spi.rows', rows, items = kRows},
    {'a row of a loop in plpgsql', query('select bench.rows_plpgsql(' .. kRows .. ')', kRows * (kRows + 1) // 2), items = kRows},
})
bench.ratio('language', 'a call', 'a call of plpgsql')
bench.ratio('language', 'a prepared statement', 'a statement of plpgsql')
bench.ratio('language', 'a row of spi.rows', 'a row of a loop in plpgsql')
$lua$;
