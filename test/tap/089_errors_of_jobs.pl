# A job after the commit that fails ends with its worker, whatever has raised the error and whoever has raised it again: it has no client to tell.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

my $node = new_node('jobs', "max_worker_processes = 8\n");
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION pllua_bg;
CREATE FUNCTION left_set() RETURNS SETOF int LANGUAGE pllua_bg AS $$
    local guard <close> = setmetatable({}, {__close = function() spi.execute('select 1') end})
    coroutine.yield(1) coroutine.yield(2)
$$;
CREATE FUNCTION again() RETURNS void LANGUAGE pllua_bg AS $$
    local ok, e = pcall(spi.execute, 'select 1/0')
    error(e)
$$;
CREATE FUNCTION of_a_session() RETURNS void LANGUAGE pllua_bg AS $$ bg.autonomous('select 1/0') $$;
CREATE FUNCTION of_a_dead_session() RETURNS void LANGUAGE pllua_bg AS $$ bg.autonomous('select pg_terminate_backend(pg_backend_pid())') $$;
CREATE FUNCTION memory() RETURNS void LANGUAGE pllua_bg AS $$ local t = {} while true do t[#t + 1] = ('x'):rep(1000) .. #t end $$;
SQL
my $psql = new_psql($node);

my %said = (
	'select 1/0' => 'division by zero',
	'select nothing_like_it()' => 'does not exist',
	"do language pllua_bg \$\$ error('plain') \$\$" => 'plain',
	"do language pllua_bg \$\$ error({}) \$\$" => '',
	'select left_set() limit 1' => 'the database cannot be used after the call',
	'select again()' => 'division by zero',
	'select of_a_session()' => 'division by zero',
	'select of_a_dead_session()' => 'terminating',
	"set pllua_bg.memory_limit = '4MB'; select memory()" => 'out of memory',
	'do $$ begin perform again(); exception when division_by_zero then raise; end $$' => 'division by zero',
);
for my $job (sort keys %said)
{
	my $offset = -s $node->logfile;
	$psql->query_safe("DO LANGUAGE pllua_bg \$job\$ bg.on_commit([=[$job]=]) \$job\$");
	ok(wait_until(sub { slurp_file($node->logfile, $offset) =~ / (?:ERROR|FATAL):  .*\Q$said{$job}\E/ }), "$job: its error is in the log");
	ok(wait_until(sub { $psql->query_safe(q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'pllua_bg session' AND application_name <> 'pllua_bg pool'}) eq '0' }), "$job: its worker has ended");
}
$psql->quit;
server_log_is_clean($node);
$node->stop;
done_testing();
