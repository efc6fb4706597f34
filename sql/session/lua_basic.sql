-- Sessions from Lua: launch, run, result, exec, detach, close; handles and pids.
do language pllua_bg $$
    local s <close> = bg.launch()
    local r = s:exec('select 6 * 7 as answer')
    print(r.n, r.tag, r.value, r[1].answer, r.columns[1].name, r.columns[1].type, #r.notices)
    r = s:exec('create temp table t (a int, b text)')
    print(r.n, r.tag, r.columns)
    r = s:exec([[insert into t values (1, 'one'), (2, 'two'), (3, null)]])
    print(r.n, r.tag)
    r = s:exec('select * from t order by a')
    print(r.n, r.tag, r.value)
    for i, row in ipairs(r) do print(i, row.a, row.b, row[1], row[2]) end
    r = s:exec('select * from t where false')
    print(r.n, r.tag, #r, r.columns[2].name, r.columns[2].type)
    r = s:exec('')
    print(r.n, r.tag == '')
$$;

-- run returns at once; result is last in, first out; results is first in, first out
do language pllua_bg $$
    local s <close> = bg.launch()
    for i = 1, 3 do s:run('select $1', i) end
    print(s:result().value, s:result().value, s:result().value, s:result())
    for i = 4, 6 do s:run('select $1', i) end
    local seen = {}
    for r in s:results() do seen[#seen + 1] = r.value end
    print(table.concat(seen, ' '), s:result())
    -- exec gets that very run
    s:run('select 7')
    print(s:exec('select 8').value, s:result().value)
$$;

-- handles: pid and name, function forms, one handle for one session
do language pllua_bg $$
    local s = bg.launch {name = 'worker'}
    print(math.type(s.pid), s.name, bg.session(s.pid) == s, #bg.sessions(), bg.sessions()[1] == s)
    bg.run(s, 'select 1')
    bg.run(s.pid, 'select 2')
    print(bg.result(s.pid).value, bg.result(s).value, bg.exec(s, 'select 3').value)
    print(s:exec([[select application_name, backend_type from pg_stat_activity
                   where pid = pg_backend_pid()]])[1])
    local status = bg.status(s)
    print(status.state, status.transaction, status.queued, status.name, status.pid == s.pid)
    print((tostring(s):gsub('%d+', 'N')))
    print(bg.detach(s), bg.detach(s), s:status().state, s.pid)
    print(bg.session(1), bg.status(1).state, (tostring(s)))
$$;

-- a session lives on after the call that launched it
create function launch() returns int language pllua_bg as 'return bg.launch().pid';
create function ask(pid int, sql text) returns text language pllua_bg as
    'return tostring(bg.exec(pid, sql).value)';
select launch() as pid \gset
select ask(:pid, 'select 1');
begin;
select ask(:pid, 'select 2');
rollback;
select ask(:pid, 'select 3');
do language pllua_bg 'for _, s in ipairs(bg.sessions()) do s:close() end print(#bg.sessions())';

-- many sessions at once, each doing its part
do language pllua_bg $$
    local futures = {}
    for i = 1, 4 do
        futures[i] = bg.launch():run('select sum(i) from generate_series(1, $1) i', i * 1000)
    end
    for _, r in ipairs(bg.all(futures)) do print(tostring(r.value)) end
    for _, s in ipairs(bg.sessions()) do s:close() end
$$;

-- the transaction of the session is its own
create table seen (v text);
begin;
do language pllua_bg $$
    local s <close> = bg.launch()
    s:exec([[insert into seen values ('from the session')]])
    spi.execute([[insert into seen values ('from the caller')]])
$$;
rollback;
table seen;

-- rows while they come
do language pllua_bg $$
    local s <close> = bg.launch()
    local n, sum = 0, 0
    for row in s:rows('select i, i::text as t from generate_series(1, $1) i', 20000) do
        n = n + 1
        sum = sum + row.i
    end
    print(n, sum)
    for row in s:rows('select i from generate_series(1, 100000) i') do
        if row.i == 3 then print('left') break end
    end
    print(s:exec('select 1').value)
    print(pcall(function()
        for row in s:rows('select 1 / (3 - i) as q from generate_series(1, 5) i') do print(row.q) end
    end))
    print(pcall(function() for row in s:rows('select 1; select 2') do print('row') end end))
    print(s:exec('select 2').value)
$$;

-- bg.autonomous keeps its work when the caller rolls back
begin;
do language pllua_bg $$
    local r = bg.autonomous([[insert into seen values ($1) returning v]], 'autonomous')
    print(r.tag, r.value)
$$;
rollback;
table seen;
drop table seen;
drop function launch, ask;

-- a command without rows tells how many it has changed
create table changed (a int);
do language pllua_bg $$
    local s <close> = bg.launch()
    for _, sql in ipairs{'insert into changed values (1), (2)', 'update changed set a = 3', 'create temp table t as select 1', 'vacuum changed'} do
        local r = s:exec(sql)
        print(r.tag, r.n)
    end
$$;
drop table changed;
