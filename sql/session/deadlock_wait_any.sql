-- Waiting for the first of several sessions: a cycle through any of them ends with 40P01 in that one, whichever it is, and never hangs.
create table mine (i int);
create table theirs (i int);
set deadlock_timeout = '50ms';
set statement_timeout = '60s';
-- waiters: what each session waits for, 'mine' or 'theirs'. Somebody else, who is not waiting for us, holds `theirs`.
create function first_of(VARIADIC waiters text[]) returns setof text language pllua_bg as $$
    local holder = bg.launch{name = 'holder'}
    holder:exec('begin; lock table theirs')
    holder:run('select pg_sleep(1000)') -- workload
    local pid = holder.pid
    holder:detach() -- not ours any more
    spi.execute('lock table mine')
    local sessions, futures, begun = {}, {}, bg.now()
    for i = 1, #waiters do
        sessions[i] = bg.launch()
        futures[i] = sessions[i]:run('lock table ' .. waiters[i] .. '; select 1')
    end
    local f, i = bg.wait(futures)
    local r, e = f:try()
    coroutine.yield('first: ' .. waiters[i] .. ' ' .. (r and r.tag or e.sqlstate))
    if bg.now() - begun > 20 then coroutine.yield('it took ' .. bg.now() - begun) end
    spi.execute('select pg_terminate_backend($1)', pid)
    for k, s in ipairs(sessions) do
        local r, e = futures[k]:try()
        coroutine.yield(waiters[k] .. ': ' .. (r and r.tag or e.sqlstate))
        s:close()
    end
$$;
begin;
select first_of('mine', 'theirs');
rollback;
begin;
select first_of('theirs', 'mine');
rollback;
begin;
select first_of('theirs', 'theirs', 'theirs', 'mine');
rollback;
begin;
select count(*) from first_of('mine', 'mine') x where x in ('first: mine 40P01', 'mine: 40P01');
rollback;
-- one that does not wait for a lock keeps hope: no deadlock, and its answer comes
do language pllua_bg $$
    local blocked <close> = bg.launch()
    local busy <close> = bg.launch()
    spi.execute('lock table mine')
    local a, b = blocked:run('select * from mine'), busy:run('select pg_sleep(0.5)') -- workload
    local f = bg.wait{a, b}
    print(f == b, a:done())
    -- now nothing is left to hope for
    local r, e = a:try()
    print(e.sqlstate)
$$;
-- two sessions that wait for each other: their own deadlock, found by the server; the other one's answer comes
do language pllua_bg $$
    local a <close> = bg.launch()
    local b <close> = bg.launch()
    a:exec('begin; lock table mine')
    b:exec('begin; lock table theirs')
    local fa, fb = a:run('lock table theirs; select 1'), b:run('lock table mine; select 1')
    bg.wait{fa, fb}
    local outcomes = {}
    for _, outcome in ipairs(bg.settled{fa, fb}) do outcomes[#outcomes + 1] = outcome.ok and 'done' or outcome.error.sqlstate end
    table.sort(outcomes)
    print(table.unpack(outcomes))
$$;
-- bg.any and bg.all in the same place
do language pllua_bg $$
    local a <close> = bg.launch()
    local b <close> = bg.launch()
    spi.execute('lock table mine')
    print(pcall(bg.any, {a:run('select * from mine'), b:run('select * from mine')}))
    print(pcall(bg.all, {a:run('select 1'), b:run('select * from mine')}))
$$;
drop function first_of(text[]);
drop table mine, theirs;
