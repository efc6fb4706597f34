-- Transactions are those of a client: explicit blocks over several commands, implicit ones in a string.
\set SHOW_CONTEXT never
CREATE TABLE accounts (id int PRIMARY KEY, owner text);
SELECT bg.launch() AS pid \gset
SELECT bg.run(:pid, 'BEGIN');
SELECT * FROM bg.result(:pid) AS (tag text);
SELECT transaction FROM bg.backend_sessions();
SELECT bg.run(:pid, 'INSERT INTO accounts VALUES (1, ''ann'')');
SELECT bg.run(:pid, 'SAVEPOINT s');
SELECT bg.run(:pid, 'INSERT INTO accounts VALUES (1, ''again'')');
SELECT * FROM bg.result(:pid) AS (tag text);
SELECT transaction FROM bg.backend_sessions();
SELECT bg.run(:pid, 'SELECT 1');
SELECT * FROM bg.result(:pid) AS (tag text);
SELECT bg.run(:pid, 'ROLLBACK TO s');
SELECT * FROM bg.result(:pid) AS (tag text);
SELECT count(*) FROM accounts;
SELECT bg.run(:pid, 'COMMIT');
SELECT * FROM bg.result(:pid) AS (tag text);
SELECT transaction FROM bg.backend_sessions();
SELECT * FROM accounts;

-- a string of statements is one transaction
SELECT bg.run(:pid, 'INSERT INTO accounts VALUES (2, ''bob''); INSERT INTO accounts VALUES (2, ''bob'')');
SELECT bg.wait(:pid);
SELECT * FROM accounts;
SELECT bg.run(:pid, 'INSERT INTO accounts VALUES (3, ''eve''); COMMIT; INSERT INTO accounts VALUES (3, ''eve'')');
SELECT bg.wait(:pid);
SELECT * FROM accounts;

-- statements that cannot run in a transaction block, and procedures that commit
SELECT bg.run(:pid, 'VACUUM accounts');
SELECT * FROM bg.result(:pid) AS (tag text);
CREATE PROCEDURE pay() LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO accounts VALUES (10, 'kept');
    COMMIT;
    INSERT INTO accounts VALUES (11, 'lost');
    ROLLBACK;
END $$;
SELECT bg.run(:pid, 'CALL pay()');
SELECT * FROM bg.result(:pid) AS (tag text);
SELECT bg.run(:pid, 'DO $$ BEGIN INSERT INTO accounts VALUES (12, ''kept''); COMMIT; END $$');
SELECT * FROM bg.result(:pid) AS (tag text);
SELECT * FROM accounts ORDER BY id;
SELECT bg.run(:pid, 'CREATE DATABASE never; SELECT 1');
SELECT * FROM bg.result(:pid) AS (i int);

-- a session does not know of the launcher's transaction
BEGIN;
INSERT INTO accounts VALUES (20, 'launcher');
SELECT bg.run(:pid, 'SELECT count(*) FROM accounts WHERE id = 20');
SELECT * FROM bg.result(:pid) AS (n bigint);
SELECT bg.run(:pid, 'INSERT INTO accounts VALUES (21, ''autonomous'')');
SELECT * FROM bg.result(:pid) AS (tag text);
ROLLBACK;
SELECT * FROM accounts WHERE id >= 20;

-- closing rolls back
SELECT bg.run(:pid, 'BEGIN; DELETE FROM accounts');
SELECT bg.wait(:pid);
SELECT bg.close(:pid);
SELECT count(*) > 0 AS still_there FROM accounts;
DROP PROCEDURE pay();
DROP TABLE accounts;
