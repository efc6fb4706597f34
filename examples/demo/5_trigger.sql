-- A trigger that starts a job when its transaction commits
-- What a trigger does belongs to its transaction and makes it longer; bg.on_commit does it afterwards, in the background.
-- After ROLLBACK, or ROLLBACK TO a savepoint, there is no job.

create table audit (tid int, bid int, delta int, seen bigint, written_by text);

-- The job runs after the commit in a session of its own, so it sees the new row.
create function note_history() returns trigger language pllua_bg as $$
    bg.on_commit([[
        insert into audit
        select $1, $2, $3, (select count(*) from pgbench_history), backend_type
        from pg_stat_activity where pid = pg_backend_pid()]],
        trigger.new.tid, trigger.new.bid, trigger.new.delta)
$$;
create trigger note_history after insert on pgbench_history
    for each row execute function note_history();

-- Waits for a condition, each time with a new snapshot.
create procedure wait_for(condition text) language pllua_bg as $$
    local limit = bg.now() + 30
    while not spi.execute('select ' .. condition .. ' as ok')[1].ok do
        if bg.now() > limit then error('never came true: ' .. condition) end
        bg.sleep(0.005)
    end
$$;

begin;
insert into pgbench_history (tid, bid, aid, delta, mtime) values (1, 1, 1, 100, now());
select count(*) as "jobs before the commit" from audit;
commit;
call wait_for('exists (select from audit)');

begin;
insert into pgbench_history (tid, bid, aid, delta, mtime) values (2, 1, 1, -999, now());
rollback; -- and with it its job

begin;
insert into pgbench_history (tid, bid, aid, delta, mtime) values (3, 1, 1, 300, now());
savepoint a;
insert into pgbench_history (tid, bid, aid, delta, mtime) values (4, 1, 1, -999, now());
rollback to a; -- likewise
commit;

call wait_for('(select count(*) = 2 from audit)');
select * from audit order by tid;

do $$ begin assert (select sum(delta) from audit) = 400, 'a rolled back insert left a job'; end $$;
drop trigger note_history on pgbench_history;
drop function note_history;
drop procedure wait_for;
drop table audit;
