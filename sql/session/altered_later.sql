-- A type is altered after rows of it were sent, or values: nobody reads them with a definition they were not made with, and
-- nobody waits for a session that has the type open.
\set SHOW_CONTEXT never
set client_min_messages = error;
set statement_timeout = '60s';
create type f1 as (a int, b int);
create domain d1 as f1;
create type outer_f1 as (x int, f f1, fs f1[]);
-- results fetched after the change: committed, open, dropped; each type is new to this backend
create function after_change(change text, query text) returns text language pllua_bg as $$
    local s <close> = bg.launch()
    s:exec('create type later as (a int, b text, c float8)')
    s:exec('create type later_outer as (x later, y later[], z int)')
    s:exec('create domain later_domain as later')
    local f = s:run(query)
    local p = s:prepare(query):run()
    s:exec(change)
    local out = {}
    local row = f:get()[1]
    for i = 1, #row do out[i] = type(row[i]) .. ' ' .. tostring(row[i]) end
    local again = p:get()[1]
    for i = 1, #again do out[i] = out[i] .. (tostring(again[i]) == tostring(row[i]) and '' or ' is not ' .. tostring(again[i])) end
    s:exec('rollback; drop type if exists later cascade; drop type if exists later_outer cascade')
    return table.concat(out, ' | ')
$$;
select after_change(change, 'select row(1, $$two$$, 3)::later as l, array[row(1, $$two$$, 3)::later] as a, row(1, $$two$$, 3)::later::later_domain as d,
    row(row(1, $$two$$, 3), array[row(4, null, 5.5)::later, null], 6)::later_outer as o')
from unnest(array['select 1', 'begin; select 1', 'alter type later add attribute d int cascade', 'alter type later drop attribute a cascade',
    'alter type later drop attribute b cascade, add attribute b int cascade', 'alter type later rename attribute a to z', 'begin; alter type later add attribute d int cascade',
    'begin; drop type later cascade', 'drop type later cascade', 'drop type later cascade; create type later as (a text, b int)']) change;
-- one that the transaction had made, and text
do language pllua_bg $$
    local s <close> = bg.launch()
    s:exec('begin; create type made as (a int, b int)')
    local same, other = s:run('select row(1, 2)::made as m'), s:run('select row(1, 2)::made as m')
    s:exec('commit')
    local r = same:get()[1].m
    print(type(r), r)
    s:exec('alter type made drop attribute a')
    r = other:get()[1].m
    print(type(r), r)
    s:exec('drop type made')
$$;
-- in the middle of the rows
do language pllua_bg $$
    local s <close> = bg.launch()
    s:exec('create type rowed as (a int, b int)')
    local n = 0
    print(pcall(function()
        for row in s:rows('select row(i, 2)::rowed as r from generate_series(1, 3) i') do
            n = n + 1
            print(row.r)
            if n == 1 then
                bg.autonomous('alter type rowed add attribute c int')
                spi.execute('select count(*) from pg_class') -- from now on it is known here
            end
        end
    end))
    print(pcall(function() for row in s:rows('select row(i, 2, 3)::rowed as r from generate_series(1, 1) i') do print(row.r) end end))
    s:exec('drop type rowed')
$$;
-- in SQL
select bg.launch() as pid \gset
select bg.run(:pid, 'select row(1, 2)::f1 as f, array[row(3, 4)::f1] as fs');
select bg.run(:pid, $$begin; alter type f1 alter attribute b type text cascade; commit$$);
select bg.wait(:pid);
select * from bg.result(:pid) as (tag text);
select * from bg.result(:pid) as (f f1, fs f1[]);
select * from bg.result(:pid) as (f text, fs text);
select bg.run(:pid, $$select row(1, 'x')::f1 as f$$);
select * from bg.result(:pid) as (f f1);
select bg.close(:pid);

-- values for a session, of a type that this transaction has changed or locked: rows go without their type
create type grade as enum ('good');
create table t1 (a int, g grade);
insert into t1 values (1, 'good');
begin;
alter type f1 add attribute c int cascade;
do language pllua_bg $$
    local s <close> = bg.launch()
    local f = spi.execute("select row(1, 'x', 3)::f1 as f")[1].f
    print(pcall(s.exec, s, 'select ($1).a', f))
    print(s:exec('select $1::jsonb', f).value, s:exec('select $1', f).value)
    print(pcall(s.exec, s, 'select $1', spi.execute('select array[null::f1] as fs')[1].fs))
    print(s:exec('select 1').value)
$$;
rollback;
begin;
lock table t1;
do language pllua_bg $$
    local s <close> = bg.launch()
    local t = spi.execute('select t1, array[t1] as ts from t1')[1]
    print(s:exec('select $1::jsonb', t.t1).value, s:exec('select $1', t.t1).value)
    print(pcall(s.exec, s, 'select $1', t.ts))
$$;
rollback;
begin;
alter type grade add value 'new';
do language pllua_bg $$
    local s <close> = bg.launch()
    local t = spi.execute('select t1, array[t1] as ts from t1')[1]
    print(s:exec('select $1::jsonb', t.t1).value, s:exec('select $1', t.t1).value)
    print(pcall(s.exec, s, 'select $1', t.ts))
$$;
rollback;
begin;
alter type grade rename value 'good' to 'fine';
select bg.launch() as pid \gset
select bg.run(:pid, 'select $1', 'fine'::grade);
rollback;
-- at the commit the change is there for all
create table noted (f f1);
begin;
alter type f1 add attribute c int cascade;
do language pllua_bg $$ bg.on_commit('insert into noted values ($1)', spi.execute("select row(1, 'x', 3)::f1 as f")[1].f) $$;
commit;
do language pllua_bg $$
    while spi.execute('select count(*) from noted').value == 0 do bg.sleep(0.01) end
    print(spi.execute('select * from noted')[1])
$$;
-- changed while the value is on its way
drop table noted;
do language pllua_bg $$
    local s <close> = bg.launch()
    local other <close> = bg.launch()
    local pair = other:exec([[select row(1, 'x', 3)::f1 as f, array[row(1, 'x', 3)::f1] as fs,
        row(1, row(2, 'y', 4), null)::outer_f1 as o]])[1]
    other:exec('select pg_advisory_lock(8)')
    s:run('select pg_advisory_lock(8)')
    local waiting = {}
    for _, v in ipairs {pair.f, pair.fs, pair.o, pair.o.f} do waiting[#waiting + 1] = s:run('select $1::text', v) end
    other:exec('alter type f1 drop attribute b cascade')
    other:exec('select pg_advisory_unlock(8)')
    for _, f in ipairs(waiting) do
        local r, e = f:try()
        print(r and r.value or e)
    end
$$;
drop function after_change(text, text);
drop table t1;
drop type outer_f1, grade;
drop domain d1;
drop type f1;
