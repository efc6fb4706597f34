-- Rows of types that the session's open transaction has altered come as text, by every way results come: nothing waits for the
-- session's locks, nothing is read with the definition the launcher has.
\set SHOW_CONTEXT never
set statement_timeout = '60s';
create function each_way(setup text, query text) returns setof text language pllua_bg as $$
    local s <close> = bg.launch()
    s:exec('begin')
    s:exec(setup)
    local function line(way, row)
        local out = {}
        for i = 1, #row do out[i] = type(row[i]) .. ' ' .. tostring(row[i]) end
        coroutine.yield(way .. ': ' .. table.concat(out, ' | '))
    end
    for _, row in ipairs(s:exec(query)) do line('exec', row) end
    for row in s:rows(query) do line('rows', row) end
    local statement <close> = s:prepare(query)
    for _, row in ipairs(statement:exec()) do line('prepared', row) end
    s:exec('rollback')
    for _, row in ipairs(statement:exec()) do line('rolled back', row) end
$$;
create type f1 as (a int, b int);
create domain d1 as f1;
create type outer_f1 as (x int, f f1, fs f1[]);
create type f1_range as range (subtype = f1);
create domain small as int constraint low check (value < 100);
create type with_small as (s small, v varchar(5));
create type grade as enum ('good', 'bad');
create type graded as (g grade);
create table t1 (a int, b varchar(10), c small);
insert into t1 values (1, 'one', 1);

-- attributes of a composite type
select each_way('alter type f1 alter attribute b type text', $$select row(1, '2')::f1$$);
select each_way('alter type f1 drop attribute b', $$select '(1)'::f1$$) limit 3;
select each_way('alter type f1 add attribute c text', $$select '(1,2,x)'::f1$$) limit 3;
select each_way('alter type f1 rename attribute b to z', 'select row(1, 2)::f1');
select each_way('alter type f1 alter attribute b type numeric(5,2)', 'select row(1, 2)::f1');
select each_way('alter type f1 rename to f2', 'select null::f2, row(1, 2)::f2') limit 3;
-- what contains it
select each_way('alter type f1 alter attribute b type text', $$select row(1, '2')::f1::d1, array[row(1, '2')::f1],
    row(1, row(1, '2'), array[row(1, '2')::f1])::outer_f1, f1_range(row(1, '2'), row(3, '4')), array[row(1, '2')::f1::d1]$$);
-- in a savepoint that is kept, and in one that is not
select each_way('savepoint a; alter type f1 alter attribute b type text; release a', $$select row(1, '2')::f1$$);
select each_way('savepoint a; alter type f1 alter attribute b type text; rollback to a', 'select row(1, 2)::f1');
-- tables
select each_way('alter table t1 drop column b', 'select t1 from t1') limit 3;
select each_way('alter table t1 add column d int default 5', 'select t1, array[t1] from t1');
select each_way('alter table t1 alter column b type varchar(20)', 'select t1 from t1');
select each_way('alter table t1 rename column b to bb', 'select t1 from t1');
-- nothing is altered, but nobody else can look at the definition
select each_way('lock table t1 in access exclusive mode', 'select t1 from t1');
select each_way($$truncate t1; insert into t1 values (2, 'two', 2)$$, 'select t1 from t1');
-- this is no obstacle
select each_way('update t1 set a = 3; lock table t1 in exclusive mode', 'select t1 from t1');
-- domains and labels
select each_way('alter domain small drop constraint low; alter domain small set default 3',
    $$select '50'::small, array['50'::small], '(50,x)'::with_small$$);
select each_way($$alter type grade rename value 'good' to 'fine'$$, $$select (enum_range(null::grade))[1], row((enum_range(null::grade))[1])::graded$$);
select each_way($$alter type grade add value 'worst'$$, $$select 'good'::grade, row('good')::graded$$);
-- made and altered; altered where the row type is that of a new table
select each_way('create type f3 as (a int); alter type f3 add attribute b int; create table t3 of f3; insert into t3 values (1, 2)',
    'select t3, row(1, 2)::f3 from t3') limit 3;
-- into SQL
select bg.launch() as pid \gset
select bg.run(:pid, $$begin; alter type f1 alter attribute b type text; select row(1, 'hello')::f1$$);
select * from bg.result(:pid) as (f text);
select bg.run(:pid, $$select row(1, 'hello')::f1$$);
select * from bg.result(:pid) as (f f1);
select bg.run(:pid, 'rollback');
select bg.run(:pid, 'select row(1, 2)::f1');
select * from bg.result(:pid) as (f f1);
select bg.close(:pid);
-- plans that are kept, with a constant of the type: here, and in a session by all that is kept there
create type f4 as (a int, b int);
create function f4_text() returns text language plpgsql as $$ declare x f4 := row(1, 2)::f4; begin return x::text; end $$;
do language pllua_bg $$
    local s <close> = bg.launch()
    local sql = 'select row(1, 2)::f4 as f, f4_text() as t'
    local here, there = spi.prepare(sql), s:prepare(sql)
    s:exec('prepare p as select (row(1, 2)::f4)::text')
    local function all(change)
        if change then bg.autonomous('alter type f4 ' .. change) end
        print(here:execute()[1], spi.execute(sql)[1], there:exec()[1], s:exec(sql)[1], s:exec('execute p').value)
    end
    all()
    all('alter attribute b type text')
    all('alter attribute a type char(3)')
    all('rename attribute b to z')
    print(here:execute()[1].f.z, there:exec()[1].f.z)
$$;
drop function each_way(text, text), f4_text();
drop type f4;
drop table t1;
drop type f1_range, outer_f1, graded, grade, with_small;
drop domain d1, small;
drop type f1;
