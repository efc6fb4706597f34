-- Waits that could never end, each ended by 40P01: found by trying.
create table lk (i int primary key, v int);
insert into lk values (1, 0), (2, 0);
create table big as select g, repeat('x', 1000) as t from generate_series(1, 20000) g;
set deadlock_timeout = '200ms';
set statement_timeout = '60s';

-- a session waits for another, idle session of the same launcher
do language pllua_bg $$
    local idle <close> = bg.launch()
    local other <close> = bg.launch()
    idle:begin()
    idle:exec('update lk set v = 1 where i = 1')
    print(other:exec('update lk set v = 2 where i = 1').tag)
    local ok, e = pcall(idle.exec, idle, 'commit')
    print(ok, e.sqlstate)
$$;
-- the launcher waits for a session that waits for an idle one
do language pllua_bg $$
    local idle <close> = bg.launch()
    local busy <close> = bg.launch()
    idle:begin()
    idle:exec('update lk set v = 1 where i = 1')
    busy:begin()
    busy:exec('update lk set v = 1 where i = 2')
    local waiting = busy:run('update lk set v = 2 where i = 1')
    while not spi.execute("select count(*) = 1 as ok from pg_stat_activity where wait_event_type = 'Lock'")[1].ok do end
    busy:run('commit')
    print(spi.execute('update lk set v = 3 where i = 2'))
    print(waiting:get().tag)
    local ok, e = pcall(idle.exec, idle, 'commit')
    print(ok, e.sqlstate)
$$;
-- the launcher does not read on, because it waits for a lock of the statement it reads from
do language pllua_bg $$
    local s <close> = bg.launch{queue_size = '16kB'}
    local n = 0
    local ok, e = pcall(function()
        for r in s:rows('update big set t = t || 1 returning *') do
            n = n + 1
            if n == 1 then spi.execute('update big set t = 1 where g = 1') end
        end
    end)
    print(ok, e.sqlstate)
    print(s:exec('select 1').value)
$$;
table lk order by i;

-- other commands on the session whose rows a loop reads: the rest of the rows is kept
do language pllua_bg $$
    local s <close> = bg.launch{queue_size = '16kB'}
    local sum, n = 0, 0
    for r in s:rows('select g from generate_series(1, 100000) g') do
        sum = sum + r.g
        if r.g == 10 then print(s:exec('select 1').value) end
        if r.g == 20 then
            for inner in s:rows('select g from generate_series(1, 100000) g') do
                n = n + 1
                if n == 50000 then break end
            end
        end
    end
    print(sum, n, s:exec('select 2').value)
$$;

-- the session in a set-returning function that an error has stopped is closed
create function streams() returns setof int language pllua_bg as $$
    local s <close> = bg.launch()
    for r in s:rows('select g from generate_series(1, 100000) g') do coroutine.yield(r.g) end
$$;
do $$
declare r record;
begin
    for i in 1..3 loop
        begin
            for r in select streams() x loop
                if r.x = 3 then raise exception 'stopped'; end if;
            end loop;
        exception when raise_exception then null;
        end;
    end loop;
end $$;
select count(*) from bg.backend_sessions();
begin;
declare c cursor for select streams();
fetch 2 from c;
rollback;
select count(*) from bg.backend_sessions();
drop function streams;
drop table lk, big;
