-- The options of bg.launch at work, COPY with files and programs, and every result of a string of statements.
\set SHOW_CONTEXT never
SET statement_timeout = '60s';
DO LANGUAGE pllua_bg $$
    local s <close> = bg.launch{name = 'a name', settings = {work_mem = '2MB', enable_seqscan = false, extra_float_digits = 1},
        queue_size = '64kB', wait = 5, idle_timeout = 1000, on_exit = 'cancel', snapshot = false}
    print(s.name, s:status().name, s:exec('show application_name').value)
    print(s:exec('show work_mem').value, s:exec('show enable_seqscan').value, s:exec('show extra_float_digits').value)
    for _, size in ipairs{'1MB', '64kB', 65536, 4096.0} do
        local t <close> = bg.launch{queue_size = size}
        print(size, t:exec("select repeat('x', 2000000)").value:len(), #t:exec('select length($1)', ('x'):rep(2000000)).columns)
    end
    for _, size in ipairs{'1', '1TB', '-1kB', 0, 1.5, true} do print(size, select(2, pcall(bg.launch, {queue_size = size}))) end
    local t <close> = bg.launch{idle_timeout = 0.001}
    repeat bg.sleep(0.001) until t:status().state == 'gone'
    print(t:status().error)
    print(select(2, pcall(t.exec, t, 'select 1')))
    -- a session that works is not idle
    local done
    repeat -- again if it has idled too long before the command came
        local u <close> = bg.launch{idle_timeout = 0.05}
        local ok, r = pcall(u.exec, u, 'select bg.progress(1); select 1 from pg_sleep(0.2)') -- workload
        done = ok and r.value or u:status().progress and r
    until done
    print(done)
$$;
-- files and programs
CREATE TABLE copied (i int, t text);
DO LANGUAGE pllua_bg $$
    local s <close> = bg.launch()
    local file = spi.execute("select quote_literal(current_setting('data_directory') || '/regress_bg_copy') f")[1].f
    print(s:exec("copy (select i, 'text ' || i from generate_series(1, 1000) i) to " .. file).tag)
    print(s:exec('copy copied from ' .. file).tag, s:exec('select count(*), max(t) from copied')[1])
    print(s:exec("copy copied to program 'cat > " .. file:sub(2, -2) .. "' (format csv)").tag)
    print(s:exec("copy copied from program 'head -5 " .. file:sub(2, -2) .. "' (format csv)").tag)
    print(s:exec('truncate copied; copy copied from ' .. file .. ' (format csv); select count(*) from copied').value)
    local ok, e = pcall(s.exec, s, "copy copied from '/no/such/file'")
    print(ok, e.sqlstate)
    ok, e = pcall(s.exec, s, "copy copied from program 'exit 3'")
    print(ok, e.sqlstate, e.detail)
    ok, e = pcall(s.exec, s, "copy copied to '/no/such/folder/file'")
    print(ok, e.sqlstate)
    print(s:exec("copy (select 1 where false) to program 'rm " .. file:sub(2, -2) .. "'").tag)
    print(s:exec('select 1').value)
$$;
-- every result, in order: rows or none, COPY among them
DO LANGUAGE pllua_bg $$
    local s <close> = bg.launch()
    local function show(f)
        for i, r in ipairs(f:all()) do print(i, r.tag, r.n, r.columns and #r.columns, r[1], r.value) end
    end
    show(s:run([[begin; create temp table t as select generate_series(1, 3) n; select n, n * 2 from t; copy t to stdout; delete from t where n > 1; commit; select count(*) from t; select]]))
    show(s:run('select 1'))
    show(s:run(''))
    show(s:run(';;'))
    local f = s:run('insert into t values (7); select 1/0; select 2')
    print(pcall(f.all, f))
    print(pcall(f.get, f))
    print(s:exec('select count(*) from t').value)
    f = s:run("do 'begin raise notice ''one''; end'; select 5")
    print(f:get().value, #f:all(), f:all()[2].value)
$$;
DROP TABLE copied;
RESET statement_timeout;

-- an option is a whole text
do language pllua_bg $$
    print(pcall(bg.launch, {name = 'a\0b'}))
    print(pcall(bg.launch, {settings = {search_path = 'a\0b'}}))
$$;

-- The database: this one by its name is no other; what other databases need is in test/tap/140_other_database.pl
select bg.launch(database => current_database(), snapshot => true) as pid \gset
select bg.run(:pid, 'select current_database() = $1', current_database());
select * from bg.result(:pid) as (here boolean);
select database = current_database() as here from bg.sessions where pid = :pid;
select bg.close(:pid);
select bg.launch(database => 'no such database');
select bg.launch(database => '');
select bg.launch(database => repeat('x', 64));
do language pllua_bg $$ bg.launch{database = 'no such database'} $$;
do language pllua_bg $$ bg.launch{database = true} $$;
do language pllua_bg $$ bg.map({1}, 'select $1', {database = 'no such database'}) $$;
