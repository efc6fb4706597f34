-- COPY: to the launcher as rows, to and from files and programs.
\set SHOW_CONTEXT never
CREATE TABLE copied (i int, t text);
INSERT INTO copied VALUES (1, 'one'), (2, E'two\nlines'), (3, NULL);
SELECT bg.launch() AS pid \gset
SELECT bg.run(:pid, 'COPY copied TO STDOUT');
SELECT * FROM bg.result(:pid) AS (line text);
SELECT bg.run(:pid, 'COPY copied TO STDOUT (FORMAT csv, HEADER)');
SELECT * FROM bg.result(:pid) AS (line text);
SELECT bg.run(:pid, 'COPY (SELECT 1) TO STDOUT (FORMAT binary)');
SELECT string_agg(encode(part, 'hex'), '') FROM bg.result(:pid) AS (part bytea);
-- what is no text of the database's encoding does not become one
SELECT bg.run(:pid, 'COPY (SELECT ''äö'') TO STDOUT (ENCODING ''LATIN1'')');
SELECT * FROM bg.result(:pid) AS (line text);
SELECT bg.run(:pid, 'COPY copied FROM PROGRAM ''echo 4; echo 5'' (FORMAT csv)');
SELECT * FROM bg.result(:pid) AS (tag text);
SELECT bg.run(:pid, 'COPY copied (i) FROM PROGRAM ''echo 4; echo 5''');
SELECT * FROM bg.result(:pid) AS (tag text);
SELECT bg.run(:pid, 'COPY copied TO PROGRAM ''cat >/dev/null''');
SELECT * FROM bg.result(:pid) AS (tag text);
SELECT i FROM copied ORDER BY i;
SELECT bg.close(:pid);
DROP TABLE copied;
