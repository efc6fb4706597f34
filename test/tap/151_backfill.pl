# bg.backfill: each row exactly once, also when workers, the backend that calls and the server end in the middle by force; and it waits for a
# standby that is behind.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

my $node = new_node('backfill', "shared_preload_libraries = 'pllua_bg'\nmax_worker_processes = 16\nrestart_after_crash = on\n", allows_streaming => 1);
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION pllua_bg_dba CASCADE;
CREATE TABLE big (id int PRIMARY KEY, n int NOT NULL DEFAULT 0);
INSERT INTO big (id) SELECT generate_series(1, 20000);
SQL
my $statement = 'UPDATE big SET n = n + 1 WHERE id BETWEEN $1 AND $2';
my $done = 'SELECT count(done_at) FROM bg.backfill_chunk';
my $outcome = q{SELECT string_agg(format('%s rows of %s', count, n), ', ' ORDER BY n) FROM (SELECT n, count(*) FROM big GROUP BY n) r};

# A psql that runs a call; what it prints is in a variable that is returned, too.
sub start_call
{
	my ($call) = @_;
	my ($script, $printed) = ("$call;\n", '');
	my $handle = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres') ], '<', \$script, '>&', \$printed);
	$handle->pump_nb while length $script;
	return ($handle, \$printed);
}

# Somebody holds a row of chunk 30, so that the call cannot end before its time. Workers end in the middle: their chunks are done again.
my $holder = new_psql($node);
$holder->query_safe('BEGIN; SELECT FROM big WHERE id = 15000 FOR UPDATE');
my ($handle, $printed) = start_call("CALL bg.backfill('big', '$statement', rows => 500, workers => 3)");
for my $few (1, 10, 20)
{
	ok($node->poll_query_until('postgres', "SELECT ($done) >= $few"), "$few chunks are done");
	is($node->safe_psql('postgres', "SELECT count(*) > 0 FROM (SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'pllua_bg session' LIMIT 1) t"), 't', 'a worker ends');
}
# As does the server, when a process of it is killed. Whoever holds the row is a client of it, too.
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'}), 'one waits for the row');
my $victim = $node->safe_psql('postgres', q{SELECT pid FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'});
kill 'KILL', $victim;
$handle->finish;
$holder->{run}->finish;
like($$printed, qr/server closed the connection unexpectedly/, 'the server has ended in the middle');
ok($node->poll_query_until('postgres', q{SELECT pg_postmaster_start_time() IS NOT NULL}), 'it starts again');
my $left = $node->safe_psql('postgres', 'SELECT count(*) FROM bg.backfill_chunk WHERE done_at IS NULL');
ok($left > 0 && $left < 40, "$left of 40 chunks are left");
is($node->safe_psql('postgres', 'SELECT sum(n) FROM big'), 500 * (40 - $left), 'what is not left is done');
is($node->safe_psql('postgres', 'SELECT state, done FROM bg.backfills'), 'unfinished|' . (40 - $left), 'the view says so');

# The backend that calls ends while it goes on; the last time nobody does.
$holder = new_psql($node);
$holder->query_safe('BEGIN; SELECT FROM big WHERE id = 15000 FOR UPDATE');
($handle, $printed) = start_call("CALL bg.backfill_resume('big')");
ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_locks WHERE NOT granted"), 'a session waits for the row');
$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'CALL bg.backfill_resume%'});
$handle->finish;
no_workers_left($node, 'a call whose backend has ended');
$holder->query_safe('COMMIT');
is($node->safe_psql('postgres', "SELECT count(*) FROM bg.backfill_chunk WHERE done_at IS NULL") > 0, 1, 'the one that has waited is not done');
like($node->safe_psql('postgres', "CALL bg.backfill_resume('big', progress => true)"), qr/^[1-9]\d*[|]0[|]/, 'the rest is done');
is($node->safe_psql('postgres', $outcome), '20000 rows of 1', 'each row was written exactly once');
is($node->safe_psql('postgres', 'SELECT state, done, rows FROM bg.backfills'), 'done|40|20000', 'and counted');

# A standby that replays nothing: no further chunk begins until it does.
$node->backup('copy');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'copy', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby);
$standby->safe_psql('postgres', 'SELECT pg_wal_replay_pause()');
ok($standby->poll_query_until('postgres', q{SELECT pg_get_wal_replay_pause_state() = 'paused'}), 'a standby replays nothing');
($handle, $printed) = start_call("CALL bg.backfill('big', '$statement', rows => 500, workers => 1, max_lag => '50 ms')");
my $looks = q{SELECT query_start FROM pg_stat_activity WHERE backend_type = 'pllua_bg session' AND query LIKE '%pg_stat_replication%' AND query NOT LIKE '%query_start%'};
my %seen;
ok(wait_until(sub { my $at = $node->safe_psql('postgres', $looks); $seen{$at}++ if $at ne ''; keys %seen >= 5 }), 'it looks at the standby again and again');
my $before = $node->safe_psql('postgres', $done);
%seen = ();
ok(wait_until(sub { my $at = $node->safe_psql('postgres', $looks); $seen{$at}++ if $at ne ''; keys %seen >= 5 }), 'and again');
ok($before < 40, "$before of 40 chunks are done");
is($node->safe_psql('postgres', $done), $before, 'and no more');
$standby->safe_psql('postgres', 'SELECT pg_wal_replay_resume()');
$handle->finish;
like($$printed, qr/^40[|]0[|]/m, 'the rest is done when it replays');
is($node->safe_psql('postgres', $outcome), '20000 rows of 2', 'each row once');

# On a standby nothing is written, and the error says so.
my ($code, $out, $err) = $standby->psql('postgres', "CALL bg.backfill('big', 'SELECT FROM big WHERE id BETWEEN \$1 AND \$2')");
like($err, qr/cannot execute \w+ in a read-only transaction/, 'not on a standby');
is($standby->safe_psql('postgres', q{CALL bg.run_all('VALUES (''SELECT 1''), (''SELECT 2'')')}) =~ /^2[|]0/, 1, 'statements that write nothing run there');

$holder->quit;
$standby->stop;
server_log_is_clean($node, killed => 1);
done_testing();
