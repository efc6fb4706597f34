-- pg_background: waiting, cancelling, letting go.
create function try(sql text) returns text language plpgsql as $$
declare state text; msg text;
begin
    execute sql;
    return 'no error';
exception when query_canceled or others then
    get stacked diagnostics state = returned_sqlstate, msg = message_text;
    return state || ' ' || regexp_replace(msg, 'PID \d+', 'PID N');
end $$;

-- wait
select * from pg_background_launch_v2('select 1') \gset
select pg_background_wait_v2(:pid, :cookie);
select pg_background_wait_v2_timeout(:pid, :cookie, 0);
select pg_background_wait(:pid, :cookie);
select pg_background_wait(:pid, :cookie, 10);
select * from pg_background_result_v2(:pid, :cookie) as (x int);
select pg_background_wait(:pid, :cookie);
select pg_background_detach(:pid, :cookie);
select try(format('select pg_background_wait_v2(%s, %s)', :pid, :cookie));
select try(format('select pg_background_wait(%s, %s)', :pid, :cookie));
select try(format('select pg_background_wait_v2_timeout(%s, %s, 10)', :pid, :cookie));
-- workload
select * from pg_background_launch_v2('select pg_sleep(100)') \gset
select pg_background_wait_v2_timeout(:pid, :cookie, 0);
select pg_background_wait_v2_timeout(:pid, :cookie, 20);
select pg_background_wait(:pid, :cookie, 20);
select pg_background_wait_v2(:pid, :cookie, 20);
select pg_background_wait_v2(:pid, null, 20) is null;
select try(format('select pg_background_wait_v2(%s, %s, 20)', :pid, :cookie # 1));
-- a wait can be cancelled
set statement_timeout = '50ms';
select try(format('select pg_background_wait_v2(%s, %s)', :pid, :cookie));
select try(format('select pg_background_wait(%s, %s, -1)', :pid, :cookie));
reset statement_timeout;

-- wait_any
select pid as pid2, cookie as cookie2 from pg_background_launch_v2('select 2') \gset
select (pg_background_wait_any(array[(:pid, :cookie), (:pid2, :cookie2)]::pg_background_handle[])).pid = :pid2 as second;
select pg_background_wait_any(array[row(:pid, :cookie)]::pg_background_handle[], 20);
select pg_background_wait_any('{}');
-- handles that are NULL or of no worker are not waited for
select pg_background_wait_any(array[(:pid, :cookie # 1), (1, 1)]::pg_background_handle[]) is null as nobody;
select pg_background_wait_any(array[null, (null, null), (:pid, null), (null, :cookie)]::pg_background_handle[]) is null as nobody;
select pg_background_wait_any(null) is null as nobody;
select (pg_background_wait_any_v2(array[null, (:pid, :cookie # 1), (:pid2, :cookie2), (1, 1)]::pg_background_handle[])).pid = :pid2 as second;
select pg_background_wait_any_v2(array[null, (:pid, :cookie), (1, 1)]::pg_background_handle[], 20) is null as nobody_in_time;
-- arrays of any shape
select array[row(:pid, :cookie), row(:pid2, :cookie2)]::pg_background_handle[] as handles \gset
select bool_and((pg_background_wait_any(handles)).pid = :pid2) as second
from (values ((('[0:1]=' || :'handles'))::pg_background_handle[]), (('[-7:-6]=' || :'handles')::pg_background_handle[]), (('[5:6]=' || :'handles')::pg_background_handle[]),
    (array[:'handles'::pg_background_handle[]]), (array[array[null, null]::pg_background_handle[], :'handles'])) v(handles);

-- cancel
select pg_background_cancel_v2(:pid, :cookie);
select pg_background_wait(:pid, :cookie);
select state, sqlstate, error_message from pg_background_outcome(:pid, :cookie);
select try(format('select * from pg_background_result_v2(%s, %s) as (x text)', :pid, :cookie));
select state, consumed from pg_background_outcome(:pid, :cookie);
-- nothing to cancel is no error
select pg_background_cancel(:pid, :cookie);
select pg_background_cancel(:pid2, :cookie2, 1000);
select state from pg_background_outcome(:pid2, :cookie2);
select try(format('select pg_background_cancel(%s, %s)', :pid, :cookie # 1));
select pg_background_detach_all_v2();

-- grace: the command ends in time, or its process has to
create table said (what text);
create sequence caught;
create procedure stubborn() language plpgsql as $$
begin
    loop
        begin
            perform pg_sleep(100); -- workload
        exception when query_canceled then
            perform nextval('caught');
        end;
    end loop;
end $$;
-- it is where it catches a cancel, for the n-th time
create procedure await_sleep(worker int, n int) language plpgsql as $$
begin
    while n > 0 and not exists (select from caught where is_called and last_value >= n) loop commit; end loop;
    while not exists (select from pg_stat_activity where pid = worker and wait_event = 'PgSleep') loop commit; end loop;
end $$;
create procedure await_begin(n int) language plpgsql as $$
begin
    while (select count(*) from said) < n loop commit; end loop;
end $$;
select * from pg_background_launch_v2('call stubborn()') \gset
call await_sleep(:pid, 0);
select pg_background_cancel_v2(:pid, :cookie);
call await_sleep(:pid, 1);
select pg_background_wait(:pid, :cookie, 20);
select pg_background_cancel_v2_grace(:pid, :cookie, 20);
select pg_background_wait(:pid, :cookie);
select state, sqlstate, error_message from pg_background_outcome(:pid, :cookie);
select try(format('select * from pg_background_result_v2(%s, %s) as (x text)', :pid, :cookie));
-- workload
select * from pg_background_launch_v2('select pg_sleep(100)') \gset
select pg_background_cancel(:pid, :cookie, 60000);
select state, sqlstate from pg_background_outcome(:pid, :cookie);

-- many
select pg_background_detach_all();
select count(pg_background_submit('select pg_sleep(100)', 0, 'job ' || g)) from generate_series(1, 4) g; -- workload
select count(pg_background_launch_v2('select pg_sleep(100)')) from generate_series(1, 2) g; -- workload
select pg_background_cancel_by_label('job 1');
select pg_background_wait(pid, cookie) from pg_background_list where label = 'job 1';
select pg_background_cancel_by_label_v2('no%');
select pg_background_cancel_by_label(null) is null;
select pg_background_cancel_by_label('job %', 60000);
select label, state from pg_background_list order by label nulls last;
select pg_background_cancel_all();
select bool_and(pg_background_wait(pid, cookie)) from pg_background_list;
select state, count(*) from pg_background_list group by state;
select pg_background_cancel_all_v2();
-- purge forgets those that have ended
-- workload
select * from pg_background_launch_v2('select pg_sleep(100)', 0, 'stays') \gset
select pg_background_purge();
select label, state from pg_background_list;
select pg_background_cancel(:pid, :cookie);
select pg_background_wait(:pid, :cookie);
select pg_background_purge(), pg_background_purge_v2();

-- detach: what was sent is finished
truncate said;
select * from pg_background_launch_v2('insert into said values ($$detached$$)') \gset
select pg_background_detach_v2(:pid, :cookie);
call await_begin(1);
select * from said;
select count(pg_background_submit('insert into said values ($$detached all$$)')) from generate_series(1, 2);
select pg_background_detach_all();
call await_begin(3);
select what, count(*) from said group by what order by what;
select count(*) from pg_background_list;

-- sessions that take commands have a handle too
select pg_background_launch() as pid \gset
select cookie from pg_background_list where pid = :pid \gset
select pg_background_wait(:pid, :cookie);
select pg_background_run(:pid, 'select 1');
select pg_background_run(:pid, 'select pg_sleep(100)'); -- workload
select pg_background_wait(:pid, :cookie, 20);
select pg_background_cancel(:pid, :cookie, 60000);
select pg_background_wait(:pid, :cookie);
select try(format('select * from pg_background_result(%s, %s) as (x text)', :pid, :cookie));
select * from pg_background_result(:pid, :cookie) as (x int);
select try(format('select * from pg_background_result(%s, %s) as (x int)', :pid, :cookie));
select pg_background_detach(:pid, :cookie);
drop function try;
drop procedure stubborn, await_begin, await_sleep;
drop sequence caught;
drop table said;
