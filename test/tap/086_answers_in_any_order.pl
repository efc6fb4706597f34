# The answer of a worker may come before its launcher waits for it, or belong to an earlier use of the session: nobody waits for what
# has come, and nobody takes one answer for another.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

my $node = new_node('answers', "max_worker_processes = 8\nautovacuum = off\n");
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION pllua_bg;
CREATE TABLE item AS SELECT generate_series(1, 1000) AS id;
SQL
session_functions($node, q({snapshot = option == 'snapshot'}));
unless (has_fault_points($node))
{
	$node->stop;
	plan skip_all => 'built without fault points';
}
my $watcher = new_psql($node);

# True once the process is in such a state.
sub comes_to
{
	my ($pid, $condition, $name) = @_;
	return ok(wait_until(sub { $watcher->query_safe("SELECT count(*) FROM pg_stat_activity WHERE pid = $pid AND $condition") eq '1' }), $name);
}
my $at_fault = q{wait_event_type = 'Extension'};
my $waits_for_start = q{wait_event IN ('PlluaBgStart', 'BgWorkerStartup')};

# A backend with one worker in its pool; a wait for it would be noticed.
sub with_pool
{
	my $psql = new_psql($node);
	$psql->query_safe(q{LOAD 'pllua_bg'; SET pllua_bg.launch_wait = '1h'});
	my $own = $psql->query_safe('SELECT pg_backend_pid()');
	my $pid = $psql->query_safe('SELECT session_open()');
	is($psql->query_safe("SELECT session_exec($pid, 'select 1'), session_exec($pid, 'select 2'), bg.close($pid)"), '1|2|', 'a first use');
	comes_to($pid, q{application_name = 'pllua_bg pool' AND state = 'idle'}, 'a worker is in the pool');
	return ($psql, $own, $pid);
}

# The worker has taken the snapshot before the launcher looks.
my ($psql, $own, $pid) = with_pool();
set_fault($node, 'pool-reuse=wait');
$psql->query_safe('BEGIN');
ask_later($psql, q{SELECT session_open('snapshot')});
comes_to($pid, q{state = 'idle in transaction'}, 'the worker is ready first');
comes_to($own, $at_fault, 'the launcher has not looked');
$node->safe_psql('postgres', 'DELETE FROM item WHERE id <= 10');
$node->safe_psql('postgres', 'VACUUM item');
set_fault($node, '');
is($psql->query_safe('SELECT 1'), "$pid\n1", 'it is launched from the pool');
$psql->query_safe('COMMIT');
is($psql->{stderr}, '', 'the commit does not wait');
is($psql->query_safe("SELECT session_exec($pid, 'select count(*) from item')"), '1000', 'the session sees the state of its launch');
$psql->quit;

# The launcher looks, and commits, before the worker has begun.
($psql, $own, $pid) = with_pool();
set_fault($node, 'worker-reuse=wait');
$psql->query_safe('BEGIN');
is($psql->query_safe(q{SELECT session_open('snapshot')}), $pid, 'it is launched from the pool');
ask_later($psql, 'COMMIT');
comes_to($own, $waits_for_start, 'the commit waits for a worker that has not begun');
$node->safe_psql('postgres', 'DELETE FROM item WHERE id <= 20');
$node->safe_psql('postgres', 'VACUUM item');
set_fault($node, '');
is($psql->query_safe("SELECT session_exec($pid, 'select count(*) from item')"), '990', 'the session sees the state of its launch');
$psql->quit;

# A worker of the pool that reports an error and readiness while a launch is taking it: both belong to the last use.
($psql, $own, $pid) = with_pool();
set_fault($node, 'worker-idle=wait,pool-take=wait,worker-recovered=wait');
comes_to($pid, $at_fault, 'a worker is in the pool and does not listen');
$psql->query_safe('BEGIN');
ask_later($psql, q{SELECT session_open('snapshot')});
comes_to($own, $at_fault, 'a launch is taking it');
$watcher->query_safe("SELECT pg_cancel_backend($pid)");
ok($node->wait_for_log(qr/canceling statement due to user request/), 'it reports an error');
set_fault($node, 'worker-recovered=wait');
is($psql->query_safe('SELECT 1'), "$pid\n1", 'it is launched from the pool');
is($psql->query_safe(q{SELECT error IS NULL FROM bg.backend_sessions()}), 't', 'the error is not shown as one of the new use');
ask_later($psql, 'COMMIT');
comes_to($own, $waits_for_start, 'the commit waits for the new use to begin');
$node->safe_psql('postgres', 'DELETE FROM item WHERE id <= 30');
$node->safe_psql('postgres', 'VACUUM item');
set_fault($node, '');
is($psql->query_safe("SELECT session_exec($pid, 'select count(*) from item')"), '980', 'the session sees the state of its launch');
$psql->quit;

# What a worker reports while idle is no error of the command that is on its way to it.
$psql = new_psql($node);
$pid = $psql->query_safe('SELECT bg.launch()');
is($psql->query_safe("SELECT bg.run($pid, 'create temp table once ()') \\g /dev/null\nSELECT bg.wait($pid, 180)"), 't', 'a command');
set_fault($node, 'worker-idle=wait');
comes_to($pid, $at_fault, 'a worker is idle and does not listen');
my $log = -s $node->logfile;
$psql->query_safe("SELECT bg.run($pid, 'create temp table later ()')");
$watcher->query_safe("SELECT pg_cancel_backend($pid)");
ok($node->wait_for_log(qr/canceling statement due to user request/, $log), 'it reports an error');
set_fault($node, '');
is($psql->query_safe("SELECT bg.wait($pid, 180)"), 't', 'the command that was on its way ends');
is($psql->query_safe("SELECT * FROM bg.result($pid) AS (done text)"), 'CREATE TABLE', 'it has not failed');
is($psql->query_safe("SELECT bg.run($pid, 'select count(*) from later') \\g /dev/null\nSELECT * FROM bg.result($pid) AS (n bigint)"), '0', 'it was done');
$_->quit for $psql, $watcher;

no_workers_left($node, 'at the end');
$node->stop;
server_log_is_clean($node);
done_testing();
