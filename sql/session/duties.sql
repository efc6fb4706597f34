-- What a session does as any backend does: the server's timeouts for idle ones, and statistics that others see.
set statement_timeout = '60s';
do language pllua_bg $$
    local function ended(s)
        repeat bg.sleep(0.001) until s:status().state == 'gone'
        return s:status().error
    end
    local s <close> = bg.launch{settings = {idle_in_transaction_session_timeout = '20ms'}}
    -- not while it has none
    s:exec('select 1')
    print(s:exec('select 1 from pg_sleep(0.1)').value) -- workload
    s:begin()
    print(ended(s))
    print(pcall(s.exec, s, 'commit'))
    local t <close> = bg.launch{settings = {idle_in_transaction_session_timeout = '20ms'}}
    t:begin()
    pcall(t.exec, t, 'select 1/0')
    print(ended(t))
    -- not in a transaction
    local u <close> = bg.launch()
    u:exec("set idle_session_timeout = '20ms'; begin")
    print(u:exec('select 1 from pg_sleep(0.1)').value) -- workload
    u:commit()
    print(ended(u))
$$;
-- what a session has done is counted while it lives on
create table counted (i int);
create procedure await_count(n int) language plpgsql as $$
begin
    while coalesce((select n_tup_ins from pg_stat_user_tables where relname = 'counted'), 0) < n loop
        perform pg_stat_clear_snapshot();
    end loop;
end $$;
select bg.launch() as pid \gset
select bg.run(:pid, 'insert into counted values (1), (2)'), bg.wait(:pid);
call await_count(2);
select state from bg.sessions;
select bg.close(:pid);
drop procedure await_count;
drop table counted;
reset statement_timeout;
