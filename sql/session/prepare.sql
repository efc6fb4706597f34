-- session:prepare: statements that the worker analyses once.
create table parts (id int primary key, name text, weight numeric);
insert into parts select i, 'part ' || i, i / 2.0 from generate_series(1, 100) i;

do language pllua_bg $$
    local s <close> = bg.launch()
    local st = s:prepare('select name, weight from parts where id = $1')
    print(st:exec(7)[1].name, st:exec('8')[1].name, st:exec(nil).n)
    local f, g = st:run(1), st:run(2)
    print(f:get()[1].name, g:get()[1].weight)
    for row in s:prepare('select id from parts where id <= $1 order by id desc'):rows(3) do print('row', row.id) end
    for row in s:prepare('select generate_series(1, $1) as i'):rows(1000000) do
        if row.i == 2 then break end
    end
    -- the session's functions take it too, in the same order as other commands
    print(s:exec(st, 9)[1].name, s:run(st, 10):get()[1].name)
    -- more often than the server wants for a general plan
    local sum = 0
    for i = 1, 20 do sum = sum + #st:exec(i)[1].name end
    print(sum, s:result())
    -- no rows, no parameters
    local ins = s:prepare('insert into parts values ($1, $2, $3)')
    print(ins:exec(101, 'hex', 1.5).tag, s:prepare('update parts set weight = 0 where id > 100'):exec().tag)
$$;

-- types: inferred, declared, or the server's text
do language pllua_bg $$
    local s <close> = bg.launch()
    print(s:prepare('select $1 as v, pg_typeof($1) as t'):exec(5)[1].t)
    print(s:prepare('select $1 as v, pg_typeof($1) as t', {'numeric'}):exec(5)[1].t)
    print(s:prepare('select pg_typeof($1) as a, pg_typeof($2) as b, $1 + $2 as sum', {nil, 'int8'}):exec(1, 2)[1].b)
    print(s:prepare('select $1 + 1 as v'):exec('41')[1].v)
    print(pcall(function() s:prepare('select $1 + 1 as v'):exec('x') end))
    print(s:prepare("select $1::date + 1 as v"):exec(pgtype.date('2024-02-28'))[1].v)
    print(s:prepare('select length($1) as v'):exec(pgtype.int4(12345))[1].v)
    print(s:prepare('select $1::bytea as v'):exec('a\0b')[1].v == 'a\0b')
$$;

-- errors leave the statement and the session alive
do language pllua_bg $$
    local s <close> = bg.launch()
    local st = s:prepare('select 10 / $1 as v')
    print(pcall(st.exec, st, 0))
    print(st:exec(5)[1].v)
    local ok, e = pcall(s.prepare, s, 'selec 1')
    print(e.sqlstate, e.message)
    print(pcall(s.prepare, s, 'select 1; select 2'))
    print(pcall(s.prepare, s, ''))
    print(pcall(s.prepare, s, 'select * from no_such_table'))
    print(pcall(s.prepare, s, 5))
    print(pcall(s.prepare, s, 'select 1', 'int'))
    print(pcall(s.prepare, s, 'select 1', {'no_such_type'}))
    print(pcall(st.exec, st))
    print(pcall(st.exec, st, 1, 2))
    print(pcall(s.prepare, s, 'copy parts from stdin'))
$$;
do language pllua_bg $$
    local s <close> = bg.launch()
    local st = s:prepare('select 1 as v')
    s:exec('begin')
    pcall(s.exec, s, 'select 1 / 0')
    print(pcall(st.exec, st))
    print(pcall(s.prepare, s, 'select 1'))
    s:prepare('rollback'):exec()
    print(s:status().transaction, st:exec().value)
    -- cancelled, and still there
    local sleep = s:prepare('select pg_sleep($1)') -- workload
    local f = sleep:run(1000)
    f:cancel()
    print(pcall(f.get, f))
    print(sleep:exec(0).n)
$$;

-- what it depends on changes
do language pllua_bg $$
    local s <close> = bg.launch()
    s:exec('create table changing (a int); insert into changing values (1)')
    local st = s:prepare('select * from changing where a = $1')
    print(#st:exec(1).columns)
    s:exec('alter table changing add column b text default \'new\'')
    print(#st:exec(1).columns, st:exec(1)[1].b)
    s:exec('drop table changing')
    print(pcall(st.exec, st, 1))
    s:exec('create table changing (a int)')
    print(st:exec(1).n)
    s:exec('drop table changing; deallocate all; discard plans')
    print(pcall(st.exec, st, 1))
$$;

-- VACUUM, transactions, LISTEN
do language pllua_bg $$
    local s <close> = bg.launch()
    for _, sql in ipairs {'vacuum parts', 'begin', 'savepoint a', 'rollback to a', 'commit', 'listen somewhere', 'set work_mem = \'1MB\''} do
        print(s:prepare(sql):exec().tag)
    end
    print(s:exec('show work_mem').value)
$$;

-- the end of a statement, and of its session
do language pllua_bg $$
    local s = bg.launch()
    local st = s:prepare('select 1')
    do
        local other <close> = bg.launch()
        print(pcall(other.exec, other, st))
    end
    print(st:close(), st:close(), pcall(st.exec, st))
    do local scoped <close> = s:prepare('select 2') st = scoped end
    print(pcall(st.run, st))
    st = s:prepare('select 3')
    s:close()
    print(pcall(st.exec, st))
    -- the next use of the worker has none of it
    local again <close> = bg.launch()
    print(pcall(st.exec, st), again:prepare('select 4'):exec().value)
$$;
-- those nobody holds are released in the worker
do language pllua_bg $$
    local s <close> = bg.launch()
    local function plans()
        return s:exec([[select count(*) from pg_backend_memory_contexts where name = 'CachedPlanSource']]).value
    end
    local before = plans()
    for i = 1, 100 do s:prepare('select ' .. i) end
    collectgarbage() collectgarbage()
    print(plans() - before < 10)
$$;
-- in tasks that run side by side
do language pllua_bg $$
    local a <close>, b = bg.launch(), nil
    local st = a:prepare('select $1 || $2 as v')
    local futures = {}
    for i = 1, 5 do futures[i] = st:run('n', i) end
    for i, r in ipairs(bg.all(futures)) do print(i, r[1].v) end
$$;
drop table parts;
