-- pllua_bg.max_result_size: how large a result may be that nobody reads while it comes.
\set SHOW_CONTEXT never
DO LANGUAGE pllua_bg $$
    local s <close> = bg.launch{settings = {['pllua_bg.max_result_size'] = '64kB'}}
    local function try(sql, ...)
        local ok, r = pcall(s.exec, s, sql, ...)
        if ok then print(r.n, r.tag) else print(r.sqlstate, r.message, r.detail, r.hint) end
    end
    local large = "select repeat('x', 1000) from generate_series(1, $1)"
    try(large, 50)
    try(large, 100)
    print(s:status().state, s:status().transaction)
    -- each command counts by itself, its statements together
    try(large, 50)
    try("select repeat('x', 40000); select 1; select repeat('x', 40000)")
    try("copy (select repeat('x', 1000) from generate_series(1, 100)) to stdout")
    try("select repeat('x', 100000)")
    -- not what is no result, and not what is read while it comes
    try("create temp table big as select repeat('x', 1000) as x from generate_series(1, 1000)")
    local n = 0
    for row in s:rows('select x from big') do n = n + #row.x end
    print(n)
    local st <close> = s:prepare('select x from big limit $1')
    print(pcall(st.exec, st, 100))
    print(st:exec(3).n)
    n = 0
    for row in st:rows(1000) do n = n + 1 end
    print(n)
    -- in a transaction it is an error as any other; what was sent behind it is not lost
    s:begin()
    try('select x from big')
    print(s:status().transaction)
    s:rollback()
    local bad, good = s:run('select x from big'), s:run('select 7')
    print(good:get().value, select(2, bad:try()))
    s:exec('reset pllua_bg.max_result_size')
    try('select x from big')
$$;
SELECT bg.launch(settings => '{pllua_bg.max_result_size=8kB}') AS pid \gset
SELECT bg.run(:pid, 'select g from generate_series(1, 10000) g');
SELECT count(*) FROM bg.result(:pid) AS (g int);
SELECT bg.run(:pid, 'select g from generate_series(1, 10) g');
SELECT count(*) FROM bg.result(:pid) AS (g int);
SELECT bg.close(:pid);
-- who may set it
SHOW pllua_bg.max_result_size;
CREATE ROLE regress_bg_size LOGIN;
GRANT USAGE ON SCHEMA bg TO regress_bg_size;
SET ROLE regress_bg_size;
SET pllua_bg.max_result_size = 0;
SELECT bg.launch(settings => '{pllua_bg.max_result_size=8kB}');
SET pllua_bg.max_depth = 10;
RESET ROLE;
DROP OWNED BY regress_bg_size;
DROP ROLE regress_bg_size;
