-- session:servers: a session on another server, here this one: what travels, errors on either side, and commands that are sent ahead of their turn.
-- (Two servers, networks and rights: test/tap/141 to 146.)
\set VERBOSITY terse
set client_min_messages = warning;
create extension if not exists postgres_fdw;
reset client_min_messages;
create server self foreign data wrapper postgres_fdw options (host :'HOST', port :'PORT', dbname :'DBNAME');
create user mapping for current_user server self options (user :'USER');
create type shade as enum ('light', 'dark');
create table there (i int primary key, t text);

-- Values, rows, statements with names.
do language pllua_bg $$
    local s <close> = bg.launch{server = 'self', name = 'elsewhere'}
    local r = s:exec('select $1 + 1 as a, $2::text as b, $3::float8 as c, $4::bytea as d, $5::numeric as e, null::text as f', 41, 'text', 0.5, 'a\\0', 2.50)[1]
    print(r.a, r.b, r.c, r.d, r.e, r.f)
    r = s:exec([[select 1::int2 a, 2::int8 b, '2020-02-03'::date c, '2020-02-03 04:05:06.7+00'::timestamptz d, '1 day -02:00'::interval e, true f, '00000000-0000-0000-0000-000000000001'::uuid g]])[1]
    print(r.a, r.b, r.c, r.d == spi.execute("select '2020-02-03 04:05:06.7+00'::timestamptz v")[1].v, r.e, r.f, r.g)
    r = s:exec([[select '{"a": [1]}'::jsonb a, '{1,null,3}'::int[] b, '[1,5)'::int4range c, 'dark'::shade d, array['light'::shade] e, row(1, 'x') f, 'there'::regclass g]])
    print(r[1].a, r[1].b, r[1].c, r[1].d, r[1].e, r[1].f, r[1].g, r.columns[4].type, r.columns[5].type)
    local p <close> = s:prepare('insert into there values ($1, $2) returning i, t')
    print(p:exec(1, 'one')[1].t, p:exec(2, nil)[1].t, select(2, pcall(p.exec, p, 1, 'again')).constraint)
    print(s:exec('select 1; select 2 as x').value, s:exec('copy (select 1, 2) to stdout')[1][1], s:exec('').tag, s:exec('update there set t = t').tag)
    local n = 0
    for row in s:rows('select generate_series(1, 5000) as i') do n = n + row.i end
    print(n)
    for row in s:rows('select generate_series(1, 100000) as i') do if row.i == 3 then break end end
    print(s:exec('select count(*) from there').value)
    local tags = {}
    for i, rows in ipairs{0, 1, 999, 1000, 1001, 2000} do tags[i] = s:exec('select generate_series(1, $1::int4)', rows).tag end
    print(table.unpack(tags))
    s:exec([[do $x$ begin raise notice 'from there'; end $x$]])
$$;

-- Errors of that side, and of this one.
do language pllua_bg $$
    local s <close> = bg.launch{server = 'self'}
    local function fails(...) local ok, err = pcall(s.exec, s, ...) print(ok, err.sqlstate, err.message) end
    fails('selekt')
    fails('select 1 / $1', 0)
    fails('copy there from stdin')
    fails('select $1::int', 'x')
    fails('select $1::shade', 'x')
    fails('select $1', function() end)
    s:exec('begin')
    s:exec('insert into there values (10)')
    local p <close> = s:prepare('insert into there values ($1::int4)')
    print(pcall(p.exec, p, 'x'))
    print(s:status().transaction, s:exec('commit').tag, s:status().transaction, s:exec('select count(*) from there').value)
    local ok, err = pcall(s.atomic, s, function(s) s:exec('insert into there values (11)') error('no') end)
    print(ok, err, s:exec('select count(*) from there').value)
$$;

-- Many at a time.
do language pllua_bg $$
    local s <close> = bg.launch{server = 'self'}
    local p <close> = s:prepare('select $1::int4 * 2 as twice')
    local futures = {}
    local function send(...) table.insert(futures, s:run(...)) end
    for i = 1, 40 do
        send('select $1::int4 as i, repeat($2, 100) as t', i, 'x')
        send('select 1 / ($1 - 20)', i)
        table.insert(futures, p:run(i))
        if i % 10 == 0 then
            send('begin')
            send('insert into there values ($1)', 100 + i)
            send('select generate_series(1, 1000)')
            send(i % 20 == 0 and 'commit' or 'rollback')
            send('select $1::shade', i == 20 and 'none' or 'dark')
            send([[do $x$ begin raise notice 'again'; end $x$]])
        end
    end
    local seen = {}
    for _, future in ipairs(futures) do
        local ok, r = pcall(future.get, future)
        local what = ok and tostring(r.tag) or r.sqlstate
        seen[what] = (seen[what] or 0) + 1
    end
    local list = {}
    for what, n in pairs(seen) do table.insert(list, what .. ': ' .. n) end
    table.sort(list)
    print(table.concat(list, ', '))
    print(s:exec('select array_agg(i order by i)::text from there').value)
$$;

-- A result that is too large, and cancels, while others are on their way.
set pllua_bg.max_result_size = '1MB';
do language pllua_bg $$
    local s <close> = bg.launch{server = 'self'}
    s:exec('begin')
    local futures = {}
    for i = 1, 10 do futures[i] = i == 3 and s:run("select repeat('x', 1000000) from generate_series(1, 100)") or s:run('insert into there values ($1) returning i', 1000 + i) end
    for i, future in ipairs(futures) do
        local ok, r = pcall(future.get, future)
        if i == 3 then print(ok, r.sqlstate, r.message) end
    end
    print(s:status().transaction, s:exec('commit').tag, s:exec('select count(*) from there where i > 1000').value)
    local slow = s:run('select pg_sleep(1000)') -- workload
    local behind = {}
    for i = 1, 10 do behind[i] = s:run('select $1::int4 as i', i) end
    slow:cancel()
    print(select(2, pcall(slow.get, slow)).sqlstate)
    local n = 0
    for i = 1, 10 do
        local ok, r = pcall(behind[i].get, behind[i])
        if ok then n = n + r.value end
    end
    print(n)
$$;

reset pllua_bg.max_result_size;

-- By a connection string.
select format('host=%s port=%s dbname=%s user=%s', :'HOST', :'PORT', :'DBNAME', :'USER') as place \gset
select bg.launch(server => :'place') as pid \gset
select from bg.run(:pid, 'select 1 as one');
select one from bg.result(:pid) as (one int);
select server from bg.sessions where pid = :pid;
select bg.close(:pid);

drop table there;
drop type shade;
drop user mapping for current_user server self;
drop server self;
