# The launching backend ends while the server has not yet made a process for the worker: it waits until there is one, however long that takes,
# so that no shared memory stays when the worker then ends before it has attached, and what was sent is done when it does not.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

my $node = new_node('slow_postmaster', "max_worker_processes = 8\ndynamic_shared_memory_type = mmap\n");
$node->safe_psql('postgres', 'CREATE EXTENSION pllua_bg; CREATE TABLE mark (what text)');
my $fault_points = has_fault_points($node);
my $at_rest = segments_at_rest($node);

# Longer than the end of a backend waits for a worker that has its process.
my $long = '4 s';

my $watcher = new_psql($node);
my $postmaster = (split /\n/, slurp_file($node->data_dir . '/postmaster.pid'))[0];

# The worker: what becomes of it; the launching backend: what it does, and how it ends.
sub end_before_worker
{
	my ($fault, $name, $work, $terminate) = @_;
	my $test = "$name, " . ($fault || 'no fault');
	set_fault($node, $fault) if $fault_points;
	my $launcher = new_psql($node);
	my $own = $launcher->query_safe('SELECT pg_backend_pid()');
	kill 'STOP', $postmaster;
	$launcher->query_safe($work);
	$watcher->query_safe("SELECT pg_terminate_backend($own)") if $terminate;
	eval { $launcher->quit };
	my $waiting = "SELECT count(*) FROM pg_stat_activity WHERE pid = $own";
	wait_until(sub { $watcher->query_safe("$waiting AND state_change > clock_timestamp() - interval '$long'") eq '0' });
	is($watcher->query_safe($waiting), '1', "$test: it waits for the worker");
	kill 'CONT', $postmaster;
	ok(wait_until(sub { $watcher->query_safe($waiting) eq '0' }), "$test: then it ends");
	no_workers_left($node, "$test");
	ok(wait_until(sub { $watcher->query_safe($segments) <= $at_rest }), "$test: no segment is left");
	set_fault($node, '') if $fault;
}

my $session = q{DO LANGUAGE pllua_bg $$ local s = bg.launch() s:run("insert into mark values ('session')") s:detach() $$};
my $job = q{SELECT bg.on_commit('insert into mark values (''job'')')};

end_before_worker('', 'detached session', $session, 0);
end_before_worker('', 'job, terminated', $job, 1);
is($node->safe_psql('postgres', q{SELECT string_agg(what, ' ' ORDER BY what) FROM mark}), 'job session', 'what was sent is done');

SKIP:
{
	skip 'built without fault points', 1 unless $fault_points;
	end_before_worker('worker-entry=error', 'detached session', $session, 0);
	end_before_worker('worker-entry=exit', 'job', $job, 0);
}

# A server that stops forgets the worker, and nobody waits for it.
for my $mode ('fast', 'immediate')
{
	my $launcher = new_psql($node);
	kill 'STOP', $postmaster;
	$launcher->query_safe($session);
	eval { $launcher->quit };
	kill $mode eq 'fast' ? 'INT' : 'QUIT', $postmaster;
	kill 'CONT', $postmaster;
	ok(wait_until(sub { !-e $node->data_dir . '/postmaster.pid' }), "$mode shutdown: the server stops");
	$node->_update_pid(0);
	eval { $watcher->quit };
	$node->start;
	$watcher = new_psql($node);
	$postmaster = (split /\n/, slurp_file($node->data_dir . '/postmaster.pid'))[0];
}
$watcher->quit;
server_log_is_clean($node, killed => 1);
$node->stop;
done_testing();
