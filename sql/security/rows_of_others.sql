-- Rows of a session that runs as somebody else: to read them runs no code of his as whoever reads. Constraints of domains are
-- code, and what comes as text would have them checked again.
\set SHOW_CONTEXT never
set client_min_messages = error;
create role other_low login;
grant usage on schema bg to other_low;
create schema other_low authorization other_low;
create table seen (who text);
grant insert on seen to public;
set session authorization other_low;
set search_path = other_low, public;
create function look(x anyelement) returns bool language sql as $$ insert into public.seen values (current_user); select true $$;
create type pair as (a int, b int);
create type pairs as range (subtype = pair);
create domain trap as pairs check (look(value));
create function session_of_other() returns int security definer language pllua_bg as $$ return bg.launch().pid $$;
reset session authorization;
set search_path = other_low, public;
set client_min_messages = info;
create function readers(pid int, query text) returns void language pllua_bg as $$
    local s = bg.session(pid)
    local function show(way, row)
        local out = {way}
        for i = 1, #row do out[#out + 1] = type(row[i]) .. ' ' .. tostring(row[i]) end
        print(table.concat(out, ' | '))
    end
    show('exec', s:exec(query)[1])
    for row in s:rows(query) do show('rows', row) end
    local statement <close> = s:prepare(query)
    show('prepared', statement:exec()[1])
$$;
select session_of_other() as pid \gset
select readers(:pid, $$select 'empty'::trap, array['empty'::trap], row('empty'::trap), 'empty'::pairs, 1$$);
select distinct who from seen;
-- a domain of its open transaction, committed before its rows are read
do language pllua_bg $$
    local s = bg.session(spi.execute('select pid from bg.sessions')[1].pid)
    s:exec('begin; create domain late as int check (other_low.look(value))')
    local f = s:run('select 1::late as v')
    s:exec('commit')
    print(type(f:get()[1].v))
$$;
select distinct who from seen;
-- the user changes between two rows
do language pllua_bg $$
    spi.execute('set local role other_low')
    local s <close> = bg.launch()
    local next_row = s:rows("select 'empty'::other_low.trap as v from generate_series(1, 2)")
    print(type(next_row().v))
    spi.execute('reset role')
    print(pcall(next_row))
$$;
select distinct who from seen;
-- the session's own user reads what they are
set session authorization other_low;
do language pllua_bg $$ print(type(bg.autonomous("select 'empty'::other_low.trap as v")[1].v)) $$;
reset session authorization;
select bg.close(:pid);
set client_min_messages = error;
drop function readers(int, text);
drop schema other_low cascade;
drop table seen;
drop owned by other_low;
drop role other_low;
