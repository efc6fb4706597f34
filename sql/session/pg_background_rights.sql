-- pg_background: nothing for PUBLIC, everything by grant; a worker belongs to its user.
\set SHOW_CONTEXT never
create role regress_bg_app login;
create role regress_bg_other login;
-- nobody has anything
select count(*) filter (where has_function_privilege('regress_bg_app', p.oid, 'execute')) as allowed, count(*) > 40 as of_many
from pg_proc p join pg_depend d on d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e'
join pg_extension e on d.refobjid = e.oid where extname = 'pllua_pg_background';
set role regress_bg_app;
select pg_background_launch('select 1');
select pg_background_run('select 1');
select * from pg_background_list;
select grant_pg_background_privileges('regress_bg_app');
reset role;
-- with the right to the functions alone there are no sessions
grant execute on function pg_background_launch(text, int) to regress_bg_app;
set role regress_bg_app;
select pg_background_launch('select 1');
reset role;
select grant_pg_background_privileges('regress_bg_app');
set role regress_bg_app;
select * from pg_background_run_query('select current_user::text') as (who text);
select * from pg_background_launch_v2('select current_user::text') \gset
select state in ('running', 'stopped') as state from pg_background_list;
select count(*) from pg_background_activity;
-- granting is for those who may grant
select grant_pg_background_privileges('regress_bg_other');
select pg_background_revoke_privileges('regress_bg_other');
reset role;
select pg_background_grant_privileges('regress_bg_other');
-- another user's worker
create function try(sql text) returns text language plpgsql as $$
begin
    execute sql;
    return 'no error';
exception when others then
    return sqlstate || ' ' || sqlerrm;
end $$;
set role regress_bg_other;
select f, try(format(f, :pid, :cookie)) from unnest(array[
    'select * from pg_background_result(%s, %s) as (x text)', 'select pg_background_detach(%s, %s)', 'select pg_background_cancel(%s, %s)',
    'select pg_background_wait(%s, %s)', 'select pg_background_wait_any(array[(%s, %s)]::pg_background_handle[])',
    'select pg_background_result_info(%s, %s)', 'select pg_background_get_progress(%s, %s)', 'select pg_background_full_sql(%s, %s)',
    'select pg_background_result(%s)', 'select pg_background_detach(%s)', 'select pg_background_run(%s, $$select 1$$)']) f;
select state, sqlstate, error_message from pg_background_outcome(:pid, :cookie);
select count(*) from pg_background_list;
select pg_background_detach_all(), pg_background_cancel_all(), pg_background_purge();
reset role;
-- a superuser may; the role finds its worker again
select state in ('running', 'stopped') as state, user_id::regrole from pg_background_list;
set role regress_bg_app;
select * from pg_background_result(:pid, :cookie) as (who text);
reset role;
select consumed from pg_background_outcome(:pid, :cookie);
select pg_background_detach(:pid, :cookie);
-- revoked
select revoke_pg_background_privileges('regress_bg_app');
select pg_background_revoke_privileges('regress_bg_other');
set role regress_bg_app;
select pg_background_launch('select 1');
select * from pg_background_list;
do language pllua_bg 'bg.launch()';
reset role;
select try('select grant_pg_background_privileges($$regress_bg_nobody$$)');
-- the commands can be seen
create role "regress bg odd" login;
select pg_background_grant_privileges('regress bg odd', true);
select pg_background_revoke_privileges('regress bg odd');
-- the role of pg_background's runbooks is made on demand, and dropped when it was made here
select pg_background_drop_executor_role();
set role regress_bg_app;
select pg_background_drop_executor_role();
reset role;
grant execute on function pg_background_grant_privileges(text, boolean), pg_background_drop_executor_role() to regress_bg_app;
set role regress_bg_app;
select try('select pg_background_grant_privileges($$pgbackground_role$$)');
reset role;
select pg_background_grant_privileges('pgbackground_role');
select pg_background_grant_privileges('pgbackground_role');
select rolcanlogin, rolsuper, rolcreaterole from pg_roles where rolname = 'pgbackground_role';
grant pgbackground_role to regress_bg_app;
set role regress_bg_app;
select * from pg_background_run_query('select current_user::text') as (who text);
-- (a warning for each right that it may not revoke)
set client_min_messages = error;
select try('select pg_background_drop_executor_role()');
reset client_min_messages;
reset role;
select pg_background_drop_executor_role();
select count(*) from pg_roles where rolname = 'pgbackground_role';
set role regress_bg_app;
select pg_background_launch('select 1');
reset role;
create role pgbackground_role;
select pg_background_grant_privileges('pgbackground_role'), pg_background_drop_executor_role();
select pg_background_revoke_privileges('pgbackground_role');
drop role pgbackground_role;
revoke execute on function pg_background_grant_privileges(text, boolean), pg_background_drop_executor_role() from regress_bg_app;
drop function try;
drop role regress_bg_app, regress_bg_other, "regress bg odd";
