-- An audit row that survives the ROLLBACK of its caller
-- Who tries something and rolls it back leaves no trace, for the trace is rolled back as well.
-- bg.autonomous runs one statement in a transaction of its own.

create table audit (who text, what text);

create function audit(what text) returns void language pllua_bg as $$
    bg.autonomous('insert into audit values (current_user, $1)', what)
$$;

begin;
update pgbench_tellers set tbalance = 1000000 where tid = 1;
select audit('set a balance of 1000000');
rollback;

select tbalance as "the balance is untouched" from pgbench_tellers where tid = 1;
select what as "and the attempt is on record" from audit;

do $$ begin assert (select count(*) = 1 from audit), 'the audit row is gone'; end $$;
drop function audit;
drop table audit;
