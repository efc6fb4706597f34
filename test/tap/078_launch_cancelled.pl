# A launch that is cancelled leaves no session, even when the code that called it catches the cancel and the transaction goes on.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

my $node = new_node('cancelled', "max_worker_processes = 8\n");
$node->safe_psql('postgres', 'CREATE EXTENSION pllua_bg');
my $psql = new_psql($node);
plan skip_all => 'built without fault points' unless has_fault_points($node);


# Where the launch is held until statement_timeout comes; the last one takes a session from the pool.
for my $how (
	[ 'SQL, not yet entered', 'launch-end', 'PERFORM bg.launch()' ],
	[ 'SQL, waiting for the pid', 'launch-pid', 'PERFORM bg.launch()' ],
	[ 'Lua', 'launch-end', 'PERFORM launch_and_drop()' ],
	[ 'SQL, from the pool', 'launch-pid', 'PERFORM bg.launch()', 'pool' ])
{
	my ($name, $point, $call, $pool) = @$how;
	$psql->query_safe('CREATE OR REPLACE FUNCTION launch_and_drop() RETURNS void LANGUAGE pllua_bg AS $$ bg.launch() $$');
	$psql->query_safe('DO LANGUAGE pllua_bg $$ local s <close> = bg.launch() s:exec("select 1") $$') if $pool;
	$psql->query_safe("SET statement_timeout = 100; SET pllua_bg.fault = '$point=wait'");
	is($psql->query_safe('BEGIN; DO $$ BEGIN ' . $call . '; RAISE division_by_zero; EXCEPTION WHEN query_canceled THEN NULL; END $$; SELECT 42'),
		'42', "$name: the cancel is caught");
	is($psql->query_safe('SELECT count(*) FROM bg.backend_sessions()'), '0', "$name: no session in the transaction");
	$psql->query_safe('COMMIT; RESET pllua_bg.fault; RESET statement_timeout');
	is($psql->query_safe('SELECT count(*) FROM bg.backend_sessions()'), '0', "$name: nor after it");
	is($psql->query_safe('SELECT bg.run(pid, $$select 1$$) FROM (SELECT bg.launch() AS pid) l'), '1', "$name: the next launch works");
	$psql->query_safe('SELECT bg.close(pid) FROM bg.backend_sessions()');
	is($psql->query_safe('SET pllua_bg.pool_size = 0; SELECT count(*) FROM bg.backend_sessions()'), '0', "$name: it can be closed");
	no_workers_left($node, "$name");
	$psql->query_safe('RESET pllua_bg.pool_size');
}

$psql->quit;
server_log_is_clean($node, killed => 1);
$node->stop;
done_testing();
