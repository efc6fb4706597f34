# Sessions on another server when the network or that server does not do what it should: each of them ends, in bounded time, with an
# error that says what it was, and the backend that waits is never stuck.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use Proxy;
use SessionTest;
use Test::More;

local $SIG{PIPE} = 'IGNORE';

my $far = new_node('far');
my $proxy = Proxy->new($far->host . '/.s.PGSQL.' . $far->port);
my $node = new_node('near', "max_worker_processes = 16\n");
my ($host, $port) = ($far->host, $far->port);
$node->safe_psql('postgres', <<"SQL");
CREATE EXTENSION pllua_bg;
CREATE EXTENSION postgres_fdw;
CREATE SERVER direct FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '$host', port '$port', dbname 'postgres', connect_timeout '2');
CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '@{[$proxy->port]}', dbname 'postgres', connect_timeout '2');
CREATE SERVER two FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1,$host', port '@{[$proxy->port]},$port', dbname 'postgres', connect_timeout '2');
CREATE SERVER none FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1,127.0.0.1', port '@{[$proxy->port]}', dbname 'postgres', connect_timeout '2');
CREATE USER MAPPING FOR PUBLIC SERVER two;
CREATE USER MAPPING FOR PUBLIC SERVER none;
CREATE USER MAPPING FOR PUBLIC SERVER direct;
CREATE USER MAPPING FOR PUBLIC SERVER far;
SQL
my $user = $node->safe_psql('postgres', 'SELECT current_user');
$node->safe_psql('postgres', "CREATE USER MAPPING FOR CURRENT_USER SERVER $_ OPTIONS (user '$user')") for 'direct', 'far', 'two', 'none';
session_functions($node, q({server = option, name = 'faults'}));

my $psql = new_psql($node);
sub ask { return $psql->query($_[0]) =~ s/\n\z//r }
sub open_session { return ask("SELECT session_open('$_[0]')") }
sub exec_in { return ask("SELECT session_exec($_[0], \$sql\$$_[1]\$sql\$)") }

# The pid there of a session's connection, when it does something.
sub pid_there
{
	my ($condition) = @_;
	my $pid;
	wait_until(sub {
			$pid = $far->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE application_name = 'pllua_bg:faults' AND $condition");
			return $pid ne ''; });
	return $pid;
}

# A test: it has taken no more than so many seconds.
sub took { return cmp_ok(time - $_[0], '<', $_[1], "$_[2]: in bounded time") }

# Something that is under way when it goes wrong: what has come of it then.
sub broken
{
	my ($name, $server, $sql, $break, $expected, $most) = @_;
	my $session = open_session($server);
	is(exec_in($session, 'select 1'), '1', "$name: it works before");
	ask("SELECT session_send($session, \$sql\$$sql\$sql\$)");
	pid_there("state = 'active'") if $sql =~ /pg_sleep/;
	my $begin = time;
	$break->($session);
	like(ask("SELECT session_take($session)"), $expected, "$name: the command fails");
	took($begin, $most, $name);
	like(exec_in($session, 'select 1'), qr/^08003: |^42704: |attempt to index/, "$name: the session has ended");
	no_workers_left($node, $name);
	return;
}

my $sleep = 'select pg_sleep(600)'; # workload
broken('reset under way', 'far', $sleep, sub { $proxy->set('reset') }, qr/^08006: connection to server "far" was lost: /, 10);
broken('server ended under way', 'direct', $sleep,
	sub { $far->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pllua_bg:faults'}) },
	qr/^08006: connection to server "direct" was lost: terminating connection due to administrator command/, 10);
broken('restart under way', 'direct', $sleep, sub { $far->restart }, qr/^08006: connection to server "direct" was lost: /, 60);

# A row that is not whole, and what is no protocol.
for my $case (['cut 5000', 'lost in the middle of a row'], ['garbage', 'no protocol'])
{
	my ($mode, $name) = @$case;
	my $session = open_session('far');
	is(exec_in($session, 'select 1'), '1', "$name: it works before");
	my $begin = time;
	$proxy->set($mode);
	like(exec_in($session, q{select repeat('x', 1000) from generate_series(1, 1000)}), qr/^08006: connection to server "far" was lost: /, $name);
	took($begin, 10, $name);
	$proxy->set('pass');
	no_workers_left($node, $name);
}

# Idle.
for my $case (['reset', sub { $proxy->set('reset') }], ['restart', sub { $far->restart }])
{
	my ($name, $break) = @$case;
	my $session = open_session('far');
	is(exec_in($session, 'select 1'), '1', "idle, $name: it works before");
	$break->();
	no_workers_left($node, "idle, $name: it is seen");
	like(exec_in($session, 'select 1'), qr/^0800[36]: |attempt to index/, "idle, $name: the session has ended");
}

# A network that says nothing: the caller's timeout and close work, and nothing is left.
{
	my $session = open_session('far');
	is(exec_in($session, 'select 1'), '1', 'stall: it works before');
	$proxy->set('stall');
	my $begin = time;
	is(ask(qq{SELECT session_send($session, 'select 1'); SELECT bg.wait($session, 0.2)}) =~ s/^\n//r, 'f', 'stall: a wait ends in time');
	ask("SELECT bg.close($session)");
	took($begin, 5, 'stall: close');
	no_workers_left($node, 'stall');
	took($begin, 30, 'stall: the worker');
	$proxy->set('reset');
}

# A worker that is told to end does so whatever it waits for.
sub ends_at_once
{
	my ($name, $session) = @_;
	my $begin = time;
	terminate_worker($node, $session);
	process_is_gone($session, $name);
	took($begin, 10, $name);
	return;
}
{
	my $session = open_session('far');
	exec_in($session, 'select 1');
	$proxy->set('stall');
	ask("SELECT session_send($session, 'select 1')");
	ends_at_once('terminated while the network stalls', $session);
	$session = open_session('far');
	ends_at_once('terminated while connecting', $session);
	$session = open_session('far');
	my $begin = time;
	ask("SELECT bg.close($session)");
	process_is_gone($session, 'closed while connecting');
	took($begin, 5, 'closed while connecting');
	$begin = time;
	like(ask(q{SELECT session_exec(session_open('far'), 'select 1')}), qr/^08001: timeout expired$/, 'a server that does not answer when we connect');
	took($begin, 20, 'a server that does not answer when we connect');
	$begin = time;
	my $second = open_session('two');
	is(exec_in($second, 'select 1'), '1', 'of two hosts the first does not answer: the second does');
	ask("SELECT bg.close($second)");
	took($begin, 20, 'of two hosts the first does not answer');
	$begin = time;
	like(ask(q{SELECT session_exec(session_open('none'), 'select 1')}), qr/^08001: .*timeout expired/s, 'neither of two hosts answers');
	took($begin, 30, 'neither of two hosts answers');
	my $waiting = open_session('none');
	ends_at_once('terminated while connecting to the first of two', $waiting);
	$proxy->set('reset');
}

# A postmaster that is stopped: the same by way of its socket.
{
	my $postmaster = $far->{_pid};
	kill 'STOP', $postmaster;
	my $begin = time;
	like(ask(q{SELECT session_exec(session_open('direct'), 'select 1')}), qr/^08001: timeout expired$/, 'a postmaster that is stopped');
	took($begin, 20, 'a postmaster that is stopped');
	kill 'CONT', $postmaster;
}

# A process there that is stopped does not answer a cancel: the session ends.
{
	my $session = open_session('direct');
	exec_in($session, 'select 1');
	ask("SELECT session_send($session, '$sleep')");
	my $there = pid_there("state = 'active'");
	kill 'STOP', $there;
	my $begin = time;
	ask("SELECT bg.cancel($session)");
	like(ask("SELECT session_take($session)"), qr/^08006: connection to server "direct" was lost: it has not answered a cancel$/, 'no answer to a cancel');
	took($begin, 40, 'no answer to a cancel');
	no_workers_left($node, 'no answer to a cancel');
	$session = open_session('direct');
	exec_in($session, 'select 1');
	ask("SELECT session_send($session, '$sleep')");
	my $second = pid_there("state = 'active' AND pid <> $there");
	kill 'STOP', $second;
	ends_at_once('terminated while the process there is stopped', $session);
	kill 'CONT', $there, $second;
	ok($far->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name LIKE 'pllua_bg%'}), 'what ran there was cancelled');
}

# Of several hosts the one that can write, or the one that cannot.
for my $wanted ('read-write', 'read-only')
{
	my $name = $wanted =~ tr/-/_/r;
	$node->safe_psql('postgres', "CREATE SERVER $name FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '$host,@{[$node->host]}', port '$port,@{[$node->port]}', dbname 'postgres', target_session_attrs '$wanted');
		CREATE USER MAPPING FOR CURRENT_USER SERVER $name OPTIONS (user '$user')");
}
is(exec_in(open_session('read_write'), 'show port'), $port, 'the first host can write');
$far->safe_psql('postgres', 'ALTER SYSTEM SET default_transaction_read_only = on; SELECT pg_reload_conf()');
ok($far->poll_query_until('postgres', 'SHOW default_transaction_read_only', 'on'), 'it cannot any more');
ask('DISCARD ALL'); # the pool
is(exec_in(open_session('read_write'), 'show port'), $node->port, 'so the second one is taken');
is(exec_in(open_session('read_only'), 'show port'), $port, 'the first one where that is wanted');
$far->safe_psql('postgres', 'SET default_transaction_read_only = off; ALTER SYSTEM RESET default_transaction_read_only; SELECT pg_reload_conf()');

# Many cancels, at any moment: each command has its own outcome.
is(ask(<<'SQL'), 'ok', 'a storm of cancels');
CREATE FUNCTION storm() RETURNS text LANGUAGE pllua_bg AS $$
	local s <close> = bg.launch{server = 'direct'}
	for i = 1, 300 do
		local f = s:run(i % 3 == 0 and 'select pg_sleep(600)' or 'select ' .. i) -- workload
		if i % 3 == 0 then
			s:cancel()
			local ok, e = f:try(60)
			if ok or e.sqlstate ~= '57014' then return tostring(e) end
		else
			if i % 2 == 0 then s:cancel() end
			local r, e = f:try(60)
			if r and r.value ~= i or not r and (i % 2 == 1 or e.sqlstate ~= '57014') then return i .. tostring(e) end
		end
	end
	return 'ok'
$$;
SELECT storm();
SQL

$psql->quit;
server_log_is_clean($node);
server_log_is_clean($far);
done_testing();
