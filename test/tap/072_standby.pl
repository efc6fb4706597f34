# Sessions on a streaming standby read and do not write; when it is promoted they may.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

my $primary = new_node('primary', "max_worker_processes = 8\n", allows_streaming => 1);
$primary->safe_psql('postgres', <<'SQL');
CREATE EXTENSION pllua_bg;
CREATE TABLE item AS SELECT generate_series(1, 1000) AS id;
CREATE FUNCTION session_sum(pid int) RETURNS text LANGUAGE pllua_bg AS $$
	local sum = 0
	for row in bg.session(pid):rows('select id from item') do sum = sum + row.id end
	return tostring(sum)
$$;
SQL
session_functions($primary);
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;

my $launcher = new_psql($standby);
my $pid = $launcher->query_safe('SELECT bg.launch()');
is($launcher->query_safe("SELECT session_exec($pid, 'select pg_is_in_recovery()')"), 'true', 'a session on a standby');
is($launcher->query_safe(q{DO LANGUAGE pllua_bg $$
	local n = 0
	for c in bg.chunks('pg_class', {by = 'ctid', rows = 100}) do n = n + spi.execute('select count(*) from pg_class where ctid between $1 and $2', c.lo, c.hi)[1][1] end
	assert(n == spi.execute('select count(*) from pg_class')[1][1])
$$; SELECT 'all'}), 'all', 'bg.chunks divides a table of a standby');
is($launcher->query_safe("SELECT session_exec($pid, 'select count(*) from item')"), '1000', 'it reads');
is($launcher->query_safe("SELECT session_sum($pid)"), '500500', 'it streams');
is($launcher->query_safe("SELECT session_exec($pid, 'insert into item values (0)')"), '25006: cannot execute INSERT in a read-only transaction', 'it does not write');
is($launcher->query_safe("SELECT session_exec($pid, 'begin isolation level repeatable read')"), 'BEGIN', 'it has transactions');
is($launcher->query_safe("SELECT session_exec($pid, 'select count(*) from item')"), '1000', 'it reads in them');
is($launcher->query_safe("SELECT session_exec($pid, 'rollback')"), 'ROLLBACK', 'and ends them');

# What the primary commits is seen, but not by a session with a snapshot of before.
my $frozen = $launcher->query_safe('SELECT bg.launch(snapshot => true)');
$primary->safe_psql('postgres', 'INSERT INTO item VALUES (1001)');
$primary->wait_for_catchup($standby);
is($launcher->query_safe("SELECT session_exec($pid, 'select count(*) from item')"), '1001', 'it sees what was replayed');
is($launcher->query_safe("SELECT session_exec($frozen, 'select count(*) from item')"), '1000', 'one with a snapshot sees its own state');
is($launcher->query_safe("SELECT session_exec($frozen, 'commit')"), 'COMMIT', 'until it ends its transaction');
is($launcher->query_safe("SELECT session_exec($frozen, 'select count(*) from item')"), '1001', 'then it sees the same');
$launcher->query_safe("SELECT bg.close($frozen)");

# Replay that has to remove what an idle transaction of a session reads ends it, as for any session; the launching backend is told.
$standby->append_conf('postgresql.conf', 'max_standby_streaming_delay = 0');
$standby->reload;
$launcher->query_safe("SELECT session_exec($pid, 'begin')");
$launcher->query_safe("SELECT session_exec($pid, 'select count(*) from item')");
$primary->safe_psql('postgres', 'CREATE TABLE other (); DROP TABLE item; CREATE TABLE item AS SELECT generate_series(1, 10) AS id');
$primary->wait_for_catchup($standby);
like($launcher->query_safe("SELECT session_exec($pid, 'select count(*) from item')"), qr/^(40001|25P02|57P0\d|08003|08006): /, 'a recovery conflict: the session says so');
ok($standby->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid AND state = 'idle in transaction'"),
	'a recovery conflict: no transaction is left open');
$launcher->query("SELECT bg.close($pid)");
$launcher->{stderr} = '';
no_workers_left($standby, 'the session has ended');

# Promotion.
$pid = $launcher->query_safe('SELECT bg.launch()');
is($launcher->query_safe("SELECT session_exec($pid, 'select count(*) from item')"), '10', 'before the promotion: it reads');
$primary->stop;
$standby->promote;
is($launcher->query_safe("SELECT session_exec($pid, 'insert into item values (0)')"), 'INSERT 0 1', 'after the promotion: it writes');
is($launcher->query_safe("SELECT session_exec(bg.launch(), 'insert into item values (0)')"), 'INSERT 0 1', 'a new session too');
$launcher->query_safe(q{BEGIN; SELECT bg.on_commit('insert into item values (0)'); COMMIT});
ok($standby->poll_query_until('postgres', 'SELECT count(*) = 13 FROM item'), 'and on_commit');
$launcher->quit;
no_workers_left($standby, 'at the end');

server_log_is_clean($_) foreach ($primary, $standby);
$standby->stop;
done_testing();
