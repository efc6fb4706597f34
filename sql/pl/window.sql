-- Window functions: the arguments of the current row, and those of other rows by the object `window`.
create schema pl_window;
set search_path = pl_window;

create table sample (k int, t int, x float8, note text);
insert into sample select i % 2, i, i * i, repeat(chr(96 + i), i) from generate_series(1, 8) i;

create function step(x float8) returns float8 language pllua_bg window as $$
    local before, found = window:lag(1)
    if found then return x - before end
$$;
select k, t, x, step(x) over (partition by k order by t) from sample order by k, t;

-- All of the object.
create function seen(x float8, text) returns text language pllua_bg window as $$
    local function list(next, ...)
        local found = {}
        for i, value in next, ... do found[i] = string.format('%g', value) end
        return '{' .. table.concat(found, ' ') .. '}'
    end
    local function named(value, found) return found and string.format('%g', value) or '-' end
    local state = window.state
    state.calls = (state.calls or 0) + 1
    return string.format('%s: row %d of %d, call %d, %g in %s of %s; lag %s, lead %s, first %s, last %s, second %s, peer of the first %s',
        ..., window.position, window.count, state.calls, x, list(window:frame(1)), list(window:partition(1)),
        named(window:lag(1, 2)), named(window:lead(1)), named(window:first_value(1)), named(window:last_value(1)),
        named(window:nth_value(1, 2)), window:peers(1, window.position))
$$;
select seen(x, 'a') over (partition by k order by t rows between 1 preceding and 1 following) from sample order by k, t;
select seen(x, 'b') over (order by t / 3 range between unbounded preceding and current row exclude current row) from sample order by t;
select seen(x, 'c') over (rows between 2 following and 3 following) from sample order by t;

-- Texts, NULL, polymorphic arguments and results.
create function previous(anyelement) returns anyelement language pllua_bg window as $$ return (window:lag(1)) $$;
select previous(note) over (order by t), previous(t) over (order by t), previous(nullif(x, 4)) over (order by t), previous(sample) over (order by t)
from sample where t <= 4;

-- What the rows before have left is that partition's own.
create function running(x float8) returns float8 language pllua_bg window as $$
    local state = window.state
    state.sum = (state.sum or 0) + x
    return state.sum
$$;
select k, running(x) over (partition by k order by t) = sum(x) over (partition by k order by t) as same from sample order by k, t;

-- An error of a row that is read ends the statement, however it is read.
create function ahead(x int, way text) returns int language pllua_bg window as $$
    if way == 'lpcall' then print(lpcall(window.lead, window, 1))
    elseif way == 'resume' then print(coroutine.resume(coroutine.create(function() return window:lead(1) end)))
    elseif way == 'xpcall' then print(xpcall(window.lead, print, window, 1))
    else return (window:lead(1)) end
    return x
$$;
select ahead(10 / (t - 3), 'plain') over (order by t) from sample;
select ahead(10 / (t - 3), 'lpcall') over (order by t) from sample;
select ahead(10 / (t - 3), 'resume') over (order by t) from sample;
select ahead(t, 'xpcall') over (order by t) from sample where t = 1;

-- Inside a pcall around the whole statement it is as any other error.
do language pllua_bg $$
    print(pcall(spi.execute, "select ahead(10 / (t - 3), 'plain') over (order by t) from sample"))
    print(spi.execute("select max(a) from (select ahead(t, 'plain') over (order by t) as a from sample) as s").value)
$$;

-- Wrong use.
create function wrong(x int, what int) returns text language pllua_bg window as $$
    local tries = {
        function() return window:lag() end,
        function() return window:lag(3) end,
        function() return window:lag(1, 'x') end,
        function() return window:nth_value(1, 0) end,
        function() return window:peers(1, 0) end,
        function() return window:frame(0) end,
        function() return window.lag() end,
        function() return window.lag(1, 1) end,
        function() window.x = 1 end,
        function() return tostring(window.nothing) end,
        function() return tostring(window:lag(1, math.maxinteger)) end,
        function() return tostring(window:lag(1, math.mininteger)) end,
    }
    local ok, result = lpcall(tries[what])
    return tostring(result)
$$;
select n, wrong(1, n) over () from generate_series(1, 12) n;

-- The object is of the window function that runs, and of no other.
create function look() returns int language pllua_bg as $$ return kept.position $$;
create function keep(x int) returns text language pllua_bg window as $$
    _G.kept = window
    return pcall(spi.execute, 'select look()') and 'read' or 'refused'
$$;
select keep(1) over () from generate_series(1, 2);
select look();
do language pllua_bg $$ print(pcall(function() return kept:lag(1) end)) $$;

-- An argument may have the object's name.
create function hidden("window" int) returns int language pllua_bg window as $$ return window $$;
select hidden(t) over () from sample where t < 3;

-- Many rows, and cancelled.
select count(*), max(s) from (select step(i) over (order by i) as s from generate_series(1, 20000) i) as steps;
create function all_of_them(x int) returns int language pllua_bg window as $$
    while true do for _, value in window:partition(1) do end end
$$;
set statement_timeout = '100ms';
select all_of_them(i) over () from generate_series(1, 1000) i;
reset statement_timeout;
