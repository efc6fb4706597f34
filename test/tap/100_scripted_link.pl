# Commands, results, waits and errors need nothing of a session but its link: here it is one that follows a script, without a
# worker. The test build has a function for it, which only a superuser can make.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

my $node = new_node('scripted_link');
$node->safe_psql('postgres', 'CREATE EXTENSION pllua_bg');
unless (has_fault_points($node))
{
	$node->stop;
	plan skip_all => 'built without fault points';
}
$node->safe_psql('postgres', <<'SQL');
CREATE FUNCTION scripted(VARIADIC text[]) RETURNS int AS 'pllua_bg', 'pllua_bg_scripted_session' LANGUAGE C STRICT;
SQL

# What psql prints, errors included, for statements after one that starts a session with the script; :pid names it.
sub scripted
{
	my ($script, $statements) = @_;
	my $steps = join ', ', map { "'$_'" } @$script;
	my ($code, $out, $err) = $node->psql('postgres', "SELECT scripted($steps) AS pid \\gset\n$statements", on_error_stop => 0);
	my $all = "$out\n$err";
	$all =~ s/^psql:<stdin>:\d+: //mg;
	$all =~ s/20000000\d\d/PID/g;
	return $all;
}

my @rows = ('command', 'notice 01000 look out', 'columns a int4 b text', 'row 1 one', 'row 2', 'tag SELECT 2', 'ready I');

my $result = scripted([ 'ready I', @rows, @rows ],
	"SELECT bg.run(:pid, 'x'), bg.run(:pid, 'y');\nSELECT * FROM bg.result(:pid) AS r(a int, b text);\nSELECT bg.wait(:pid);\nSELECT * FROM bg.result(:pid) AS r(a int, b text);");
is(() = $result =~ /^1\|one\n2\|$/mg, 2, 'the rows of both commands are read') or diag $result;
like($result, qr/NOTICE:  look out/, 'a notice is raised again');

like(
	scripted([ 'ready I', 'command', 'columns a int4', 'row 1', 'error 22012 too bad', 'ready E' ],
		"SELECT bg.run(:pid, 'x');\nSELECT * FROM bg.result(:pid) AS r(a int);\nSELECT state, transaction FROM bg.backend_sessions() WHERE pid = :pid;"),
	qr/idle.*ERROR:  too bad\nCONTEXT:  SQL statement "x"\nbackground session, pid PID/s,
	'an error is raised again and the session goes on');

my %lost = (
	'lost the line is dead' => 'the line is dead',
	'lost' => 'The worker process ended unexpectedly\.',
	'fatal 57P01 the other side is told to end' => 'the other side is told to end');
for my $end (sort keys %lost)
{
	like(
		scripted([ 'ready I', 'command', 'columns a int4', 'row 1', 'command', $end, 'lost' ],
			"SELECT bg.run(:pid, 'x'), bg.run(:pid, 'y');\nSELECT * FROM bg.result(:pid) AS r(a int);\nSELECT * FROM bg.result(:pid) AS r(a int);\nSELECT bg.run(:pid, 'z');"),
		qr/(ERROR:  background session was lost\nDETAIL:  $lost{$end}\nCONTEXT:  SQL statement "[^"]*"\nbackground session, pid PID\n){2}.*background session has ended/s,
		"'$end' ends every command");
}

like(
	scripted([ 'lost nobody is there' ], "SELECT bg.run(:pid, 'x');"),
	qr/ERROR:  background session could not be started\nDETAIL:  nobody is there/,
	'a link that never became ready');

my $cancelled = scripted([ 'ready I', 'command', 'cancel', 'error 57014 cancelled as asked', 'ready I', @rows ],
	"SELECT bg.run(:pid, 'x'), bg.run(:pid, 'y');\nSELECT bg.wait(:pid, 0.1), bg.cancel(:pid);\nSELECT bg.wait(:pid);\n"
	  . "SELECT * FROM bg.result(:pid) AS r(a int, b text);\nSELECT * FROM bg.result(:pid) AS r(a int, b text);");
like($cancelled, qr/^f\|$/m, 'a wait ends by its timeout, and the command can be cancelled');
like($cancelled, qr/ERROR:  cancelled as asked/, 'the command is told that it was cancelled');
like($cancelled, qr/^1\|one$/m, 'the command after it is not');

like(
	scripted([ 'ready I', 'command', 'columns a int4', 'row 1', 'cancel', 'error 57014 enough', 'ready I' ],
		"SET statement_timeout = '100ms';\nSELECT bg.run(:pid, 'x');\nSELECT * FROM bg.result(:pid) AS r(a int);"),
	qr/canceling statement due to statement timeout/,
	'a wait for it obeys statement_timeout');

like(scripted([ 'ready I', 'command' ], "SELECT bg.run(:pid, 'x');\nSELECT bg.terminate(:pid);\nSELECT * FROM bg.result(:pid) AS r(a int);"),
	qr/ERROR:  background session was lost/, 'it is terminated');
like(scripted([ 'ready I', 'notification news all is well' ], "SELECT channel, payload FROM bg.notifications(:pid);"),
	qr/^news\|all is well$/m, 'a notification');
like(scripted(['ready I'], 'SELECT bg.detach(:pid);'), qr/NOTICE:  let go$/m, 'it is let go');
like(scripted([ 'ready I', 'command' ], "SELECT bg.run(:pid, 'x');\nSELECT bg.detach(:pid);"), qr/NOTICE:  let go with work to do$/m, 'it is let go while it works');
like(scripted(['ready I'], 'SELECT bg.close(:pid);'), qr/NOTICE:  closed$/m, 'it is closed');

# A stream reads rows while they come.
my $stream = $node->safe_psql('postgres', <<'SQL');
SELECT set_config('my.pid', scripted('ready I', 'command', 'columns a int4', 'row 1', 'row 2', 'row 3', 'tag SELECT 3', 'ready I')::text, false) IS NOT NULL;
CREATE FUNCTION sum_of(pid int) RETURNS int LANGUAGE pllua_bg AS $$
	local sum = 0
	for row in bg.session(pid):rows('x') do sum = sum + row.a end
	return sum
$$;
SELECT 'sum ' || sum_of(current_setting('my.pid')::int);
SQL
like($stream, qr/^sum 6$/m, 'its rows are read while they come');

$node->stop;
done_testing();
