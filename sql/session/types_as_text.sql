-- What only the worker can read in binary comes as text: records, and types of its open transaction.
\set SHOW_CONTEXT never
SELECT bg.launch() AS pid \gset
SELECT bg.run(:pid, 'SELECT row(1, ''a''), array[row(2, 3)], row(4, row(5, NULL))');
SELECT * FROM bg.result(:pid) AS (a text, b text, c text);
SELECT bg.run(:pid, 'SELECT row(1, 2)');
SELECT * FROM bg.result(:pid) AS (a record);

SELECT bg.run(:pid, 'BEGIN; CREATE TYPE mood AS ENUM (''sad'', ''glad''); CREATE TYPE person AS (name text, m mood);
    CREATE DOMAIN feeling AS mood; CREATE TYPE moods AS RANGE (subtype = mood)');
SELECT bg.run(:pid, 'SELECT ''sad''::mood, ''(ann,glad)''::person, array[''glad''::mood], ''sad''::feeling, ''[sad,glad]''::moods, 1');
SELECT * FROM bg.result(:pid) AS (a text, b text, c text, d text, e text, f int);
SELECT * FROM bg.result(:pid) AS (tag text);
SELECT bg.run(:pid, 'COMMIT');
SELECT * FROM bg.result(:pid) AS (tag text);

-- committed: binary again
SELECT bg.run(:pid, 'SELECT ''sad''::mood, ''(ann,glad)''::person, array[''glad''::mood], ''sad''::feeling, ''[sad,glad]''::moods, 1');
SELECT * FROM bg.result(:pid) AS (a mood, b person, c mood[], d feeling, e moods, f int);

-- changed in the open transaction: text, which the launcher may still read as the type
SELECT bg.run(:pid, 'BEGIN; ALTER TYPE mood RENAME VALUE ''sad'' TO ''blue''');
SELECT bg.run(:pid, 'SELECT ''blue''::mood');
SELECT * FROM bg.result(:pid) AS (a text);
SELECT bg.run(:pid, 'ROLLBACK');
SELECT bg.run(:pid, 'BEGIN; ALTER TYPE person ADD ATTRIBUTE age int');
SELECT bg.run(:pid, 'SELECT ''(ann,glad,40)''::person');
SELECT * FROM bg.result(:pid) AS (a text);
SELECT bg.run(:pid, 'ROLLBACK');
SELECT bg.run(:pid, 'BEGIN; ALTER TYPE mood OWNER TO CURRENT_USER; ALTER TYPE mood RENAME TO moody; SELECT ''glad''::moody');
SELECT * FROM bg.result(:pid) AS (a mood);
SELECT bg.run(:pid, 'ROLLBACK');

-- polymorphic columns of the catalogs, toasted values of a table that is gone again
SELECT bg.run(:pid, 'SELECT pg_typeof(stavalues1), stavalues1 IS NULL FROM pg_statistic LIMIT 0');
SELECT * FROM bg.result(:pid) AS (a regtype, b boolean);
SELECT bg.run(:pid, 'BEGIN; CREATE TABLE wide (x text); ALTER TABLE wide ALTER x SET STORAGE EXTERNAL; INSERT INTO wide VALUES (repeat(''y'', 20000))');
SELECT bg.run(:pid, 'SELECT x, array[x, x] FROM wide');
SELECT bg.run(:pid, 'ROLLBACK');
SELECT bg.wait(:pid);
SELECT * FROM bg.result(:pid) AS (tag text);
SELECT length(x), length(a[2]) FROM bg.result(:pid) AS (x text, a text[]);
SELECT bg.close(:pid);
DROP TYPE moods, feeling, person, mood;
