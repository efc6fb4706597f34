-- After a suite whose allocations failed, once there is memory: sessions can be launched, all of the suite's go, and so does their shared memory.
CREATE DATABASE afterwards;
\connect afterwards
CREATE EXTENSION pllua_bg;
DO LANGUAGE pllua_bg $$
	for i = 1, 100 do
		if pcall(function() local s <close> = bg.launch() assert(s:exec('select 40 + 2 as x')[1].x == 42) end) then print('a session works') return end
		bg.sleep(0.1) -- workload; those of the suite may still have the slots
	end
$$;
\connect
-- A scheduler of jobs lets its pool go when it has work again, or ends.
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type IN ('client backend', 'pllua_bg jobs') AND pid <> pg_backend_pid();
-- Statistics have larger segments, and the server one small; the area that all backends share is another one from 17 on, unless we are preloaded.
CREATE VIEW segments AS SELECT f FROM pg_ls_dir('pg_dynshmem') f WHERE (pg_stat_file('pg_dynshmem/' || f, true)).size < 1024 * 1024;
CREATE PROCEDURE wait_until_gone() LANGUAGE plpgsql AS $$
DECLARE
	others text;
	stay int := CASE WHEN current_setting('server_version_num')::int >= 170000 AND current_setting('shared_preload_libraries') !~ '\mpllua_bg\M' THEN 2 ELSE 1 END;
BEGIN
	FOR i IN 1 .. 300 LOOP
		SELECT string_agg(backend_type || ' ' || pid || ' ' || coalesce(wait_event, '') || ' ' || query, ', ') INTO others
			FROM pg_stat_activity WHERE backend_type = 'pllua_bg session';
		IF others IS NULL AND (SELECT count(*) FROM segments) <= stay THEN
			RAISE INFO 'and all sessions are gone';
			RETURN;
		END IF;
		PERFORM pg_stat_clear_snapshot(), pg_sleep(0.1); -- workload
	END LOOP;
	RAISE WARNING 'afterwards there are sessions: %, segments: %', others, (SELECT string_agg(f, ' ') FROM segments);
END $$;
SET statement_timeout = '60s';
CALL wait_until_gone();
