# A worker of the pool that dies while a launch is taking it is replaced: the launch and its first command do not notice.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

my $node = new_node('pool_death', "log_min_messages = debug1\n");
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION pllua_bg;
CREATE FUNCTION session_open() RETURNS int LANGUAGE pllua_bg AS $$ local s = bg.launch{}; s:exec('select 1'); return s.pid $$;
CREATE FUNCTION first_command() RETURNS text LANGUAGE pllua_bg AS $$
	local ok, result = pcall(function() local s <close> = bg.launch{}; return s:exec('select 42') end)
	if ok then return tostring(result.value) end
	return result.sqlstate .. ': ' .. (result.detail or result.message)
$$;
SQL
unless (has_fault_points($node))
{
	$node->stop;
	plan skip_all => 'built without fault points';
}

my $watcher = new_psql($node);
my $psql = new_psql($node);
my $own = $psql->query_safe('SELECT pg_backend_pid()');
my $pid = $psql->query_safe('SELECT session_open()');
$psql->query_safe("SELECT bg.detach($pid)");
ok(wait_until(sub { $watcher->query_safe("SELECT application_name || state FROM pg_stat_activity WHERE pid = $pid") eq 'pllua_bg poolidle' }), 'a worker is in the pool');

set_fault($node, 'pool-take=wait');
wait_until(sub { $psql->query_safe('SHOW pllua_bg.fault') eq 'pool-take=wait' }) or die 'no reload';
ask_later($psql, 'SELECT first_command()');
ok(wait_until(sub { $watcher->query_safe("SELECT wait_event_type FROM pg_stat_activity WHERE pid = $own AND state = 'active'") eq 'Extension' }), 'a launch is taking it');
$watcher->query_safe("SELECT pg_terminate_backend($pid)");
process_is_gone($pid, 'it ends');
set_fault($node, '');
is($psql->query('SELECT 1'), "42\n1", 'the first command of the launch has its answer from another worker');
is($psql->{stderr}, '', 'and there is no error');
like(slurp_file($node->logfile), qr/DEBUG: .*died in the pool and is replaced/, 'the server log tells it at DEBUG1');
$_->quit for $psql, $watcher;
$node->stop;
done_testing();
