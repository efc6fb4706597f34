-- Found by reading and trying: each of these was wrong once.
create role regress_review_low;
grant usage on schema bg to regress_review_low;
grant create on schema public to regress_review_low;
create table changed (a int);

-- a command without rows tells how many it has changed
do language pllua_bg $$
    local s <close> = bg.launch()
    for _, sql in ipairs{'insert into changed values (1), (2)', 'update changed set a = 3', 'create temp table t as select 1', 'vacuum changed'} do
        local r = s:exec(sql)
        print(r.tag, r.n)
    end
$$;

-- values nobody asks for are an error, as in spi.execute
do language pllua_bg $$
    local s <close> = bg.launch()
    print(pcall(s.exec, s, 'select 1', 5))
    print(pcall(spi.execute, 'select 1', 5))
    print(s:exec('select $2::int', 1, 2).value)
$$;

-- memory beyond pllua_bg.memory_limit is an error with its code
do language pllua_bg $$
    local ok, e = pcall(string.rep, 'x', 1 << 40)
    print(ok, e.sqlstate, e.message)
$$;

-- the parts of a module cannot be required
do language pllua_bg $$ print((pcall(require, 'bg.wait')), (pcall(require, 'bg.core')), require('bg') == bg) $$;

-- an option is a whole text
do language pllua_bg $$
    print(pcall(bg.launch, {name = 'a\0b'}))
    print(pcall(bg.launch, {settings = {search_path = 'a\0b'}}))
$$;

-- rows that come slowly are not held back until there are many
do language pllua_bg $$
    local s <close> = bg.launch()
    local gate <close> = bg.launch()
    gate:exec('select pg_advisory_lock(4711)')
    local first
    for r in s:rows('select case g when 1 then 0 else (select 1 from pg_advisory_lock(4711)) end as x from generate_series(1, 2) g') do
        if not first then gate:exec('select pg_advisory_unlock(4711)') end
        first = true
    end
    print(first)
$$;

-- a cursor over a transition table ends with its trigger
create table watched (id int);
create function keeps_cursor() returns trigger language pllua_bg as $$
    spi.newcursor('kept'):open('select * from newtab')
$$;
create trigger keeps_cursor after insert on watched referencing new table as newtab
    for each statement execute function keeps_cursor();
begin;
insert into watched values (1);
fetch 1 from kept;
rollback;
drop table watched;
drop function keeps_cursor;

-- a wrong column definition list does not lose the result
select bg.launch() as pid \gset
select bg.run(:pid, 'select 1 as x');
\set VERBOSITY terse
select * from bg.result(:pid) as (a text);
select * from bg.result(:pid) as (a int);
select bg.run(:pid, 'vacuum changed');
select * from bg.result(:pid) as (a int);
select * from bg.result(:pid) as (a text);

-- nobody sees the sessions of a role he is no member of
select role::text = session_user as mine, state from bg.backend_sessions();
set role regress_review_low;
select role::text = session_user as mine, state from bg.backend_sessions();
do language pllua_bg $$ print(#bg.sessions()) $$;
reset role;
select bg.close(:pid);

-- a loop in what is closed after a cancel is stopped too, and the next function can be cancelled as well
set statement_timeout = '200ms';
do language pllua_bg $$
    local closing <close> = setmetatable({}, {__close = function() while true do end end})
    while true do end
$$;
do language pllua_bg $$
    local co = coroutine.create(function()
        local closing <close> = setmetatable({}, {__close = function() while true do end end})
        while true do end
    end)
    coroutine.resume(co)
    coroutine.close(co)
$$;
do language pllua_bg $$ while true do end $$;
-- a finalizer cannot swallow a cancel
do language pllua_bg $$
    setmetatable({}, {__gc = function() while true do end end})
    collectgarbage()
    while true do end
$$;
do language pllua_bg $$
    local function again() setmetatable({}, {__gc = function() again() while true do end end}) end
    again()
    while true do collectgarbage() end
$$;
reset statement_timeout;

-- what a call returns outlives its connection to SPI, wherever that was made (seen on servers that overwrite freed memory)
create function connects_in_pcall() returns text language pllua_bg as $$
    pcall(spi.execute, 'select 1')
    return 'a result of its own'
$$;
select connects_in_pcall();
create function fails_in_pcall() returns numeric[] language pllua_bg as $$
    pcall(spi.execute, 'select 1/0')
    return {1.5, 2.5}
$$;
select fails_in_pcall();
drop function connects_in_pcall, fails_in_pcall;

drop table changed;
revoke all on schema public, bg from regress_review_low;
drop role regress_review_low;
