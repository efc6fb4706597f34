-- Odd statements, arguments, options and schedules of jobs, in a database of its own whose jobs are paused. Run as superuser with :seed.
-- An internal error is told as a WARNING that begins with FOUND. The last line is "alive".
\set ON_ERROR_STOP on
CREATE EXTENSION pllua_bg;
CREATE EXTENSION pllua_bg_jobs;
SELECT bg.jobs_pause();
GRANT USAGE ON SCHEMA bg TO fuzz_user;
CREATE TABLE t (a int);
GRANT ALL ON t TO fuzz_user;
SET SESSION AUTHORIZATION fuzz_user;
SET client_min_messages = warning;
SELECT setseed((:seed % 1000000) / 1000000.0);

CREATE FUNCTION pg_temp.any(list text[]) RETURNS text LANGUAGE sql VOLATILE AS $$ SELECT list[1 + floor(random() * array_length(list, 1))::int] $$;

CREATE FUNCTION pg_temp.value() RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
BEGIN
	IF random() < 0.05 THEN RETURN to_jsonb(repeat('x', (random() * 3000)::int)); END IF;
	RETURN pg_temp.any(ARRAY['null', 'true', 'false', '0', '1', '-1', '0.5', '1000', '32767', '32768', '-32768', '2147483648', '1e400', '-1e400', '1e-400',
		'99999999999999999999999', '"x"', '""', '"@daily"', '"* * * * *"', '"0 0 30 2 *"', '"5/15 * * * *"', '"infinity"', '"-infinity"', '"294276-12-31"',
		'"4713-01-01 BC"', '"3000-01-01"', '"tomorrow"', '"1 microsecond"', '"-1 day"', '"178000000 years"', '"2 h 3"', '"exp"', '"replace"', '"unique"',
		'"keep"', '"all"', '"none"', '"run"', '"\u00e9\u4e2d"', '[]', '{}', '[1]', '[1, 2, [3]]', '[9223372036854775807]', '[-1]', '[1.5]', '["1"]',
		'{"a": 1}', '{"a": {"b": []}}', '{"work_mem": "64kB"}', '{"work_mem": null}', '{"search_path": "nope"}', '{"role": "postgres"}', '{"": 1}',
		'{"a.b": []}', '{"statement_timeout": -1}', '{"log_statement": "all"}'])::jsonb;
END $$;

CREATE FUNCTION pg_temp.options() RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	options jsonb := '{}';
BEGIN
	IF random() < 0.1 THEN RETURN pg_temp.value(); END IF;
	FOR i IN 1 .. (random() * 4)::int LOOP
		options := options || jsonb_build_object(pg_temp.any(ARRAY['queue', 'priority', 'at', 'delay', 'every', 'key', 'mode', 'limit_key', 'limit', 'after',
			'after_failed', 'attempts', 'backoff', 'timeout', 'transaction', 'keep', 'settings', 'bogus', '']), pg_temp.value());
	END LOOP;
	RETURN options;
END $$;

CREATE FUNCTION pg_temp.schedule() RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	line text := '';
	way float8 := random();
BEGIN
	IF way < 0.3 THEN
		RETURN pg_temp.any(ARRAY['1', '0', '100', '999999999', '9999999999', '-1', '1.5', '']) || pg_temp.any(ARRAY[' ', ''])
			|| pg_temp.any(ARRAY['s', 'microsecond', 'y', 'months', 'h', 'weeks', 'days', '']) || pg_temp.any(ARRAY['', ' 3 h', ' x', ' 999999999 w']);
	ELSIF way < 0.6 THEN
		FOR i IN 1 .. (random() * 40)::int LOOP line := line || chr(1 + (random() * 254)::int); END LOOP;
		RETURN line;
	END IF;
	FOR i IN 1 .. 4 + (random() * 3)::int LOOP
		line := line || pg_temp.any(ARRAY['*', '*', '*/5', '0', '59', 'L', '1-5', '5-1', 'mon-fri', 'jan', '*/60', '*/0', '60', '31', '29', '2', '0,1,2',
			'0-59/7', '5/15', 'sun', '7', '-', '/', ',', '*,*', '1-', '-1', '30', 'feb', '1,,2', '@']) || ' ';
	END LOOP;
	RETURN line;
END $$;

CREATE PROCEDURE pg_temp.fuzz(calls int) LANGUAGE plpgsql AS $$
DECLARE
	what text;
	args jsonb;
	options jsonb;
	begun timestamptz;
BEGIN
	FOR i IN 1 .. calls LOOP
		what := pg_temp.any(ARRAY['select 1', 'select $1', 'select $1::int', 'select $1, $2', '', '   ', ';', 'select 1; select 2', 'vacuum t', 'begin', 'commit',
			'listen x', 'copy t to stdout', 'bg.submit', 'pg_catalog.now', 'public.nope', '"a"."b"', 'a.b.c', 'select $9999', 'select $1::text[]',
			'select ($1::jsonb)->$2', 'insert into t values ($1)', 'declare c cursor for select 1', 'prepare transaction ''x''', 'set role postgres',
			'create index concurrently on t (a)', 'call x()', 'explain select 1', '(((((', 'select ''', '/* x', 'pg_catalog.concat', 'pg_catalog.lower',
			'values ($1::point)', 'select $1::t', 'reindex database postgres', 'lock table t', 'select * from bg.job']);
		args := CASE WHEN random() < 0.5 THEN NULL WHEN random() < 0.5 THEN pg_temp.value() ELSE jsonb_build_array(pg_temp.value(), pg_temp.value()) END;
		options := pg_temp.options();
		BEGIN
			PERFORM bg.submit(what, args, options);
		EXCEPTION WHEN OTHERS THEN
			IF sqlstate LIKE 'XX%' THEN RAISE WARNING 'FOUND an internal error: % %: % % %', sqlstate, sqlerrm, what, args, options; END IF;
		END;
		what := pg_temp.schedule();
		begun := clock_timestamp();
		BEGIN
			PERFORM bg.next_run(what, pg_temp.any(ARRAY['2026-01-01', 'infinity', '-infinity', '294276-01-01', '4713-01-01 BC', '2038-01-19'])::timestamptz,
				pg_temp.any(ARRAY['UTC', 'Europe/Berlin', 'America/St_Johns', 'Pacific/Apia', '<+23>-23:59:59', 'nope']));
		EXCEPTION WHEN OTHERS THEN
			IF sqlstate NOT LIKE '22%' THEN RAISE WARNING 'FOUND an error of a schedule: % %: %', sqlstate, sqlerrm, what; END IF;
		END;
		IF clock_timestamp() - begun > interval '3 s' THEN RAISE WARNING 'FOUND a schedule that takes %: %', clock_timestamp() - begun, what; END IF;
		IF i % 100 = 0 THEN COMMIT; END IF;
	END LOOP;
END $$;

CALL pg_temp.fuzz(10000);
SELECT 'alive';
