# A limit is a limit, whatever happens: of 4,000 jobs of which three may run at a time never more than three do, while workers and the scheduler are
# terminated now and then. Each is done once. And the limit of a role's sessions.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

my $jobs = 4_000;

my $node = new_node('limits', <<'CONF');
shared_preload_libraries = 'pllua_bg'
max_worker_processes = 16
pllua_bg.job_workers = 8
synchronous_commit = off
CONF
# Who runs has one of so many places until the end of its transaction; who finds none is one too many. The places go with the process, before
# anybody can know that it has ended.
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION pllua_bg;
CREATE EXTENSION pllua_bg_jobs;
CREATE TABLE effect (kind text, n int, place int);
CREATE FUNCTION work(kind text, n int, places int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE place int := 1;
BEGIN
	WHILE place <= places AND NOT pg_try_advisory_xact_lock(hashtext(kind), place) LOOP
		place := place + 1;
	END LOOP;
	INSERT INTO effect VALUES (kind, n, place);
	PERFORM count(*) FROM generate_series(1, 5000);
END $$;
SELECT bg.jobs_pause();
SQL
my $submit = q{SELECT count(bg.submit('select work($1, $2, $3)', jsonb_build_array('%s', i, %d), '{%s "backoff": 0.01, "attempts": 1000}')) FROM generate_series(1, %d) i};

sub effects { return $node->safe_psql('postgres', 'SELECT count(*) FROM effect'); }

my %terminated;
sub terminate_one
{
	my ($type) = @_;
	$terminated{$type} += $node->safe_psql('postgres',
		"SELECT count(*) FROM (SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = '$type' ORDER BY random() LIMIT 1) t");
	return;
}

# Others run beside them, in which the places would be seen to be exceeded.
$node->safe_psql('postgres', sprintf($submit, 'three', 3, '"limit_key": "three", "limit": 3,', $jobs));
$node->safe_psql('postgres', sprintf($submit, 'free', 3, '', 500));
$node->safe_psql('postgres', 'SELECT bg.jobs_resume()');
my ($turn, $next, $all) = (0, 0, $jobs + 500);
ok(wait_until(sub {
	my $now = effects();
	if ($now >= $next && $now < $all)
	{
		terminate_one($turn++ % 6 == 3 ? 'pllua_bg jobs' : 'pllua_bg session');
		$next = $now + 20;
	}
	return $now == $all;
}), 'all of them run');
ok($node->poll_query_until('postgres', 'SELECT NOT EXISTS (SELECT FROM bg.job)'), 'none is left');
is($node->safe_psql('postgres', q{SELECT count(*), count(DISTINCT n), max(place) FROM effect WHERE kind = 'three'}), "$jobs|$jobs|3", 'each once, and never more than three at a time');
is($node->safe_psql('postgres', q{SELECT count(*), count(DISTINCT n), max(place) FROM effect WHERE kind = 'free'}), '500|500|4', 'where there is no limit there are more');
is($node->safe_psql('postgres', q{SELECT state, count(*) FROM bg.job_done GROUP BY 1}), "d|$all", 'the history has each, as done');
cmp_ok($terminated{'pllua_bg session'} // 0, '>=', 10, 'workers were terminated');
cmp_ok($terminated{'pllua_bg jobs'} // 0, '>=', 2, 'the scheduler was, too');
note("terminated: $terminated{'pllua_bg session'} workers, $terminated{'pllua_bg jobs'} schedulers");

# Jobs of one role that end never hold no more sessions than it may have, and the other roles' run.
$node->safe_psql('postgres', <<'SQL');
CREATE ROLE other LOGIN;
GRANT USAGE ON SCHEMA bg TO other;
ALTER SYSTEM SET pllua_bg.job_workers_per_role = 7;
SELECT pg_reload_conf();
SQL
$node->poll_query_until('postgres', "SELECT current_setting('pllua_bg.job_workers_per_role') = '7'");
my $holder = $node->background_psql('postgres');
$holder->query_safe('SELECT pg_advisory_lock(1, 1)');
$node->safe_psql('postgres', q{SELECT bg.submit('select pg_advisory_xact_lock_shared(1, 1)') FROM generate_series(1, 20)});
my $waiting = q{SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted};
ok($node->poll_query_until('postgres', "SELECT ($waiting) = 7"), 'a role has as many sessions as it may have');
my $others = $node->safe_psql('postgres', q{SET ROLE other; SELECT bg.submit('select 1')});
is($node->safe_psql('postgres', "SELECT bg.wait_job($others, 60)"), 'done', 'a job of another role runs');
is($node->safe_psql('postgres', $waiting), 7, 'which are all at work still');
$holder->quit;
ok($node->poll_query_until('postgres', 'SELECT NOT EXISTS (SELECT FROM bg.job)'), 'all is done in the end');
server_log_is_clean($node, killed => 1);
$node->stop;
done_testing();
