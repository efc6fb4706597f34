-- A session in the background, from plain SQL
-- The functions of pg_background: a session is launched, given commands and let go; it keeps its state between them.
-- Here it runs VACUUM, which tells what it does, and then a query.

create table foo (x int);
insert into foo select generate_series(1, 5);

select pg_background_launch() as pid \gset
select pg_background_run(:pid, 'vacuum verbose foo');
select * from pg_background_result(:pid) as (x text);
select pg_background_run(:pid, 'select * from foo');
select * from pg_background_result(:pid) as (x int);
select pg_background_detach(:pid);

drop table foo;
