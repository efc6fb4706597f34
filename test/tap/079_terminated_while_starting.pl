# bg.terminate, in SQL and Lua, of a session whose worker is held: before it has attached to its segment, and before it has connected.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

my $node = new_node('terminated', "max_worker_processes = 8\n");
$node->safe_psql('postgres', 'CREATE EXTENSION pllua_bg');
my $psql = new_psql($node);
plan skip_all => 'built without fault points' unless has_fault_points($node);


for my $point ('worker-entry', 'worker-start')
{
	for my $how ('SQL', 'Lua')
	{
		set_fault($node, "$point=wait");
		my $launcher = new_psql($node);
		my $pid = $launcher->query_safe('SELECT bg.launch()');
		$launcher->query_safe("SELECT bg.run($pid, 'select 1')");
		is($launcher->query_safe('SELECT state FROM bg.backend_sessions()'), 'starting', "$point, $how: it is starting");
		if ($how eq 'SQL') { $launcher->query_safe("SELECT bg.terminate($pid)"); }
		else { $launcher->query_safe("DO LANGUAGE pllua_bg \$\$ assert(bg.terminate($pid)) \$\$"); }
		set_fault($node, '');
		$launcher->query("SELECT bg.wait($pid)");
		$launcher->{stderr} = '';
		$launcher->query("DO LANGUAGE pllua_bg \$\$ local _, e = pcall(bg.result, $pid) print(e.sqlstate, e.detail or e.message) \$\$");
		like($launcher->{stderr}, qr/INFO:  08006\s+.*terminating .*administrator command/, "$point, $how: its command tells why");
		$launcher->{stderr} = '';
		is($launcher->query_safe('SELECT state FROM bg.backend_sessions()'), 'gone', "$point, $how: it is gone");
		is($launcher->query_safe("DO LANGUAGE pllua_bg \$\$ assert(not pcall(bg.run, $pid, 'select 2')) \$\$; SELECT 42"), '42', "$point, $how: it takes no command");
		$launcher->quit;
		no_workers_left($node, "$point, $how");
	}
}

$psql->quit;
server_log_is_clean($node, killed => 1);
$node->stop;
done_testing();
