# Workers that are slow to start, or end before they have attached to their segment: every call of the launching backend answers, what was
# sent is done or told to be lost, and no shared memory is left. And full queues: sending never waits.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

my $node = new_node('slow', "max_worker_processes = 8\ndynamic_shared_memory_type = mmap\nrestart_after_crash = on\n");
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION pllua_bg;
CREATE TABLE mark (what text, size int);
CREATE TABLE gate (x int);
-- n commands each of which is larger than the queue; what they have done shows in the table.
CREATE FUNCTION send_large(pid int, what text, n int) RETURNS int LANGUAGE pllua_bg AS $$
	local s, text = bg.session(pid), string.rep('x', 100000)
	for i = 1, n do s:run('insert into mark values ($1, length($2::text))', what, text) end
	return s:status().queued
$$;
CREATE FUNCTION launch_and(pid int, how text) RETURNS void LANGUAGE pllua_bg AS $$
	bg.session(pid)[how](bg.session(pid))
$$;
SQL
session_functions($node, "{queue_size = '4kB', on_exit = option}");

# What a statement prints, and its error.
sub ask
{
	my ($psql, $query) = @_;
	my $answer = $psql->query($query) . $psql->{stderr};
	$psql->{stderr} = '';
	return $answer;
}

# The work that was sent is done, all of it, once.
sub is_done
{
	my ($what, $n, $name) = @_;
	ok($node->poll_query_until('postgres', "SELECT count(*) = $n AND count(*) = count(*) FILTER (WHERE size = 100000) FROM mark WHERE what = '$what'"), $name);
}

my $at_rest = segments_at_rest($node);

# No worker, no segment is left; asked in the launching backend if there is one.
sub nothing_left
{
	my ($name, $psql) = @_;
	ok(wait_until(sub { !$node->safe_psql('postgres', $workers) }), "$name: no worker is left");
	my $left;
	ok(wait_until(sub { ($left = $psql ? $psql->query_safe($segments) : $node->safe_psql('postgres', $segments)) <= $at_rest }),
		"$name: no segment is left")
	  or diag("$left segments instead of $at_rest");
}

# Full queues of a session that is busy: it waits for a lock.
my $locker = new_psql($node);
my $pid;
for my $how ('nothing', 'cancel', 'close', 'detach', 'quit', 'terminate')
{
	my $launcher = new_psql($node);
	$pid = $launcher->query_safe('SELECT session_open()');
	$locker->query_safe('BEGIN; LOCK TABLE gate');
	$launcher->query_safe(qq{SELECT bg.run($pid, 'do ''begin lock table gate; end''')});
	is($launcher->query_safe("SELECT send_large($pid, 'busy $how', 20)"), '21', "full queue, $how: sending does not wait");
	ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE pid = $pid AND wait_event_type = 'Lock'"), "full queue, $how: the session is busy");
	if ($how eq 'cancel')
	{
		like(ask($launcher, qq{DO LANGUAGE pllua_bg \$\$ bg.wait({bg.session($pid)}, 0.01) bg.session($pid):cancel() bg.session($pid):exec('select 1') \$\$}),
			qr/^$/, 'full queue, cancel: the running command makes way');
		is_done("busy $how", 20, "full queue, $how: the others are done");
	}
	elsif ($how eq 'nothing')
	{
		like(ask($launcher, "SET statement_timeout = 50; SELECT session_exec($pid, 'select 1'); RESET statement_timeout"), qr/statement timeout/, 'full queue: a wait behind it can be cancelled');
	}
	elsif ($how eq 'quit') { $launcher->quit; }
	elsif ($how eq 'terminate') { $node->safe_psql('postgres', 'SELECT pg_terminate_backend(' . $launcher->query_safe('SELECT pg_backend_pid()') . ')'); }
	else { $launcher->query_safe("SELECT launch_and($pid, '$how')"); }
	ok(wait_until(sub { !$node->safe_psql('postgres', $workers) }), 'full queue, close: it ends at once') if $how eq 'close';
	$locker->query_safe('COMMIT');
	is($launcher->query_safe("SELECT session_exec($pid, 'select 42')"), '42', "full queue, $how: the next answer is right") if $how =~ /nothing|cancel/;
	is_done("busy $how", $how eq 'close' ? 0 : 20, "full queue, $how: what was sent is " . ($how eq 'close' ? 'dropped' : 'done'));
	eval { $launcher->quit } unless $how eq 'quit';
	nothing_left("full queue, $how");
}

$locker->quit;

# A full queue the other way: a session in a transaction does not wait for a backend that does not read.
my $launcher = new_psql($node);
$pid = $launcher->query_safe('SELECT session_open()');
$launcher->query_safe("SELECT session_exec($pid, 'begin; insert into mark values (''unread'', 1)')");
$launcher->query_safe("SELECT bg.run($pid, 'select repeat(''x'', 1000) from generate_series(1, 20000)'), bg.run($pid, 'commit')");
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM mark WHERE what = 'unread'}), 'unread rows: the transaction ends all the same');
is($launcher->query_safe("SELECT count(*) FROM bg.result($pid) AS (x text)"), '1', 'unread rows: the tag of the commit');
is($launcher->query_safe("SELECT count(*) FROM bg.result($pid) AS (x text)"), '20000', 'unread rows: then all of them');
$launcher->quit;
nothing_left('unread rows');

SKIP:
{
	$launcher = new_psql($node);
	$launcher->query_safe(q{LOAD 'pllua_bg'});
	skip 'built without fault points', 1
	  unless has_fault_points($node);
	$launcher->quit;

	# A worker that ends before it has attached, to the segment or to its queue, or connected leaves nothing, whoever was to look after its segment.
	for my $fault ('worker-entry=exit', 'worker-entry=error', 'worker-channel=exit', 'worker-channel=error', 'worker-connect=exit', 'worker-connect=error')
	{
		set_fault($node, $fault);
		$launcher = new_psql($node);
		like(ask($launcher, q{DO LANGUAGE pllua_bg $$ local s <close> = bg.launch() s:exec('select 42') $$}),
			qr/ERROR:  background session could not be started/, "$fault: the command tells");
		like(ask($launcher, q{DO LANGUAGE pllua_bg $$
			local s <close> = bg.launch()
			repeat bg.sleep(0.001) until s:status().state == 'gone'
			local _, e = pcall(s.run, s, 'select 42')
			print(e.sqlstate, e.message)
		$$}), qr/08006\s+background session could not be started/, "$fault: the same when it is known before");
		nothing_left("$fault", $launcher);
		$launcher->query_safe(q{DO LANGUAGE pllua_bg $$ local s = bg.launch() pcall(s.run, s, 'select 42') s:detach() $$});
		nothing_left("$fault, detached", $launcher);
		$launcher->query_safe(q{DO LANGUAGE pllua_bg $$ local s = bg.launch{queue_size = '4kB'}
			pcall(function() for i = 1, 20 do s:run('select $1', string.rep('x', 100000)) end end) s:detach() $$});
		nothing_left("$fault, detached with a full queue", $launcher);
		$launcher->query_safe(q{SELECT bg.on_commit('select 42') FROM generate_series(1, 4)});
		nothing_left("$fault, on_commit", $launcher);
		$launcher->query_safe(q{DO LANGUAGE pllua_bg $$ local s = bg.launch() pcall(s.run, s, 'select 42') bg.on_commit('select 42') $$});
		$launcher->quit;
		nothing_left("$fault, the launching backend gone");
		is($node->safe_psql('postgres', "SELECT count(*) FROM pg_locks WHERE locktype IN ('advisory', 'userlock')"), '0', "$fault: no lock stays");
		set_fault($node, '');
	}

	# Workers that are held before they attach, then go on.
	for my $how ('nothing', 'cancel', 'close', 'detach', 'quit', 'terminate', 'on_exit cancel', 'worker terminated', 'on_commit')
	{
		set_fault($node, 'worker-entry=wait');
		$launcher = new_psql($node);
		my $launcher_pid = $launcher->query_safe('SELECT pg_backend_pid()');
		$pid = $launcher->query_safe("SELECT session_open('" . ($how eq 'on_exit cancel' ? 'cancel' : 'finish') . "')");
		is($launcher->query_safe("SELECT state FROM bg.backend_sessions()"), 'starting', "held, $how: it is starting") if $how eq 'nothing';
		is($launcher->query_safe("SELECT send_large($pid, 'held $how', 20)"), '20', "held, $how: sending does not wait");
		my $done = 20;
		if ($how eq 'nothing')
		{
			like(ask($launcher, "SET statement_timeout = 50; SELECT session_exec($pid, 'select 1'); RESET statement_timeout"), qr/statement timeout/, 'held: a wait obeys statement_timeout');
			is( $launcher->query_safe("SELECT bg.wait($pid, 0.01)"), 'f', 'held: a wait has a timeout');
			ask_later($launcher, "SELECT session_exec($pid, 'select 2')");
			ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE pid = $launcher_pid AND state = 'active' AND wait_event IN ('PlluaBgResult', 'MessageQueueReceive')"), 'held: it waits');
			$node->safe_psql('postgres', "SELECT pg_cancel_backend($launcher_pid)");
			like(ask($launcher, 'SELECT 1'), qr/canceling statement due to user request/, 'held: a wait can be cancelled');
		}
		elsif ($how eq 'cancel')
		{
			$launcher->query_safe("SELECT launch_and($pid, 'cancel')");
			$done = 19;
		}
		elsif ($how eq 'close' || $how eq 'detach')
		{
			$launcher->query_safe("SELECT launch_and($pid, '$how')");
			$done = 0 if $how eq 'close';
		}
		elsif ($how eq 'on_commit')
		{
			$launcher->query_safe(q{BEGIN; SELECT bg.on_commit('insert into mark values (''job'', 1)') FROM generate_series(1, 3); COMMIT});
			$launcher->query_safe(q{BEGIN; SELECT bg.on_commit('insert into mark values (''lost job'', 1)'); ROLLBACK});
		}
		elsif ($how eq 'worker terminated')
		{
			kill 'TERM', $pid;
			$done = 0;
		}
		elsif ($how eq 'terminate')
		{
			# It is waiting for the session when its own end comes.
			ask_later($launcher, "SELECT session_exec($pid, 'select 2')");
			ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE pid = $launcher_pid AND state = 'active' AND wait_event IN ('PlluaBgResult', 'MessageQueueReceive')"), "held, $how: it waits");
			$node->safe_psql('postgres', "SELECT pg_terminate_backend($launcher_pid)");
			ok(wait_until(sub { $node->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE pid = $launcher_pid") eq '0' }), "held, $how: the launching backend ends all the same");
		}
		else
		{
			$launcher->quit;
			$done = 0 if $how eq 'on_exit cancel';
		}
		set_fault($node, '');
		like($launcher->query_safe("SELECT session_exec($pid, 'select 42')"), $how eq 'worker terminated' ? qr/^0800[36]: / : qr/^42$/, "held, $how: the next answer is right")
		  if $how =~ /nothing|^cancel|worker|on_commit/;
		is_done("held $how", $done, "held, $how: what was sent is " . ($done ? 'done' : 'dropped'));
		ok($node->poll_query_until('postgres', q{SELECT count(*) = 3 FROM mark WHERE what = 'job'}), 'held, on_commit: the jobs run') if $how eq 'on_commit';
		eval { $launcher->quit } unless $how =~ /quit|on_exit/;
		nothing_left("held, $how");
	}
	is($node->safe_psql('postgres', q{SELECT count(*) FROM mark WHERE what = 'lost job'}), '0', 'no job of a transaction that was rolled back');

	# Held when the server stops at once, or starts anew after a crash.
	for my $how ('immediate', 'crash')
	{
		set_fault($node, 'worker-entry=wait');
		$launcher = new_psql($node);
		$pid = $launcher->query_safe('SELECT session_open()');
		$launcher->query_safe("SELECT send_large($pid, '$how', 20)");
		$node->safe_psql('postgres', "LOAD 'pllua_bg'; ALTER SYSTEM RESET pllua_bg.fault") if $how eq 'crash';
		if ($how eq 'crash')
		{
			my $offset = -s $node->logfile;
			kill 'KILL', $pid;
			ok($node->wait_for_log(qr/database system is ready to accept connections/, $offset), 'held, crash: the server starts anew');
		}
		else
		{
			$node->stop('immediate');
			$node->append_conf('postgresql.auto.conf', "pllua_bg.fault = ''");
			$node->start;
		}
		process_is_gone($pid, "held, $how: the worker is gone");
		eval { $launcher->quit };
		set_fault($node, '');
		is($node->safe_psql('postgres', q{SELECT session_exec(session_open(), 'select 42')}), '42', "held, $how: sessions work afterwards");
		nothing_left("held, $how");
	}
}

my $log = slurp_file($node->logfile);
unlike($log, qr/TRAP|PANIC|leak/, 'the server log is clean');
$node->stop;
done_testing();
