# What bg.map, bg.each and bg.autonomous have started ends with their launcher: when it is terminated, when its client is
# gone, when it is killed. Sessions of <close> variables go by their on_exit.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

my $node = new_node('lost', "max_worker_processes = 8\nrestart_after_crash = on\n");
$node->safe_psql('postgres', 'CREATE EXTENSION pllua_bg; CREATE TABLE done (i int)');

my $work = "'with w as (select pg_sleep(1000)) insert into done select 1 from w'"; # workload
my $soon = "'with w as (select pg_sleep(0.5)) insert into done select 1 from w'"; # workload
my $running = q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'pllua_bg session' AND state = 'active'};
my $idle_or_not = q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'pllua_bg session'};

my %code = (
	'bg.map of a statement' => [2, "bg.map({1, 2}, $work, {workers = 2, args = function() end})"],
	'bg.map of a function' => [2, "bg.map({1, 2}, function(s, i) return s:exec($work) end, {workers = 2})"],
	'bg.each' => [2, "for r in bg.each({1, 2}, function(s, i) return s:exec($work) end, {workers = 2}) do end"],
	'tasks of bg.scope' => [2, "bg.scope(function(sc) for i = 1, 2 do sc:go(function() bg.autonomous($work) end) end end)"],
	'bg.autonomous' => [1, "bg.autonomous($work)"],
	'<close> with on_exit = cancel' => [1, "local s <close> = bg.launch{on_exit = 'cancel'} s:exec($work)"],
);

# A launcher in the middle of it; its pid.
sub begin_code
{
	my ($name) = @_;
	my ($workers, $lua) = @{$code{$name}};
	my $psql = new_psql($node);
	$psql->query_safe(q{SET client_connection_check_interval = '100ms'});
	my $pid = $psql->query_safe('SELECT pg_backend_pid()');
	ask_later($psql, "DO LANGUAGE pllua_bg \$\$ $lua \$\$");
	$node->poll_query_until('postgres', "SELECT ($running) = $workers") or die "$name does not run";
	return ($psql, $pid);
}

sub all_ends
{
	my ($name) = @_;
	ok($node->poll_query_until('postgres', "SELECT ($idle_or_not) = 0"), "$name: its sessions end");
	is($node->safe_psql('postgres', 'SELECT count(*) FROM done'), '0', "$name: nothing was done");
	return;
}

for my $name (sort keys %code)
{
	my ($psql, $pid) = begin_code($name);
	$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
	all_ends("$name, terminated");
	eval { $psql->quit };

	($psql, $pid) = begin_code($name);
	$psql->{run}->kill_kill;
	all_ends("$name, without a client");
}

# The default: what was sent is finished.
{
	my $psql = new_psql($node);
	my $pid = $psql->query_safe('SELECT pg_backend_pid()');
	ask_later($psql, "DO LANGUAGE pllua_bg \$\$ local s <close> = bg.launch() s:exec($soon) \$\$");
	$node->poll_query_until('postgres', "SELECT ($running) = 1") or die 'it does not run';
	$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
	ok($node->poll_query_until('postgres', 'SELECT count(*) = 1 FROM done'), '<close> with on_exit = finish: what was sent is done');
	ok($node->poll_query_until('postgres', "SELECT ($idle_or_not) = 0"), '<close> with on_exit = finish: then it ends');
	$node->safe_psql('postgres', 'TRUNCATE done');
	eval { $psql->quit };
}

# A backend that is killed takes the server with it, which starts anew without them.
{
	my ($psql, $pid) = begin_code('bg.map of a statement');
	kill 'KILL', $pid;
	eval { $psql->quit };
	ok($node->poll_query_until('postgres', 'SELECT true'), 'the server is there again');
	all_ends('bg.map, killed');
}
server_log_is_clean($node, killed => 1);
$node->stop;
done_testing();
