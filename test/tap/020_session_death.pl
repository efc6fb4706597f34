# A session whose worker or whose launcher dies ends with an error that tells the cause: never a hang, never a leftover.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

my $node = new_node('death', "max_worker_processes = 8\n");
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION pllua_bg;
CREATE TABLE mark (what text);
SQL
session_functions($node, '{on_exit = option}');

my $terminated = qr/^08006: .*terminating.*administrator command/;    # a command that was under way
my $ended = qr/^08003: .*terminating.*administrator command/;         # a command sent afterwards

sub wait_for_query
{
	my ($pid) = @_;
	$node->poll_query_until('postgres',
		"SELECT count(*) = 1 FROM pg_stat_activity WHERE pid = $pid AND state = 'active' AND query LIKE '%pg_sleep%'")
	  or die "the worker never ran its query";
}

# The pid of a new session in this launcher.
sub open_session
{
	my ($launcher, $on_exit) = @_;
	return $launcher->query_safe("SELECT session_open('" . ($on_exit // 'finish') . "')");
}

# The worker is terminated in each of its phases.
my $launcher = new_psql($node);

my $pid = open_session($launcher);
$launcher->query_safe("SELECT session_exec($pid, 'select 1')");
$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
no_workers_left($node, 'idle');
like($launcher->query_safe("SELECT session_exec($pid, 'select 1')"), $ended, 'idle: the next command tells the cause');

$pid = open_session($launcher);
$launcher->query_safe("SELECT session_send($pid, 'select pg_sleep(1000)')");    # workload
wait_for_query($pid);
$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
like($launcher->query_safe("SELECT session_take($pid)"), $terminated, 'in a query: its result tells the cause');
no_workers_left($node, 'in a query');

$pid = open_session($launcher);
$launcher->query_safe("SELECT session_exec($pid, 'begin')");
$launcher->query_safe("SELECT session_exec($pid, 'insert into mark values (''lost'')')");
$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
no_workers_left($node, 'in a transaction');
like($launcher->query_safe("SELECT session_exec($pid, 'commit')"), $ended, 'in a transaction: commit tells the cause');
is($node->safe_psql('postgres', 'SELECT count(*) FROM mark'), '0', 'in a transaction: it was rolled back');

$pid = open_session($launcher);
$launcher->query_safe("SELECT session_exec($pid, 'select 1')");    # it has started, so the signal will find it
$launcher->query_safe("SELECT session_send($pid, 'select repeat(''x'', 1000) from generate_series(1, 100000)')");
$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
like($launcher->query_safe("SELECT session_take($pid)"), qr/^SELECT 100000$|$terminated/, 'with unread rows: rows or cause');
no_workers_left($node, 'with unread rows');

for my $round (1 .. 5)
{
	$pid = open_session($launcher);
	kill 'TERM', $pid;
	like($launcher->query_safe("SELECT session_exec($pid, 'select 1')"), qr/^1$|$terminated|$ended|^0800[36]: /, "while starting, round $round: an answer");
	no_workers_left($node, "while starting, round $round");
}
is($launcher->query_safe("SELECT session_exec(session_open(), 'select 42')"), '42', 'the launcher lives and opens new sessions');
$launcher->quit;
no_workers_left($node, 'launcher gone');

# The launcher is terminated while a command runs.
for my $on_exit ('finish', 'cancel')
{
	$launcher = new_psql($node);
	my $launcher_pid = $launcher->query_safe('SELECT pg_backend_pid()');
	$pid = open_session($launcher, $on_exit);
	my $locker = new_psql($node);
	$locker->query_safe('BEGIN; LOCK TABLE mark IN EXCLUSIVE MODE');
	$launcher->query_safe("SELECT session_send($pid, 'insert into mark values (''$on_exit'')')");
	$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE pid = $pid AND wait_event_type = 'Lock'")
	  or die 'the worker never waited for the lock';
	$node->safe_psql('postgres', "SELECT pg_terminate_backend($launcher_pid)");
	$node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $launcher_pid");
	no_workers_left($node, 'launcher gone, on_exit cancel') if $on_exit eq 'cancel';
	$locker->query_safe('COMMIT');
	$locker->quit;
	no_workers_left($node, "launcher gone, on_exit $on_exit");
	is( $node->safe_psql('postgres', "SELECT count(*) FROM mark WHERE what = '$on_exit'"),
		$on_exit eq 'finish' ? '1' : '0', "on_exit $on_exit: what was sent is " . ($on_exit eq 'finish' ? 'finished' : 'cancelled'));
	eval { $launcher->quit };
}

# A launcher that goes takes its pool along.
my $pool = q{SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pllua_bg pool'};
$launcher = new_psql($node);
$launcher->query_safe("DO LANGUAGE pllua_bg 'bg.autonomous([[select 1]])'");
ok($node->poll_query_until('postgres', "SELECT ($pool) = 1"), 'a session is in the pool');
$node->safe_psql('postgres', 'SELECT pg_terminate_backend(' . $launcher->query_safe('SELECT pg_backend_pid()') . ')');
no_workers_left($node, 'launcher gone, session in the pool');
eval { $launcher->quit };

# Backends whose pools hold all worker slots do not keep another one from its session.
my @holders = map { new_psql($node) } 1 .. 4;
for my $holder (@holders)
{
	$holder->query_safe(q{DO LANGUAGE pllua_bg $$ bg.autonomous([[select 1]]) $$});
	$holder->query_safe('DO LANGUAGE pllua_bg $$ do local a, b = bg.launch(), bg.launch() a:exec([[]]) b:exec([[]]) a:close() b:close() end $$')
	  if $holder != $holders[-1];
}
is($node->safe_psql('postgres', q{SELECT session_exec(session_open(), 'select 43')}), '43', 'the pools of others leave a session');
$_->quit for @holders;
no_workers_left($node, 'holders gone');

# The server stops with sessions open: idle, running, starting.
$launcher = new_psql($node);
open_session($launcher);
$pid = open_session($launcher);
$launcher->query_safe("SELECT session_send($pid, 'select pg_sleep(1000)')");    # workload
wait_for_query($pid);
open_session($launcher);
$node->restart;
pass('a fast restart ends open sessions');
eval { $launcher->quit };
no_workers_left($node, 'after the restart');
is($node->safe_psql('postgres', "SELECT session_exec(session_open(), 'select 42')"), '42', 'sessions work after the restart');

# No slot is free.
$launcher = new_psql($node);
$launcher->query_safe("SET client_min_messages = error");
my ($opened, $message) = (0, '');
while ($opened < 20)
{
	my $answer = $launcher->query_safe(
		q{DO LANGUAGE pllua_bg $$ local ok, e = pcall(bg.launch, {wait = 0})
		  spi.execute("select set_config('t.answer', $1, false)", ok and e.pid and 'opened' or e.sqlstate .. ' ' .. tostring(e.hint)) $$;
		  SELECT current_setting('t.answer')});
	$message = $answer;
	last if $answer ne 'opened';
	$opened++;
}
cmp_ok($opened, '>=', 6, 'sessions up to the number of slots');
like($message, qr/^53000 .*max_worker_processes/, 'then an error that names the setting');
$launcher->quit;
no_workers_left($node, 'slots');

server_log_is_clean($node);
$node->stop;
done_testing();
