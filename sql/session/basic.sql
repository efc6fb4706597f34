-- A session runs commands one after the other and keeps its state.
\set SHOW_CONTEXT never
SELECT bg.launch(name => 'first') AS pid \gset
SELECT name, role = current_user::regrole AS mine, state IN ('starting', 'idle') AS ready, transaction, queued FROM bg.backend_sessions();

SELECT bg.run(:pid, 'SELECT 1 AS a, ''x''::text AS b');
SELECT * FROM bg.result(:pid) AS (a int, b text);

-- the newest result comes first
SELECT bg.run(:pid, 'SELECT 1');
SELECT bg.run(:pid, 'SELECT 2');
SELECT * FROM bg.result(:pid) AS (a int);
SELECT * FROM bg.result(:pid) AS (a int);
SELECT * FROM bg.result(:pid) AS (a int);

-- temporary tables, settings, prepared statements and cursors live from command to command
SELECT bg.run(:pid, 'CREATE TEMP TABLE kept (i int)');
SELECT * FROM bg.result(:pid) AS (tag text);
SELECT bg.run(:pid, 'INSERT INTO kept SELECT generate_series(1, 10)');
SELECT * FROM bg.result(:pid) AS (tag text);
SELECT bg.run(:pid, 'SELECT sum(i) FROM kept');
SELECT * FROM bg.result(:pid) AS (sum bigint);
SELECT bg.run(:pid, 'SET work_mem = ''5MB''');
SELECT bg.run(:pid, 'SHOW work_mem');
SELECT * FROM bg.result(:pid) AS (work_mem text);
SELECT * FROM bg.result(:pid) AS (tag text);
SELECT bg.run(:pid, 'PREPARE add(int) AS SELECT $1 + 1');
SELECT bg.run(:pid, 'EXECUTE add(41)');
SELECT * FROM bg.result(:pid) AS (a int);
SELECT * FROM bg.result(:pid) AS (tag text);
SELECT bg.run(:pid, 'DECLARE c CURSOR WITH HOLD FOR SELECT generate_series(1, 5)');
SELECT * FROM bg.result(:pid) AS (tag text);
SELECT bg.run(:pid, 'FETCH 2 FROM c');
SELECT * FROM bg.result(:pid) AS (i int);
SELECT bg.run(:pid, 'FETCH 2 FROM c');
SELECT * FROM bg.result(:pid) AS (i int);

-- of several statements the last one counts; an empty command returns nothing
SELECT bg.run(:pid, 'SELECT ''first''; SELECT 2; SELECT 3');
SELECT * FROM bg.result(:pid) AS (i int);
SELECT bg.run(:pid, '');
SELECT * FROM bg.result(:pid) AS (tag text);
SELECT bg.run(:pid, 'SELECT 1 WHERE false');
SELECT * FROM bg.result(:pid) AS (i int);

-- utility statements that return rows
SELECT bg.run(:pid, 'EXPLAIN (COSTS OFF) SELECT 1');
SELECT * FROM bg.result(:pid) AS (plan text);

-- the row type is checked
SELECT bg.run(:pid, 'SELECT 1 AS one, 2 AS two');
SELECT * FROM bg.result(:pid) AS (a int);
SELECT bg.run(:pid, 'SELECT 1 AS one');
SELECT * FROM bg.result(:pid) AS (a text);
SELECT bg.run(:pid, 'CREATE TEMP TABLE x ()');
SELECT * FROM bg.result(:pid) AS (a int);
SELECT bg.run(:pid, 'SELECT 1');
SELECT bg.result(:pid);

-- how it looks from outside
SELECT bg.wait(:pid);
SELECT application_name, backend_type, state, query FROM pg_stat_activity WHERE pid = :pid;

-- nulls and wide rows
SELECT bg.run(:pid, 'SELECT NULL::int, ''a''::text, NULL::text, 5.5::numeric, true');
SELECT * FROM bg.result(:pid) AS (a int, b text, c text, d numeric, e boolean);
SELECT bg.run(:pid, 'SELECT i, repeat(''x'', 100000) FROM generate_series(1, 3) i');
SELECT i, length(x) FROM bg.result(:pid) AS (i int, x text);

SELECT bg.wait(:pid);
SELECT bg.detach(:pid);
SELECT count(*) FROM bg.backend_sessions();
SELECT bg.run(-1, 'SELECT 1');

-- nulls and pids of no session
SELECT bg.run(NULL, 'SELECT 1');
SELECT bg.run(0, NULL);
SELECT * FROM bg.result(NULL) AS (i int);
SELECT bg.wait(NULL);
SELECT bg.detach(NULL);
SELECT bg.close(NULL);
SELECT * FROM bg.notifications(NULL);
SELECT bg.on_commit(NULL);
SELECT * FROM bg.result(-1) AS (i int);
SELECT bg.wait(-1);
SELECT bg.detach(-1);
SELECT bg.close(-1);
SELECT * FROM bg.notifications(-1);
SELECT count(*) FROM bg.sessions;
