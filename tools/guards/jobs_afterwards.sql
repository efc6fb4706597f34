-- In a database with jobs, after a suite whose allocations failed and once there is memory: a new job runs, and so does whatever is due.
SELECT count(*) > 0 AS has_jobs FROM pg_extension WHERE extname = 'pllua_bg_jobs' \gset
\if :has_jobs
SET statement_timeout = '120s';
-- What a test that was cut short has paused.
SELECT bg.jobs_resume();
SELECT bg.submit('select 42', NULL, '{"queue": "afterwards", "priority": -32768, "attempts": 1}') AS j \gset
CREATE PROCEDURE pg_temp.wait_until_done(j bigint) LANGUAGE plpgsql AS $$
DECLARE
	late text;
BEGIN
	FOR i IN 1 .. 600 LOOP
		PERFORM pg_stat_clear_snapshot();
		PERFORM pg_cancel_backend(pid) FROM pg_stat_activity
			WHERE backend_type = 'pllua_bg session' AND state = 'active' AND clock_timestamp() - query_start > interval '5s';
		SELECT string_agg(p.id || ' ' || p.state || ': ' || p.reason || ': ' || left(l.sql, 60), ', ') INTO late
			FROM bg.job_plan() p JOIN bg.job l USING (id) WHERE p.reason = 'it is next' OR p.id = j;
		IF late IS NULL THEN
			RAISE INFO 'and jobs run: %', (SELECT result FROM bg.jobs WHERE id = j);
			RETURN;
		END IF;
		COMMIT;
		PERFORM pg_sleep(0.1); -- workload
	END LOOP;
	RAISE WARNING 'afterwards there are jobs that do not run: %', late;
END $$;
CALL pg_temp.wait_until_done(:j);
\endif
