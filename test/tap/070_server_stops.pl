# Workers that end in every phase, and servers that stop: the launching backend is told the cause, nothing hangs, nothing is left, and
# sessions work afterwards. (020_session_death.pl has the phases idle, in a query, in a transaction, with unread rows.)
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

my $node = new_node('stops', "max_worker_processes = 8\nrestart_after_crash = on\n");
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION pllua_bg;
CREATE TABLE mark (what text);
-- Terminates the worker in the middle of its rows; the rows before are in order, the cause comes after them.
CREATE FUNCTION stream_until_killed(pid int, query text) RETURNS text LANGUAGE pllua_bg AS $$
	local n = 0
	local ok, e = pcall(function()
		for row in bg.session(pid):rows(query) do
			n = n + 1
			if tonumber(row[1]) ~= n then error('row ' .. row[1] .. ' instead of ' .. n) end
			if n == 10 then spi.execute('select pg_terminate_backend($1)', pid) end
		end
	end)
	if ok then return 'no error after ' .. n end
	if n < 10 then return 'only ' .. n .. ' rows' end
	return type(e) == 'string' and e or e.sqlstate .. ': ' .. (e.detail or e.message)
$$;
SQL
session_functions($node, "{settings = option and {['pllua_bg.fault'] = option} or nil}");

my $terminated = qr/^08006: .*terminating.*administrator command/;

sub sessions_work
{
	my ($name) = @_;
	is($node->safe_psql('postgres', q{SELECT session_exec(session_open(), 'select 42')}), '42', "$name: sessions work");
	no_workers_left($node, $name);
}

# The worker is terminated while it streams, while it copies, while it forgets.
my $launcher = new_psql($node);
my $pid = $launcher->query_safe('SELECT session_open()');
like($launcher->query_safe("SELECT stream_until_killed($pid, 'select generate_series(1, 100000000)')"), $terminated, 'streaming: the cause after the rows');
no_workers_left($node, 'streaming');
$pid = $launcher->query_safe('SELECT session_open()');
like($launcher->query_safe("SELECT stream_until_killed($pid, 'copy (select generate_series(1, 100000000)) to stdout')"), $terminated, 'COPY TO STDOUT: the cause after the rows');
no_workers_left($node, 'COPY TO STDOUT');

$pid = $launcher->query_safe('SELECT session_open()');
$launcher->query_safe("SELECT session_send($pid, 'copy (select generate_series(1, 1000000000)) to ''/dev/null''')");
ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_progress_copy WHERE pid = $pid AND tuples_processed > 0"), 'COPY TO a file runs');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
like($launcher->query_safe("SELECT session_take($pid)"), $terminated, 'COPY TO a file: its result tells the cause');
no_workers_left($node, 'COPY TO a file');

for my $round (1 .. 5)
{
	$pid = $launcher->query_safe('SELECT session_open()');
	$launcher->query_safe("SELECT session_send($pid, 'create temp table t$_ (x int)')") for 1 .. 20;
	$launcher->query_safe("SELECT session_send($pid, 'discard all')");
	terminate_worker($node, $pid);
	like($launcher->query_safe("SELECT session_take($pid)"), qr/^DISCARD ALL$|$terminated/, "DISCARD ALL, round $round: it is done or tells the cause");
	no_workers_left($node, "DISCARD ALL, round $round");
}

# Detached with work to do, then terminated: nothing stays.
$pid = $launcher->query_safe('SELECT session_open()');
$launcher->query_safe("SELECT session_send($pid, 'select pg_sleep(1000)'), bg.detach($pid)");    # workload
$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE pid = $pid AND state = 'active'");
$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
no_workers_left($node, 'detached');

# Phases that only a build with fault points can hold open.
$launcher->query_safe(q{LOAD 'pllua_bg'});
SKIP:
{
	skip 'built without fault points', 12
	  unless has_fault_points($node);

	for my $fault ('exit', 'error', 'wait')
	{
		set_fault($node, "worker-start=$fault");
		my $starting = new_psql($node);
		if ($fault eq 'wait')
		{
			# It has attached and is no backend yet.
			$pid = $starting->query_safe('SELECT session_open()');
			$starting->query_safe("SET statement_timeout = 100");
			$starting->query("SELECT session_exec($pid, 'select 42')");
			like($starting->{stderr}, qr/statement timeout/, 'starting: waiting for it can be cancelled');
			$starting->{stderr} = '';
			$starting->query_safe('RESET statement_timeout');
			kill 'TERM', $pid;
			like($starting->query_safe("SELECT session_exec($pid, 'select 42')"), qr/^0800[36]: /, 'terminated before it was a backend: an answer');
			process_is_gone($pid, 'terminated before it was a backend');
			$pid = $starting->query_safe('SELECT session_open()');
			$starting->query_safe("SELECT bg.close($pid)");
			kill 'TERM', $pid;
			process_is_gone($pid, 'closed before it was a backend');
		}
		else
		{
			like( $starting->query_safe(q{DO LANGUAGE pllua_bg $$ local s <close> = bg.launch() local ok, e = pcall(s.exec, s, 'select 42')
				spi.execute("select set_config('t.answer', $1, false)", tostring(ok) .. ' ' .. e.sqlstate .. ': ' .. e.message) $$;
				SELECT current_setting('t.answer')}),
				qr/^false (08006: background session could not be started|08003: background session has ended)$/m, "$fault while starting: an answer");
		}
		is($starting->query_safe('SELECT 1'), '1', "$fault while starting: the launching backend lives");
		$starting->quit;
		set_fault($node, '');
	}
	$pid = $launcher->query_safe(q{SELECT session_open('worker-command=error')});
	is($launcher->query_safe("SELECT session_exec($pid, 'select 42')"), 'XX000: fault point "worker-command"', 'an error before a command is that command\'s');
	is($launcher->query_safe("SELECT session_exec($pid, 'select 42')"), 'XX000: fault point "worker-command"', 'and the session lives');
	$launcher->query_safe("SELECT bg.close($pid)");
	$pid = $launcher->query_safe(q{SELECT session_open('worker-command=exit')});
	like($launcher->query_safe("SELECT session_exec($pid, 'select 42')"), qr/^08006: /, 'an end before a command fails the command');
	no_workers_left($node, 'fault points');
	$launcher->query_safe("SET pllua_bg.fault = 'on-commit-start=error'");
	$launcher->query_safe(q{BEGIN; INSERT INTO mark VALUES ('lost'); SELECT bg.on_commit('insert into mark values (''lost too'')')});
	$launcher->query('COMMIT');
	like($launcher->{stderr}, qr/ERROR:  fault point "on-commit-start"/, 'on_commit work that cannot start fails the commit');
	$launcher->{stderr} = '';
	$launcher->query_safe('RESET pllua_bg.fault');
	is($node->safe_psql('postgres', 'SELECT count(*) FROM mark'), '0', 'nothing was committed');
	no_workers_left($node, 'on_commit');
}
$launcher->quit;
sessions_work('after all that');

# Sessions of a launching backend: idle, in a transaction, running, with results nobody reads.
sub open_all_kinds
{
	my ($psql, $name) = @_;
	my @pids = map { $psql->query_safe('SELECT session_open()') } 1 .. 4;
	$psql->query_safe("SELECT session_exec($pids[1], 'begin; insert into mark values (''$name'')')");
	$psql->query_safe("SELECT session_send($pids[2], 'select pg_sleep(1000)')");    # workload
	$psql->query_safe("SELECT session_send($pids[3], 'select repeat(''x'', 1000), generate_series(1, 10000000)')");
	$node->poll_query_until('postgres', "SELECT count(*) = 2 FROM pg_stat_activity WHERE pid IN ($pids[2], $pids[3]) AND state = 'active'");
	return @pids;
}

# Smart: sessions work as long as their launching backend stays; what it leaves running does not hold the server up.
$launcher = new_psql($node);
my @pids = open_all_kinds($launcher, 'smart');
system_or_bail('pg_ctl', '-D', $node->data_dir, '-m', 'smart', '--no-wait', 'stop');
$node->wait_for_log(qr/received smart shutdown request/);
is($launcher->query_safe("SELECT session_exec($pids[0], 'select 42')"), '42', 'smart: a session goes on while its launching backend is there');
is($launcher->query_safe("SELECT session_exec(session_open(), 'select 42')"), '42', 'smart: also a new one');
$launcher->quit;
process_is_gone($_, 'smart') foreach @pids;
ok(wait_until(sub { !-e $node->data_dir . '/postmaster.pid' }), 'smart: the server stops');
$node->_update_pid(0);
$node->start;
sessions_work('after a smart shutdown');

for my $mode ('fast', 'immediate')
{
	$launcher = new_psql($node);
	@pids = open_all_kinds($launcher, $mode);
	$node->stop($mode);
	process_is_gone($_, $mode) foreach @pids;
	eval { $launcher->quit };
	$node->start;
	sessions_work("after $mode shutdown");
}

# A worker that is killed brings all backends down once, as any backend does; the server comes back by itself.
$launcher = new_psql($node);
@pids = open_all_kinds($launcher, 'crash');
my $offset = -s $node->logfile;
kill 'KILL', $pids[2];
ok($node->wait_for_log(qr/all server processes terminated; reinitializing/, $offset), 'crash: the server starts anew');
ok($node->wait_for_log(qr/database system is ready to accept connections/, $offset), 'crash: and is back');
process_is_gone($_, 'crash') foreach @pids;
eval { $launcher->quit };
sessions_work('after a crash');
is($node->safe_psql('postgres', 'SELECT count(*) FROM mark'), '0', 'no open transaction was committed');

my $log = slurp_file($node->logfile);
my $killed = () = $log =~ /terminated by signal/g;
is($killed, 1, 'only the one that was killed ended by a signal');
unlike($log, qr/TRAP|PANIC|leak/, 'the server log is clean');
$node->stop;
done_testing();
