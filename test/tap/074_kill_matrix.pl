# The worker or the launching backend of a session ends in each phase of its life: the other one is told or ends, the transaction is rolled
# back, no worker, segment, temporary file or lock stays, and the next launch works.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

my $node = new_node('matrix', "max_worker_processes = 8\ndynamic_shared_memory_type = mmap\ndeadlock_timeout = 20ms\nwal_level = replica\nmax_wal_senders = 2\n");
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION pllua_bg;
CREATE TABLE mark (what text);
CREATE TABLE gate (x int);
-- Reads ten rows, then waits for a lock while the worker has no room for more; then reads on.
CREATE FUNCTION session_stall(pid int) RETURNS text LANGUAGE pllua_bg AS $$
	local n = 0
	local ok, e = pcall(function()
		for row in bg.session(pid):rows("select repeat('x', 1000), generate_series(1, 100000000)") do
			n = n + 1
			if n == 10 then spi.execute('lock table gate') end
		end
	end)
	return ok and 'no error' or type(e) == 'string' and e or e.sqlstate .. ': ' .. (e.detail or e.message)
$$;
SQL
session_functions($node, "{queue_size = '16kB', on_exit = 'cancel', settings = {work_mem = '64kB'}}");

my $locks = q{SELECT count(*) FROM pg_locks WHERE locktype IN ('advisory', 'relation') AND database = (SELECT oid FROM pg_database WHERE datname = 'postgres')
	AND pid <> pg_backend_pid()};
my $temporary = q{SELECT count(*) FROM pg_ls_tmpdir()};
my $cause = qr/^0800[36]: .*(terminating.*administrator command|ended unexpectedly)/;

my $watcher = new_psql($node);
my $locker = new_psql($node);

# Waits until a question has the answer t.
sub wait_for
{
	my ($question) = @_;
	wait_until(sub { $watcher->query_safe("SELECT $question") eq 't' }) or die "never true: $question";
}

sub activity
{
	my ($pid, $condition) = @_;
	wait_for("EXISTS (SELECT FROM pg_stat_activity WHERE pid = $pid AND $condition)");
}

# name => [ what brings a new session into the phase, how the launching backend learns of the worker's end, what the phase needs: `fault` points,
# the table `gate` locked by somebody else ]
my %phase = (
	'idle' => [ sub {}, 'exec' ],
	'running, not waited for' => [
		sub {
			my ($psql, $pid) = @_;
			$psql->query_safe("SELECT session_send($pid, 'select pg_sleep(1000)')");    # workload
			activity($pid, q{state = 'active' AND wait_event = 'PgSleep'});
		}, 'take' ],
	'running, waited for' => [
		sub {
			my ($psql, $pid, $own) = @_;
			ask_later($psql, "SELECT session_exec($pid, 'select pg_sleep(1000)')");    # workload
			activity($pid, q{state = 'active' AND wait_event = 'PgSleep'});
			activity($own, q{wait_event IN ('PlluaBgResult', 'MessageQueueReceive')});
		}, 'answer' ],
	'in a transaction' => [
		sub {
			my ($psql, $pid) = @_;
			$psql->query_safe("SELECT session_exec($pid, 'begin; insert into mark values (''lost''); select pg_advisory_lock(1)')");
		}, 'exec' ],
	'in a failed transaction' => [
		sub {
			my ($psql, $pid) = @_;
			$psql->query_safe("SELECT session_exec($pid, 'begin; insert into mark values (''lost''); select 1/0')");
			activity($pid, q{state = 'idle in transaction (aborted)'});
		}, 'exec' ],
	'waiting for a lock' => [
		sub {
			my ($psql, $pid, $own) = @_;
			ask_later($psql, "SELECT session_exec($pid, 'begin; insert into mark values (''lost''); lock table gate')");
			activity($pid, q{wait_event_type = 'Lock'});
			# The launching backend has joined the queue, for the deadlock detector to see it.
			activity($own, q{wait_event_type = 'Lock'});
		}, 'answer', 'gate' ],
	'streaming' => [
		sub {
			my ($psql, $pid, $own) = @_;
			ask_later($psql, "SELECT session_stall($pid)");
			activity($own, q{wait_event_type = 'Lock'});
			activity($pid, q{wait_event IN ('PlluaBgRoom', 'MessageQueueSend')});
		}, 'stalled', 'gate' ],
	'spilling' => [
		sub {
			my ($psql, $pid) = @_;
			$psql->query_safe("SELECT session_exec($pid, 'begin; insert into mark values (''lost'')')");
			$psql->query_safe("SELECT session_send($pid, 'select repeat(''x'', 1000), generate_series(1, 1000000000)')");
			wait_for("EXISTS (SELECT FROM pg_ls_tmpdir() WHERE name LIKE 'pgsql_tmp$pid.%' AND size > 1000000)");
		}, 'take' ],
	'holding what nobody reads' => [
		sub {
			my ($psql, $pid) = @_;
			$psql->query_safe("SELECT session_exec($pid, 'begin; insert into mark values (''lost'')')");
			$psql->query_safe("SELECT session_send($pid, 'select repeat(''x'', 1000) from generate_series(1, 5000)')");
			activity($pid, q{state = 'idle in transaction' AND query LIKE '%5000%'});
		}, 'take' ],
	'copying' => [
		sub {
			my ($psql, $pid) = @_;
			$psql->query_safe("SELECT session_send($pid, 'copy (select generate_series(1, 1000000000)) to ''/dev/null''')");
			wait_for("EXISTS (SELECT FROM pg_stat_progress_copy WHERE pid = $pid)");
		}, 'take' ],
	'listening' => [ sub { my ($psql, $pid) = @_; $psql->query_safe("SELECT session_exec($pid, 'listen news')"); }, 'exec' ],
	'with sessions of its own' => [
		sub {
			my ($psql, $pid) = @_;
			$psql->query_safe("SELECT session_exec($pid, 'select session_exec(session_open(), ''create temp table t ()'')')");
			wait_for("($workers) = 2");
		}, 'exec' ],
	'in DISCARD ALL' => [
		sub {
			my ($psql, $pid) = @_;
			set_fault($node, 'worker-reset=wait');
			wait_until(sub { $psql->query_safe("SELECT session_exec($pid, 'show pllua_bg.fault')") eq 'worker-reset=wait' }) or die 'no reload';
			$psql->query_safe("SELECT bg.detach($pid)");
			activity($pid, q{query = 'DISCARD ALL'});
		}, 'pool', 'fault' ],
	'in the pool' => [
		sub {
			my ($psql, $pid) = @_;
			$psql->query_safe("SELECT bg.detach($pid)");
			activity($pid, q{application_name = 'pllua_bg pool' AND state = 'idle'});
		}, 'pool' ],
	'starting' => [ sub {}, 'exec', 'fault' ],
	'with a job that waits for the commit' => [
		sub {
			my ($psql, $pid, $own) = @_;
			$psql->query_safe("SELECT bg.close($pid)");
			$node->safe_psql('postgres', q{ALTER SYSTEM SET synchronous_standby_names = 'nobody'});
			$node->reload;
			$psql->query_safe('SET client_min_messages = error');
			wait_until(sub { $psql->query_safe('SHOW synchronous_standby_names') eq 'nobody' }) or die 'no reload';
			ask_later($psql, q{BEGIN; SELECT bg.on_commit('insert into mark values (''job'')'); CREATE TABLE job (); COMMIT});
			activity($own, q{wait_event = 'SyncRep'});
		}, 'job' ],
);

my $session = q{SELECT session_exec(session_open(), 'select 42')};
my $at_rest = segments_at_rest($node);

# One case: who ends, how, in which phase.
sub end_in_phase
{
	my ($name, $victim) = @_;
	my ($enter, $how, $needs) = (@{ $phase{$name} }, '');
	my $test = "$name, $victim";
	my $psql = new_psql($node);
	my $own = $psql->query_safe('SELECT pg_backend_pid()');
	set_fault($node, 'worker-start=wait') if $name eq 'starting';
	my $pid = $psql->query_safe('SELECT session_open()');
	$psql->query_safe("SELECT session_exec($pid, 'select 1')") unless $name eq 'starting';
	$locker->query_safe('BEGIN; LOCK TABLE gate') if $needs eq 'gate';
	$enter->($psql, $pid, $own);
	$pid = $watcher->query_safe(q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'pllua_bg session' UNION ALL SELECT 0 LIMIT 1}) if $how eq 'job';

	if ($victim eq 'worker by function' && $name ne 'starting' && $pid) { $watcher->query_safe("SELECT pg_terminate_backend($pid)"); }
	elsif ($victim =~ /worker/ && $pid) { kill 'TERM', $pid; }
	elsif ($victim !~ /worker/) { $watcher->query_safe("SELECT pg_terminate_backend($own)"); }

	if ($victim !~ /worker/)
	{
		ok(wait_until(sub { $watcher->query_safe("SELECT count(*) FROM pg_stat_activity WHERE pid = $own") eq '0' }), "$test: it ends");
	}
	elsif ($needs eq 'gate' || $how eq 'pool') { process_is_gone($pid, "$test: it ends"); }
	$locker->query_safe('ROLLBACK') if $needs eq 'gate';

	if ($victim =~ /worker/)
	{
		like($psql->query("SELECT session_exec($pid, 'commit')"), $cause, "$test: the next command tells the cause") if $how eq 'exec';
		like($psql->query("SELECT session_take($pid)"), $cause, "$test: its result tells the cause") if $how eq 'take';
		like($psql->query('SELECT 1'), qr/0800[36]: .*(terminating.*administrator command|ended unexpectedly)/, "$test: the answer tells the cause") if $how eq 'answer' || $how eq 'stalled';
		set_fault($node, '') if $needs eq 'fault';
		is($psql->query($session), '42', "$test: the launching backend opens the next session") if $how ne 'job';
		is($psql->{stderr}, '', "$test: and has no error of its own");
	}
	elsif ($needs eq 'fault') { set_fault($node, ''); }
	if ($how eq 'job')
	{
		$node->safe_psql('postgres', 'ALTER SYSTEM RESET synchronous_standby_names');
		$node->reload;
		is($psql->query('SELECT 1'), "\n1", "$test: it commits") if $victim =~ /worker/;
		wait_for("EXISTS (SELECT FROM pg_class WHERE relname = 'job')");
		$watcher->query_safe('DROP TABLE job');
	}
	eval { $psql->quit };
	no_workers_left($node, "$test");
	ok(wait_until(sub { $watcher->query_safe($segments) <= $at_rest }), "$test: no segment is left");
	ok(wait_until(sub { $watcher->query_safe($locks) eq '0' }), "$test: no lock is left");
	is($watcher->query_safe($temporary), '0', "$test: no temporary file is left");
	is($node->safe_psql('postgres', $session), '42', "$test: sessions work");
	wait_for("($workers) = 0");
}

my $fault_points = has_fault_points($node);
for my $name (sort keys %phase)
{
	next if ($phase{$name}[2] // '') eq 'fault' && !$fault_points;
	end_in_phase($name, $_) for 'worker by function', 'worker by signal', 'launching backend';
}
is($watcher->query_safe(q{SELECT count(*) FROM mark WHERE what = 'lost'}), '0', 'no open transaction was committed');

# The server stops with a session in each of several phases.
for my $mode ('fast', 'immediate')
{
	my (@pids, @psqls);
	$locker->query_safe('BEGIN; LOCK TABLE gate');
	for my $name ('waiting for a lock', 'streaming', 'spilling', 'holding what nobody reads')
	{
		my $psql = new_psql($node);
		my $pid = $psql->query_safe('SELECT session_open()');
		$psql->query_safe("SELECT session_exec($pid, 'select 1')");
		$phase{$name}[0]->($psql, $pid, $psql->query_safe('SELECT pg_backend_pid()'));
		push @pids, $pid;
		push @psqls, $psql;
	}
	$node->stop($mode);
	for my $pid (@pids) { process_is_gone($pid, "$mode shutdown: a worker is gone"); }
	eval { $_->quit } for @psqls, $watcher, $locker;
	$node->start;
	$watcher = new_psql($node);
	$locker = new_psql($node);
	is($node->safe_psql('postgres', $session), '42', "$mode shutdown: sessions work afterwards");
	is($node->safe_psql('postgres', q{SELECT count(*) FROM mark WHERE what = 'lost'}), '0', "$mode shutdown: no open transaction was committed");
}
$_->quit for $watcher, $locker;

server_log_is_clean($node);
$node->stop;
done_testing();
