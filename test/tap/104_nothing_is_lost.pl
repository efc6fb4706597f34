# What a session brings is not lost when it comes at a bad moment: notices before any command, also when the next command is refused; notifications that
# nobody takes, up to the limit; what there was no memory to look at, or to make clean.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

my $node = new_node('nothing_is_lost', "max_worker_processes = 8\n");
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION pllua_bg;
CREATE FUNCTION listener() RETURNS int LANGUAGE pllua_bg AS $$
	local s = bg.launch{queue_size = '4kB'}
	s:exec('listen news')
	return s.pid
$$;
-- The numbers of the notifications that are there.
CREATE FUNCTION heard(pid int, last int) RETURNS text LANGUAGE pllua_bg AS $$
	local numbers = {}
	repeat
		local n = bg.notification(pid, 60)
		numbers[#numbers + 1] = n.payload:match('%d+')
	until numbers[#numbers] == tostring(last)
	return table.concat(numbers, ' ')
$$;
SQL
session_functions($node);
my $launcher = new_psql($node);

sub ask
{
	my ($query) = @_;
	my $answer = $launcher->query($query) . $launcher->{stderr};
	$launcher->{stderr} = '';
	return $answer;
}

sub contexts { return ask(qq{SELECT count(*) FROM pg_backend_memory_contexts WHERE name IN ('pllua_bg notice', 'pllua_bg command')}); }

# The launcher does not read: the queue is full, 10 wait in the worker, and the others are dropped, with one warning, in a notice of nobody's command.
sub drop_some
{
	my ($first) = @_;
	my $offset = -s $node->logfile;
	$node->safe_psql('postgres', "SELECT pg_notify('news', i || repeat('x', 5000)) FROM generate_series($first, $first + 99) i");
	ok($node->wait_for_log(qr/WARNING:  notifications of a background session are dropped/, $offset), 'notifications are dropped');
	return;
}

$launcher->query_safe('SET pllua_bg.max_notifications = 10');
my $pid = $launcher->query_safe('SELECT listener()');
$launcher->query_safe('SET pllua_bg.max_notifications = 0');
drop_some(1);
# A command that is refused before it is sent has none of the notices.
like(ask("SELECT bg.run($pid, 'select \$1', row(1, 2))"), qr/ERROR:  parameter \$1 of type record cannot be sent/, 'a command is refused');
my $answer = ask("SELECT session_exec($pid, 'select 42')");
like($answer, qr/^42/, 'the next one is done');
is(() = $answer =~ /WARNING:  notifications of a background session are dropped/g, 1, 'and tells the warning, once');
like($answer, qr/DETAIL:  Too many of the session with PID $pid are waiting to be taken/, 'which says whose');
is(contexts(), '0', 'and nothing of it is left');
$node->safe_psql('postgres', "NOTIFY news, '1000'");
my @heard = split / /, ask("SELECT heard($pid, 1000)");
is(pop @heard, '1000', 'a new notification comes');
is("@heard", join(' ', 1 .. @heard), 'those that were not dropped are the first, in order');
cmp_ok(scalar(@heard), '>=', 10, 'as many as the limit lets wait');
cmp_ok(scalar(@heard), '<', 100, 'and the others are dropped');

# When they were taken, the next ones that are too many bring another warning.
drop_some(2001);
like(ask("SELECT session_exec($pid, 'select 43')"), qr/^43.*WARNING:  notifications/s, 'another warning');

# They belong to no command when there is none to come.
$launcher->query_safe("SELECT heard($pid, 2001)");
drop_some(3001);
is($launcher->query_safe("SELECT state FROM bg.backend_sessions()"), 'idle', 'a notice, and no command');
ok(wait_until(sub { ask('SELECT state FROM bg.backend_sessions()'); contexts() > 0 }), 'it is kept');
$launcher->query_safe("SELECT bg.close($pid)");
is(contexts(), '0', 'closed: nothing is left');

SKIP:
{
	skip 'built without fault points', 1 unless has_fault_points($node);
	$launcher->query_safe("LOAD 'pllua_bg'; CREATE FUNCTION scripted(VARIADIC text[]) RETURNS int AS 'pllua_bg', 'pllua_bg_scripted_session' LANGUAGE C STRICT");
	$pid = $launcher->query_safe(q{SELECT scripted('ready I', 'notice 01000 early', 'command', 'notice 01000 of the first', 'tag ONE', 'ready I', 'command', 'tag TWO', 'ready I')});
	$answer = ask("SELECT state FROM bg.backend_sessions(); SELECT bg.run($pid, 'x'), bg.run($pid, 'y'); SELECT session_take($pid)");
	like($answer, qr/TWO$/, 'an early notice is not of the second command');
	like(ask("SELECT session_take($pid)"), qr/ONE.*NOTICE:  early.*NOTICE:  of the first/s, 'it is the first of the next command');
	ask("SELECT bg.close($pid)");

	# No memory to look at a result: SQL has it the next time, errors and notices with it.
	$pid = $launcher->query_safe('SELECT session_open()');
	my $query = q{do 'begin raise notice seen; end'; select 44};
	$query = q{do $d$begin raise notice 'seen'; end$d$; select 44};
	$launcher->query_safe("SELECT bg.run($pid, \$q\$$query\$q\$), bg.run($pid, 'select 1/0'), bg.wait($pid)");
	for my $what (qr/ERROR:  division by zero/, qr/^44.*NOTICE:  seen/s)
	{
		$launcher->query_safe(q{SET pllua_bg.fault = 'unpack=error'});
		for (1, 2) { like(ask("SELECT * FROM bg.result($pid) AS r(x int)"), qr/ERROR:  fault point "unpack"/, 'it cannot be looked at'); }
		$launcher->query_safe(q{SET pllua_bg.fault = ''});
		like(ask("SELECT * FROM bg.result($pid) AS r(x int)"), $what, 'nothing of it is lost');
	}
	is($launcher->query_safe("SELECT session_exec($pid, 'select 45')"), '45', 'the next command works');

	# One that cannot be kept for another use ends.
	$launcher->query_safe(q{SET pllua_bg.fault = 'pool-keep=error'});
	is(ask("SELECT bg.close($pid)"), '', 'closed, and not kept');
	process_is_gone($pid, 'not kept');
	is($launcher->query_safe(q{SELECT session_exec(session_open(), 'select 46')}), '46', 'the next session works');
	is(ask('SELECT bg.detach(pid) FROM bg.backend_sessions()'), '', 'let go, and not kept');
	no_workers_left($node, 'not kept');
	is(contexts(), '0', 'nothing of them is left');
}

$launcher->quit;
no_workers_left($node, 'at the end');
server_log_is_clean($node);
$node->stop;
done_testing();
