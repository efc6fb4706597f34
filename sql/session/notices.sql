-- Messages of the worker are raised again when the result is fetched; they are no failures.
\set SHOW_CONTEXT never
SELECT bg.launch() AS pid \gset
SELECT bg.run(:pid, 'DO $$ BEGIN RAISE NOTICE ''one''; RAISE WARNING ''two'' USING hint = ''h'', detail = ''d'', errcode = ''01234''; RAISE INFO ''three''; END $$');
SELECT bg.wait(:pid);
SELECT * FROM bg.result(:pid) AS (tag text);
SELECT bg.run(:pid, 'DO $$ BEGIN RAISE NOTICE ''before''; PERFORM 1 / 0; END $$');
SELECT * FROM bg.result(:pid) AS (tag text);
-- client_min_messages is carried over
SELECT bg.close(:pid);
SET client_min_messages = warning;
SELECT bg.launch() AS pid \gset
RESET client_min_messages;
SELECT bg.run(:pid, 'DO $$ BEGIN RAISE NOTICE ''unheard''; RAISE WARNING ''heard''; END $$');
SELECT * FROM bg.result(:pid) AS (tag text);
-- a session may listen
SELECT bg.run(:pid, 'LISTEN news');
SELECT bg.wait(:pid);
SELECT bg.run(:pid, 'NOTIFY news, ''extra''');
SELECT bg.run(:pid, 'SELECT 1');
SELECT bg.wait(:pid);
SELECT sender = :pid AS own, channel, payload FROM bg.notifications(:pid);
SELECT bg.detach(:pid);
