# Whoever waits for a worker slot gets one as long as anybody holds a worker that has nothing to do, without preloading: idle workers of
# other backends end, busy backends give theirs up in turn.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

# One of the eight is taken by the launcher of logical replication.
my $node = new_node('fair_slots', "max_worker_processes = 8\nmax_connections = 40\n");
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION pllua_bg;
CREATE FUNCTION once() RETURNS int LANGUAGE pllua_bg AS $$ return bg.autonomous('select 1').value $$;
CREATE FUNCTION map() RETURNS int LANGUAGE pllua_bg AS $$ return #bg.map({1, 2, 3, 4}, 'select $1') $$;
CREATE FUNCTION each() RETURNS int LANGUAGE pllua_bg AS $$
    local n = 0
    for _ in bg.each({1, 2, 3, 4}, function(s, item) return s:exec('select $1', item).value end) do n = n + 1 end
    return n
$$;
CREATE FUNCTION hold() RETURNS int LANGUAGE pllua_bg AS $$ return bg.launch().pid $$;
SQL

# Seven backends have used a session and do nothing now; an eighth has to wait for none of them.
my @idle = map { new_psql($node) } 1 .. 7;
is($_->query_safe('SELECT once()'), '1', 'a backend uses a session') for @idle;
is($node->safe_psql('postgres', $workers), '7', 'each keeps a worker in its pool');
is($node->safe_psql('postgres', 'SELECT once()'), '1', 'another gets the slot of one of them');
is($_->query_safe('SELECT once()'), '1', 'who has lost its worker gets another') for @idle;
$_->quit for @idle;
no_workers_left($node, 'they are gone');

# Sixteen that use one all the time, and sixteen that each would use four.
for my $function (qw(once map each))
{
	my $script = $node->basedir . "/$function.sql";
	append_to_file($script, "SELECT $function();\n");
	command_checks_all(
		[ 'pgbench', '-n', '-h', $node->host, '-p', $node->port, '-c', '16', '-j', '2', '-T', '8', '-f', $script, 'postgres' ],
		0, [qr/number of failed transactions: 0 /], [qr/^(?!.*ERROR)/s], "sixteen clients on seven slots: none fails ($function)");
	no_workers_left($node, "and none is left ($function)");
}

# A map that has all slots gives them to another, goes on with one, and takes more when nobody waits.
my %endless = (
	'a statement' => "bg.map(function() return 0.05 end, 'select pg_sleep(\$1)', {workers = 7, name = 'endless'})", # workload
	'a function' => "bg.map(function() return 0.05 end, function(s, item) s:exec('select pg_sleep(\$1)', item) end, {workers = 7, name = 'endless'})" # workload
);
for my $work (sort keys %endless)
{
	my $long = new_psql($node);
	my $sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'endless'";
	my $pid = $long->query_safe('SELECT pg_backend_pid()');
	ask_later($long, "DO LANGUAGE pllua_bg \$\$ $endless{$work} \$\$");
	ok($node->poll_query_until('postgres', "SELECT ($sessions) = 7"), "$work: a map has all slots");
	is($node->safe_psql('postgres', 'SELECT once()'), '1', "$work: it gives one to a session of another");
	is($node->safe_psql('postgres', 'SELECT map()'), '4', "$work: and to another map");
	ok($node->poll_query_until('postgres', "SELECT ($sessions) = 7"), "$work: it takes them again");
	is($node->safe_psql('postgres', "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 183"), '0', "$work: it does not seem to wait for one");
	$node->safe_psql('postgres', "SELECT pg_cancel_backend($pid)");
	$long->query('');
	like($long->{stderr}, qr/canceling statement/, "$work: it ends");
	$long->quit;
	no_workers_left($node, "$work: none is left");
}

# What is held is not taken away.
my @holders = map { new_psql($node) } 1 .. 7;
my @pids = map { $_->query_safe('SELECT hold()') } @holders;
my ($ret, $stdout, $stderr) = $node->psql('postgres', "SET pllua_bg.launch_wait = '1s'; SELECT once()");
like($stderr, qr/no free worker slot/, 'a session somebody holds is not ended for another');
is($holders[$_]->query_safe("SELECT bg.run($pids[$_], 'SELECT 1')"), '1', 'it works') for 0 .. $#holders;
my @second = map { new_psql($node) } 1, 2;
ask_later($_, "SET pllua_bg.launch_wait = '3s'; SELECT once()") for @second;
$_->query('') for @second;
like($_->{stderr}, qr/no free worker slot/, 'two that wait longer both stop to wait') for @second;
$_->quit for @second;
my $waiting = new_psql($node);
ask_later($waiting, 'SELECT once()');
ok(wait_until(sub { $node->safe_psql('postgres', "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 183") eq '1' }), 'one waits');
$holders[0]->query_safe("SELECT bg.close($pids[0])");
is($waiting->query_safe('SELECT 2'), "1\n2", 'what is closed is not kept for another use while somebody waits');
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"), '0', 'nobody is seen to wait any more');
$_->quit for @holders, $waiting;
$node->stop;
done_testing();
