# Exactly once, in numbers: 20,000 jobs (JOBS; `make exactly-once` has 100,000), each with one effect, while the server is stopped at once five times (STOPS) and workers, the scheduler and
# the launcher are terminated. In the end there are as many effects as jobs, each of its own job, and as many entries of history.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

my $jobs = $ENV{JOBS} // 20_000;
my $stops = $ENV{STOPS} // 5;

my $node = new_node('jobs', <<'CONF');
shared_preload_libraries = 'pllua_bg'
max_worker_processes = 10
max_wal_size = 4GB
pllua_bg.job_keep = '7d'
CONF
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION pllua_bg;
CREATE EXTENSION pllua_bg_jobs;
CREATE ROLE app LOGIN;
GRANT USAGE ON SCHEMA bg TO app;
CREATE TABLE effect (number int);
GRANT INSERT ON effect TO app;
SQL
# All of them are there before the first stop; what a submit has committed is durable, what a job commits need not be.
$node->safe_psql('postgres', <<"SQL");
SET ROLE app;
SELECT count(bg.submit('insert into effect values (\$1)', jsonb_build_array(i), '{"backoff": 0.05, "attempts": 1000}')) FROM generate_series(1, $jobs) i;
SQL
$node->safe_psql('postgres', q{ALTER SYSTEM SET synchronous_commit = off; SELECT pg_reload_conf()});

my %terminated;
# Terminates a process of ours of that kind, if there is one.
sub terminate
{
	my ($kind) = @_;
	my $type = { session => 'pllua_bg session', jobs => 'pllua_bg jobs', launcher => 'pllua_bg launcher' }->{$kind};
	my $done = $node->safe_psql('postgres',
		"SELECT count(*) FROM (SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = '$type' ORDER BY random() LIMIT 1) t");
	$terminated{$kind} += $done;
	return $done;
}

sub effects { return $node->safe_psql('postgres', 'SELECT count(*) FROM effect'); }

my @kinds = qw(jobs session launcher session session);
my $turn = 0;

# Works until so many effects are there; each two hundredth part of them one process is terminated.
sub work_until
{
	my ($enough) = @_;
	my $next = effects() + $jobs / 200;
	return wait_until(sub {
		my $now = effects();
		if ($now >= $next) { terminate($kinds[ $turn++ % @kinds ]); $next = $now + $jobs / 200; }
		return $now >= $enough;
	});
}

for my $stop (1 .. $stops)
{
	# Jobs may be done before work_until() has terminated many. Those that ran at the last stop wait for a while: whoever runs at three of them is given up.
	ok(wait_until(sub { return terminate('session') || $node->safe_psql('postgres', 'SELECT NOT EXISTS (SELECT FROM bg.job WHERE crashes = 0)') eq 't' }),
		"stop $stop: a worker was terminated, if there was work");
	ok(work_until(int($jobs * $stop / ($stops + 1))), "stop $stop: the work has gone on");
	$node->stop('immediate');
	$node->start;
	my ($live, $done, $effects) = split /\|/, $node->safe_psql('postgres', 'SELECT (SELECT count(*) FROM bg.job), (SELECT count(*) FROM bg.job_done), (SELECT count(*) FROM effect)');
	is($live + $done, $jobs, "stop $stop: each job waits or is done");
	is($effects, $done, "stop $stop: as many effects as jobs are done");
}
ok($node->poll_query_until('postgres', 'SELECT NOT EXISTS (SELECT FROM bg.job)'), 'no job is left');
is($node->safe_psql('postgres', q{SELECT count(*), count(DISTINCT number), min(number), max(number) FROM effect}), "$jobs|$jobs|1|$jobs", 'each job has had its effect once');
is($node->safe_psql('postgres', q{SELECT state, count(*) FROM bg.job_done GROUP BY 1}), "d|$jobs", 'and is in the history, once, as done')
  or diag($node->safe_psql('postgres', q{SELECT id, attempt, crashes, errors, error FROM bg.job_done WHERE state <> 'd' LIMIT 5}));
is($node->safe_psql('postgres', q{SELECT count(DISTINCT id) FROM bg.job_done}), $jobs, 'under its own number');
cmp_ok($terminated{session}, '>=', 2, 'workers were terminated');
cmp_ok($terminated{jobs} // 0, '>=', 1, 'the scheduler was terminated');
cmp_ok($terminated{launcher} // 0, '>=', 1, 'the launcher was terminated');
server_log_is_clean($node, killed => 1);
$node->stop;
done_testing();
