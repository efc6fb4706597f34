-- bg.refresh_matviews: each after those it is made of, also by other views.
\set SHOW_CONTEXT never
create schema dba_m;
create schema dba_n;
set search_path = dba_m;
create table base (a int);
insert into base values (1);
create materialized view z_first as select a, now() as at from base;
create view between_them as select * from z_first;
create materialized view b_second as select a + 1 as a, at from between_them;
create materialized view dba_n.outside as select * from b_second;
create view dba_n.more as select * from dba_n.outside;
create materialized view a_third as select s.a + f.a as a from dba_n.more s, z_first f;
create materialized view alone as select a as "A b" from base;
create view outcome as select item, ok, tag, sqlstate, error from bg.last_run;

call bg.refresh_matviews('dba_m.*', dry_run => true);
call bg.refresh_matviews('dba_?.*', dry_run => true);
update base set a = 10;
do language plpgsql $$
declare done bigint; failed bigint; elapsed interval;
begin
    call bg.refresh_matviews('dba_?.*', 4, false, false, 'collect', false, done, failed, elapsed);
    raise info '% done, % failed', done, failed;
end $$;
select item, ok, tag, sqlstate, error from outcome order by item;
select a_third.a, alone."A b" from a_third, alone;
select f.started_at + f.elapsed <= s.started_at and s.started_at + s.elapsed <= t.started_at as in_order
from bg.last_run f, bg.last_run s, bg.last_run t
where f.item = 'dba_m.z_first' and s.item = 'dba_m.b_second' and t.item = 'dba_m.a_third';

-- What is made of one that fails is not refreshed.
create unique index on z_first (a);
create unique index on a_third (a);
create unique index on alone ("A b");
do language plpgsql $$
declare done bigint; failed bigint; elapsed interval;
begin
    call bg.refresh_matviews('dba_?.*', 2, true, false, 'collect', false, done, failed, elapsed);
    raise info '% done, % failed', done, failed;
end $$;
select * from outcome order by item;

-- A table that is locked; wrong arguments; no right.
select bg.launch() as other \gset
select from bg.run(:other, 'begin; lock table dba_m.base');
select from bg.wait(:other);
set lock_timeout = '100 ms';
call bg.refresh_matviews('alone', on_error => 'stop');
reset lock_timeout;
select from bg.close(:other);
call bg.refresh_matviews('base');
call bg.refresh_matviews('');
call bg.refresh_matviews('alone', concurrently => null);
begin;
call bg.refresh_matviews('alone');
rollback;
create role dba_user login;
grant usage on schema bg, dba_m to dba_user;
\set VERBOSITY sqlstate
set role dba_user;
call bg.refresh_matviews('alone', on_error => 'stop');
\set VERBOSITY default
reset role;

set client_min_messages = warning;
reset search_path;
drop schema dba_m, dba_n cascade;
drop owned by dba_user;
drop role dba_user;
