# A session whose worker or whose launcher dies ends with an error that tells the cause: never a hang, never a leftover.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('death');
$node->init;
$node->append_conf('postgresql.conf', "max_worker_processes = 8\n");
$node->start;
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION pllua_bg;
CREATE TABLE mark (what text);
CREATE FUNCTION session_open(on_exit text DEFAULT 'finish') RETURNS int LANGUAGE pllua_bg AS $$
	return bg.launch{on_exit = on_exit}.pid
$$;
CREATE FUNCTION session_send(pid int, query text) RETURNS void LANGUAGE pllua_bg AS $$
	bg.run(pid, query)
$$;
CREATE FUNCTION session_take(pid int) RETURNS text LANGUAGE pllua_bg AS $$
	local ok, result = pcall(bg.result, pid)
	if ok then return result and result.tag or 'nothing' end
	return result.sqlstate .. ': ' .. (result.detail or result.message)
$$;
CREATE FUNCTION session_exec(pid int, query text) RETURNS text LANGUAGE pllua_bg AS $$
	local ok, result = pcall(function() return bg.session(pid):exec(query) end)
	if ok then return tostring(result.value) end
	return result.sqlstate .. ': ' .. (result.detail or result.message)
$$;
SQL

my $workers = q{SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'pllua_bg%'};
my $terminated = qr/^08006: .*terminating.*administrator command/;    # a command that was under way
my $ended = qr/^08003: .*terminating.*administrator command/;         # a command sent afterwards

sub no_workers_left
{
	my ($name) = @_;
	ok($node->poll_query_until('postgres', "SELECT ($workers) = 0"), "$name: no worker is left");
}

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
my $launcher = $node->background_psql('postgres');

my $pid = open_session($launcher);
$launcher->query_safe("SELECT session_exec($pid, 'select 1')");
$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
no_workers_left('idle');
like($launcher->query_safe("SELECT session_exec($pid, 'select 1')"), $ended, 'idle: the next command tells the cause');

$pid = open_session($launcher);
$launcher->query_safe("SELECT session_send($pid, 'select pg_sleep(1000)')");    # workload
wait_for_query($pid);
$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
like($launcher->query_safe("SELECT session_take($pid)"), $terminated, 'in a query: its result tells the cause');
no_workers_left('in a query');

$pid = open_session($launcher);
$launcher->query_safe("SELECT session_exec($pid, 'begin')");
$launcher->query_safe("SELECT session_exec($pid, 'insert into mark values (''lost'')')");
$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
no_workers_left('in a transaction');
like($launcher->query_safe("SELECT session_exec($pid, 'commit')"), $ended, 'in a transaction: commit tells the cause');
is($node->safe_psql('postgres', 'SELECT count(*) FROM mark'), '0', 'in a transaction: it was rolled back');

$pid = open_session($launcher);
$launcher->query_safe("SELECT session_exec($pid, 'select 1')");    # it has started, so the signal will find it
$launcher->query_safe("SELECT session_send($pid, 'select repeat(''x'', 1000) from generate_series(1, 100000)')");
$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
like($launcher->query_safe("SELECT session_take($pid)"), qr/^SELECT 100000$|$terminated/, 'with unread rows: rows or cause');
no_workers_left('with unread rows');

for my $round (1 .. 5)
{
	$pid = open_session($launcher);
	kill 'TERM', $pid;
	like($launcher->query_safe("SELECT session_exec($pid, 'select 1')"), qr/^1$|$terminated|$ended|^0800[36]: /, "while starting, round $round: an answer");
	no_workers_left("while starting, round $round");
}
is($launcher->query_safe("SELECT session_exec(session_open(), 'select 42')"), '42', 'the launcher lives and opens new sessions');
$launcher->quit;
no_workers_left('launcher gone');

# The launcher is terminated while a command runs.
for my $on_exit ('finish', 'cancel')
{
	$launcher = $node->background_psql('postgres', on_error_stop => 0);
	my $launcher_pid = $launcher->query_safe('SELECT pg_backend_pid()');
	$pid = open_session($launcher, $on_exit);
	my $locker = $node->background_psql('postgres');
	$locker->query_safe('BEGIN; LOCK TABLE mark IN EXCLUSIVE MODE');
	$launcher->query_safe("SELECT session_send($pid, 'insert into mark values (''$on_exit'')')");
	$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE pid = $pid AND wait_event_type = 'Lock'")
	  or die 'the worker never waited for the lock';
	$node->safe_psql('postgres', "SELECT pg_terminate_backend($launcher_pid)");
	$node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $launcher_pid");
	no_workers_left('launcher gone, on_exit cancel') if $on_exit eq 'cancel';
	$locker->query_safe('COMMIT');
	$locker->quit;
	no_workers_left("launcher gone, on_exit $on_exit");
	is( $node->safe_psql('postgres', "SELECT count(*) FROM mark WHERE what = '$on_exit'"),
		$on_exit eq 'finish' ? '1' : '0', "on_exit $on_exit: what was sent is " . ($on_exit eq 'finish' ? 'finished' : 'cancelled'));
	eval { $launcher->quit };
}

# A launcher that goes takes its pool along.
my $pool = q{SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pllua_bg pool'};
$launcher = $node->background_psql('postgres', on_error_stop => 0);
$launcher->query_safe("DO LANGUAGE pllua_bg 'bg.autonomous([[select 1]])'");
ok($node->poll_query_until('postgres', "SELECT ($pool) = 1"), 'a session is in the pool');
$node->safe_psql('postgres', 'SELECT pg_terminate_backend(' . $launcher->query_safe('SELECT pg_backend_pid()') . ')');
no_workers_left('launcher gone, session in the pool');
eval { $launcher->quit };

# Backends whose pools hold all worker slots do not keep another one from its session.
my @holders = map { $node->background_psql('postgres') } 1 .. 4;
for my $holder (@holders)
{
	$holder->query_safe(q{DO LANGUAGE pllua_bg $$ bg.autonomous([[select 1]]) $$});
	$holder->query_safe('DO LANGUAGE pllua_bg $$ do local a, b = bg.launch(), bg.launch() a:exec([[]]) b:exec([[]]) a:close() b:close() end $$')
	  if $holder != $holders[-1];
}
is($node->safe_psql('postgres', q{SELECT session_exec(session_open(), 'select 43')}), '43', 'the pools of others leave a session');
$_->quit for @holders;
no_workers_left('holders gone');

# The server stops with sessions open: idle, running, starting.
$launcher = $node->background_psql('postgres', on_error_stop => 0);
open_session($launcher);
$pid = open_session($launcher);
$launcher->query_safe("SELECT session_send($pid, 'select pg_sleep(1000)')");    # workload
wait_for_query($pid);
open_session($launcher);
$node->restart;
pass('a fast restart ends open sessions');
eval { $launcher->quit };
no_workers_left('after the restart');
is($node->safe_psql('postgres', "SELECT session_exec(session_open(), 'select 42')"), '42', 'sessions work after the restart');

# No slot is free.
$launcher = $node->background_psql('postgres', on_error_stop => 0);
$launcher->query_safe("SET client_min_messages = error");
my ($opened, $message) = (0, '');
while ($opened < 20)
{
	my $answer = $launcher->query_safe(
		q{DO LANGUAGE pllua_bg $$ local ok, e = pcall(bg.launch, {wait = 0})
		  spi.execute("select set_config('t.answer', $1, false)", ok and 'opened' or e.sqlstate .. ' ' .. tostring(e.hint)) $$;
		  SELECT current_setting('t.answer')});
	$message = $answer;
	last if $answer ne 'opened';
	$opened++;
}
cmp_ok($opened, '>=', 6, 'sessions up to the number of slots');
like($message, qr/^53000 .*max_worker_processes/, 'then an error that names the setting');
$launcher->quit;
no_workers_left('slots');

unlike(slurp_file($node->logfile), qr/TRAP|PANIC|terminated by signal|leak/, 'the server log is clean');
$node->stop;
done_testing();
