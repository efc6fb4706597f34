-- Errors of a session's commands: every field arrives, pcall catches them, the session survives.
create table parent (id int primary key);
create table child (id int constraint positive check (id > 0), p int constraint points references parent);
create domain small as int constraint is_small check (value < 10);
create domain small_null as text constraint not_nothing check (value is not null);
create function fail_with_everything() returns void language plpgsql as $$
begin
    raise exception 'the message' using errcode = 'UX123', detail = 'the detail', hint = 'the hint',
        schema = 'the_schema', table = 'the_table', column = 'the_column', datatype = 'the_datatype',
        constraint = 'the_constraint';
end $$;

do language pllua_bg $$
    local s <close> = bg.launch()
    local function show(sql, ...)
        local ok, e = pcall(s.exec, s, sql, ...)
        print(ok, e.sqlstate, e.errcode, e.message)
        for _, field in ipairs {'detail', 'hint', 'schema', 'table', 'column', 'datatype', 'constraint',
                'position', 'internal_query', 'internal_position', 'severity'} do
            local value = e[field]
            if value ~= nil and value ~= 0 then print('', field, value) end
        end
        print('', (e.context:gsub('%d+', 'N')))
    end
    show('select 1 / 0')
    show('select fail_with_everything()')
    show('insert into child values (-1, null)')
    show('insert into child values (1, 1)')
    show('select $1::small', 11)
    show('select $1::small_null', nil)
    show('select no_such_column from parent')
    show('selec 1')
    show([[do $x$ begin execute 'select wrong' ; end $x$]])
    print(s:exec('select 1').value, s:status().state, s:status().error)
$$;

-- the error is raised when the result is taken, each time it is asked for
do language pllua_bg $$
    local s <close> = bg.launch()
    local f = s:run('select 1 / 0')
    local g = s:run('select 2')
    print(f:wait(), f:done(), g:get().value)
    print(pcall(f.get, f))
    print(pcall(f.get, f))
    print(f:try())
    print(pcall(f.all, f))
    s:run('select 3')
    s:run('select 1 / 0')
    print(pcall(s.result, s))
    print(s:result().value, s:result())
    -- a string of several statements stops at the error
    f = s:run('select 1; select 1 / 0; select 3')
    print(f:try())
$$;

-- caught, it leaves the caller's transaction alone, in pcall and in lpcall
create table kept (v int);
do language pllua_bg $$
    local s <close> = bg.launch()
    spi.execute('insert into kept values (1)')
    print(pcall(s.exec, s, 'select 1 / 0'))
    spi.execute('insert into kept values (2)')
    print(lpcall(s.exec, s, 'select 1 / 0'))
    spi.execute('insert into kept values (3)')
    local ok = pcall(function()
        spi.execute('insert into kept values (4)')
        s:exec('select 1 / 0')
    end)
    print(ok, spi.execute('select count(*) from kept').value)
$$;
table kept;
drop table kept;

-- uncaught, it is the error of the statement, fields and all
do language plpgsql $$
declare
    state text; msg text; dtl text; hnt text; sch text; tbl text; col text; typ text; con text; ctx text;
begin
    begin
        execute $x$do language pllua_bg 'local s <close> = bg.launch() s:exec("select fail_with_everything()")'$x$;
    exception when others then
        get stacked diagnostics state = returned_sqlstate, msg = message_text, dtl = pg_exception_detail,
            hnt = pg_exception_hint, sch = schema_name, tbl = table_name, col = column_name, typ = pg_datatype_name,
            con = constraint_name, ctx = pg_exception_context;
        raise notice '% % % % % % % % %', state, msg, dtl, hnt, sch, tbl, col, typ, con;
        raise notice '%', regexp_replace(ctx, '\d+', 'N', 'g');
    end;
end $$;
\set SHOW_CONTEXT never
do language pllua_bg $$ bg.launch():exec('select nothing from parent') $$;
\set SHOW_CONTEXT errors
do language pllua_bg $$ for _, s in ipairs(bg.sessions()) do s:close() end $$;

-- a transaction of the session goes on as a psql session's would
do language pllua_bg $$
    local s <close> = bg.launch()
    s:begin()
    print(s:status().transaction)
    print(pcall(s.exec, s, 'select 1 / 0'))
    print(s:status().transaction)
    print(pcall(s.exec, s, 'select 1'))
    print(pcall(s.commit, s))
    print(s:status().transaction, s:exec('select 1').value)
$$;

-- a worker that dies is an error of what it was doing, and of what was sent after it
do language pllua_bg $$
    local s <close> = bg.launch()
    spi.execute('select pg_advisory_lock(77)')
    local f = s:run('select pg_terminate_backend(pg_backend_pid()) from pg_advisory_lock(77)')
    local g = s:run('select 2')
    spi.execute('select pg_advisory_unlock(77)')
    local _, e = f:try()
    print(e.sqlstate, e.message, e.detail)
    _, e = g:try()
    print(e.sqlstate, e.message)
    print(s:status().state)
    print(pcall(s.run, s, 'select 1'))
$$;

-- notices are raised again when the result is fetched, and are with the result
do language pllua_bg $$
    local s <close> = bg.launch()
    local f = s:run([[do $x$ begin raise notice 'first'; raise warning 'second' using hint = 'a hint'; raise info 'third'; end $x$]])
    f:wait()
    print('before')
    local r = f:get()
    print('after')
    for _, notice in ipairs(r.notices) do print(notice.severity, notice.message, notice.hint) end
    f:get()
    -- an error does not lose them
    print(pcall(s.exec, s, [[do $x$ begin raise notice 'before the error'; perform 1 / 0; end $x$]]))
$$;
do language pllua_bg $$
    local s <close> = bg.launch {on_notice = function(n) print('handler', n.severity, n.message) end}
    local r = s:exec([[do $x$ begin raise notice 'handled'; end $x$]])
    print(#r.notices)
    s:run([[do $x$ begin raise notice 'handled too'; end $x$]])
    s:result()
$$;
do language pllua_bg $$
    local s <close> = bg.launch {on_notice = function() error('from the handler') end}
    print(pcall(s.exec, s, [[do $x$ begin raise notice 'x'; end $x$]]))
    print(s:exec('select 1').value)
$$;
drop table child, parent;
drop domain small, small_null;
drop function fail_with_everything;
