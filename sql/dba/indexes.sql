-- bg.create_indexes: several at once, of one table one at a time that is concurrent.
\set SHOW_CONTEXT never
create schema dba_i;
set search_path = dba_i;
create table small (a int, b int);
create table large (a int, b int, c int);
create table "Odd on" (a int);
insert into large select i, i, i from generate_series(1, 5000) i;
insert into small select 1, 1 from generate_series(1, 1000);
vacuum small, large;

call bg.create_indexes(array['create index s_a on small (a)', 'create index on large (a)', 'create index concurrently l_b on dba_i.large (b)',
    'create index "o o" on "Odd on" (a)'], dry_run => true);
select count(*) from pg_indexes where schemaname = 'dba_i';
do language plpgsql $$
declare done bigint; failed bigint; elapsed interval;
begin
    call bg.create_indexes(array['create index s_a on small (a)', 'create index concurrently l_a on large (a)',
        'create index concurrently l_b on dba_i.large (b)', 'create index concurrently l_c on large (c)', 'create index l_abc on large (a, b, c)',
        'create unique index concurrently s_b on small (b)', 'create index on missing (a)', 'create index "o o" on "Odd on" (a)'],
        4, false, 'collect', false, done, failed, elapsed);
    raise info '% done, % failed', done, failed;
end $$;
select item, ok, tag, sqlstate, error from bg.last_run order by item;
select indexrelid::regclass, indisvalid from pg_index where indrelid::regclass::text in ('small', 'large', '"Odd on"') order by indexrelid::regclass::text;
-- None of a table at the same time.
select count(*), bool_or(started_at < before) as at_once
from (select *, lag(started_at + elapsed) over (order by started_at) as before from bg.last_run where statement ~ 'large') r;

-- Wrong arguments.
call bg.create_indexes(null);
call bg.create_indexes(array['create index on small (a)', null]);
call bg.create_indexes(array['drop table small']);
call bg.create_indexes('{}') \g /dev/null
-- the place in the text is told by some versions only
\set VERBOSITY sqlstate
call bg.create_indexes(array['create index on small (nothing)'], on_error => 'stop');
\set VERBOSITY default
begin;
call bg.create_indexes(array['create index on small (a)']);
rollback;

-- Without the right; with a table that is locked.
create role dba_user login;
grant usage on schema bg, dba_i to dba_user;
set role dba_user;
call bg.create_indexes(array['create index on small (a)'], on_error => 'stop');
reset role;
select bg.launch() as other \gset
select from bg.run(:other, 'begin; lock table dba_i.small');
select from bg.wait(:other);
set lock_timeout = '100 ms';
call bg.create_indexes(array['create index on small (a)'], on_error => 'stop');
reset lock_timeout;
select from bg.close(:other);

set client_min_messages = warning;
reset search_path;
drop schema dba_i cascade;
drop owned by dba_user;
drop role dba_user;
