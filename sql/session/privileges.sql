-- Who may have sessions, and who a session is.
\set SHOW_CONTEXT never
create role regress_bg_none login;
create role regress_bg_user login;
create role regress_bg_owner login;
grant usage on schema bg to regress_bg_user, regress_bg_owner;
grant create on schema public to regress_bg_user, regress_bg_owner;

-- without USAGE on schema bg
set role regress_bg_none;
do language pllua_bg 'bg.launch()';
do language pllua_bg $$ bg.autonomous('select 1') $$;
do language pllua_bg $$ bg.on_commit('select 1') $$;
select pg_background_launch();
reset role;

-- the session is the effective user of the launch
set role regress_bg_user;
do language pllua_bg $$
    local s <close> = bg.launch()
    local who = 'select current_user, session_user'
    print(s:exec(who)[1])
    for _, sql in ipairs {'reset role', 'reset session authorization', 'discard all', 'rollback', 'set role none'} do
        s:exec(sql)
        print(s:exec(who)[1], s:exec('show is_superuser').value)
    end
    print(pcall(s.exec, s, 'set session authorization regress_bg_owner'))
    print(select(2, pcall(s.exec, s, 'alter role regress_bg_user superuser')).sqlstate)
$$;
reset role;

-- a security definer function's session is the definer's, and nothing brings the caller's rights back
set role regress_bg_owner;
create procedure climb() language plpgsql as $$
begin
    rollback;
    raise notice '% % %', current_user, session_user, current_setting('is_superuser');
    commit;
    raise notice '% % %', current_user, session_user, current_setting('is_superuser');
end $$;
create function as_definer() returns text language pllua_bg security definer as $$
    local s <close> = bg.launch()
    s:exec('call climb()')
    s:exec('begin')
    s:exec('rollback')
    local row = s:exec('select current_user as c, session_user as s')[1]
    return row.c .. ' ' .. row.s .. ' ' .. s:exec('show is_superuser').value
$$;
reset role;
select current_setting('is_superuser');
select as_definer();
set role regress_bg_user;
select as_definer();
reset role;

-- a handle works only for a member of the session's user
create function open_session() returns int language pllua_bg as 'return bg.launch().pid';
create function use_session(pid int) returns text language pllua_bg as $$
    local s = bg.session(pid)
    return s and s:exec('select current_user').value or 'no session'
$$;
set role regress_bg_owner;
select open_session() as pid \gset
select use_session(:pid);
set role regress_bg_user;
\set VERBOSITY terse
select use_session(:pid);
select pg_background_run(:pid, 'select 1');
do language pllua_bg 'print(#bg.sessions())';
reset role;
select use_session(:pid);
\set VERBOSITY default
do language pllua_bg 'for _, s in ipairs(bg.sessions()) do s:close() end print(#bg.sessions())';

-- not inside a security-restricted operation
create table stopped (i int);
create function launches(int) returns int language pllua_bg immutable as
    'local s <close> = bg.launch() return s:exec("select 1").value';
create index on stopped (launches(i));
insert into stopped values (1);
create materialized view mv as select launches(1);

-- nobody sees the sessions of a role he is no member of
select bg.launch() as pid \gset
select role::text = session_user as mine, state in ('starting', 'idle') as ready from bg.backend_sessions();
set role regress_bg_user;
select role::text = session_user as mine, state in ('starting', 'idle') as ready from bg.backend_sessions();
do language pllua_bg $$ print(#bg.sessions()) $$;
reset role;
select bg.close(:pid);

drop table stopped;
drop function as_definer, open_session, use_session, launches;
drop procedure climb;
revoke all on schema public, bg from regress_bg_user, regress_bg_owner;
drop role regress_bg_none, regress_bg_user, regress_bg_owner;
