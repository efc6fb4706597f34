-- Limits: sessions of a backend, worker slots, sizes; and what is settable.
\set SHOW_CONTEXT never
SET pllua_bg.max_sessions = 2;
SELECT bg.launch() > 0 AS ok;
SELECT bg.launch() > 0 AS ok;
SELECT bg.launch();
SELECT count(bg.close(pid)) FROM bg.backend_sessions();
RESET pllua_bg.max_sessions;
SELECT bg.launch(queue_size => 10);
SELECT bg.launch(queue_size => 1000000000);
SELECT bg.launch(queue_size => -5);
SELECT bg.launch(settings => array['no_such_setting=1']);
SELECT bg.launch(settings => array['work_mem=nonsense']);
SELECT bg.launch(settings => array['role=postgres']);
SELECT bg.launch(settings => array['no sign']);
SELECT bg.launch(on_exit => 'perhaps');
SELECT bg.launch(idle_timeout => -1);
SELECT bg.launch(wait => -1);
SELECT bg.launch(wait => 'nan');
SELECT count(*) FROM bg.sessions;
-- times are not negative; endless ones are
SELECT bg.launch(wait => 'infinity') AS pid \gset
SELECT bg.run(:pid, 'SELECT 1');
SELECT bg.wait(:pid, -1);
SELECT * FROM bg.result(:pid, 'nan') AS (i int);
SELECT bg.wait(:pid, 'infinity');
SELECT bg.wait(:pid, -1);
SELECT * FROM bg.result(:pid, 'infinity') AS (i int);
SELECT bg.close(:pid);
-- all worker slots: those of workers that are just ending would become free meanwhile
SET pllua_bg.max_sessions = 1000;
SET pllua_bg.pool_size = 0;
DO $$
BEGIN
    WHILE EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'pllua_bg session') LOOP
        PERFORM pg_stat_clear_snapshot();
    END LOOP;
END $$;
RESET pllua_bg.pool_size;
DO $$
BEGIN
    LOOP
        PERFORM bg.launch(wait => 0.1);
    END LOOP;
EXCEPTION WHEN insufficient_resources THEN
    RAISE NOTICE '%', sqlerrm;
END $$;
SELECT bg.launch(wait => 0);
SELECT count(*) BETWEEN 1 AND current_setting('max_worker_processes')::int FROM bg.backend_sessions();
-- a launch waits for slots that become free
SELECT count(bg.close(pid)) > 0 AS closed FROM bg.backend_sessions();
SELECT bg.launch(wait => 30) AS pid \gset
SELECT bg.close(:pid);
RESET pllua_bg.max_sessions;
-- the smallest queue, and more than fits in it, both ways
SELECT bg.launch(queue_size => 4096, settings => array['work_mem=64kB']) AS pid \gset
SELECT bg.run(:pid, 'SELECT length($1)', repeat('a', 1000000));
SELECT bg.run(:pid, 'SELECT i, repeat(''b'', 100) FROM generate_series(1, 20000) i');
SELECT bg.run(:pid, 'SELECT 3');
SELECT bg.wait(:pid);
SELECT * FROM bg.result(:pid) AS (i int);
SELECT count(*), sum(i), sum(length(b)) FROM bg.result(:pid) AS (i int, b text);
SELECT * FROM bg.result(:pid) AS (n int);
-- results beyond work_mem go to disk
SET work_mem = '64kB';
SELECT bg.run(:pid, 'SELECT i, repeat(''c'', 100) FROM generate_series(1, 50000) i');
SELECT bg.run(:pid, 'SELECT 5');
SELECT * FROM bg.result(:pid) AS (i int);
SELECT sum(size) > 4000000 AS on_disk FROM pg_ls_tmpdir();
SELECT count(*), sum(i), sum(length(b)) FROM bg.result(:pid) AS (i int, b text);
-- where they leave nothing once they are read, here and in the session
SELECT bg.run(:pid, 'BEGIN'), bg.run(:pid, 'SELECT i, repeat(''c'', 100) FROM generate_series(1, 50000) i');
SET statement_timeout = '60s';
DO $$
BEGIN
    WHILE (SELECT coalesce(sum(size), 0) FROM pg_ls_tmpdir()) < 4000000 LOOP END LOOP;
END $$;
SELECT count(*), sum(i), sum(length(b)) FROM bg.result(:pid) AS (i int, b text);
SELECT bg.run(:pid, 'ROLLBACK');
DO $$
BEGIN
    WHILE EXISTS (SELECT FROM pg_ls_tmpdir()) LOOP END LOOP;
END $$;
RESET statement_timeout;
-- rows of all sizes there, near that of the pieces it is written in too, read one after the other, again, and while they come
DO LANGUAGE pllua_bg $$
    local s <close> = bg.launch()
    local kQuery = [[SELECT i, repeat(chr(97 + i % 26), CASE i % 5 WHEN 0 THEN 131072 - i / 5 WHEN 1 THEN 400000 WHEN 2 THEN 65536 - i ELSE i END) AS t FROM generate_series(1, 200) i]]
    local function check(i, row)
        local n = ({[0] = 131072 - i // 5, 400000, 65536 - i, i, i})[i % 5]
        if row.i ~= i or row.t ~= string.char(97 + i % 26):rep(n) then error('row ' .. i) end
    end
    local r = s:exec(kQuery)
    for i = 1, r.n do check(i, r[i]) end
    for i = r.n, 1, -1 do check(i, r[i]) end
    local i = 0
    for row in s:rows(kQuery) do
        i = i + 1
        check(i, row)
    end
    print(r.n, i)
$$;
RESET work_mem;
-- unread results hinder nobody
SELECT bg.run(:pid, 'SELECT i, repeat(''d'', 100) FROM generate_series(1, 50000) i') FROM generate_series(1, 3);
SELECT bg.detach(:pid);
-- a session that idles too long ends
SELECT bg.launch(idle_timeout => 0.01) AS pid \gset
DO $$
BEGIN
    LOOP
        EXIT WHEN EXISTS (SELECT FROM bg.backend_sessions() WHERE state = 'gone');
    END LOOP;
END $$;
SELECT bg.run(:pid, 'SELECT 1');
SELECT bg.detach(:pid);
