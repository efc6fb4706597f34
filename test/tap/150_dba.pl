# The procedures of pllua_bg_dba while they work: what they tell, what whoever calls holds meanwhile, and that nothing of it goes on
# when the call is canceled or its backend ends.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use IPC::Run;
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

my $node = new_node('dba', "shared_preload_libraries = 'pllua_bg'\nmax_worker_processes = 16\n");
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION pllua_bg_dba CASCADE;
CREATE TABLE one (i int PRIMARY KEY);
CREATE TABLE two (i int PRIMARY KEY);
INSERT INTO two VALUES (1), (2);
CREATE FUNCTION wait_for_one() RETURNS void LANGUAGE plpgsql AS 'BEGIN PERFORM FROM one; END';
CREATE SCHEMA made;
CREATE MATERIALIZED VIEW made.one AS TABLE one;
CREATE MATERIALIZED VIEW made.two AS TABLE two;
SQL
my $holder = new_psql($node);

# A psql that runs a call, which waits: its handle, what it has printed (a reference), and the pid of its backend.
sub start_call
{
	my ($call, $waiting) = @_;
	my $script = "SELECT 'backend ' || pg_backend_pid();\n$call;\nSELECT 'left ' || count(*) FROM bg.last_run WHERE ok IS NULL;\n";
	my $printed = '';
	my $handle = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres') ], '<', \$script, '>&', \$printed);
	ok(wait_until(sub { $handle->pump_nb; $printed =~ /backend (\d+)/ }), 'a call has begun');
	my ($pid) = $printed =~ /backend (\d+)/;
	ok($node->poll_query_until('postgres', "SELECT count(*) = $waiting FROM pg_locks WHERE NOT granted"), "$waiting sessions wait");
	is($node->safe_psql('postgres', "SELECT backend_xmin IS NULL AND backend_xid IS NULL FROM pg_stat_activity WHERE pid = $pid"), 't', 'the call holds no snapshot');
	is($node->safe_psql('postgres', "SELECT count(*) FROM pg_locks WHERE pid = $pid AND locktype <> 'virtualxid'"), '0', 'and no lock');
	return ($handle, \$printed, $pid);
}

# What a call says, and holds, while it waits for sessions that wait for a lock.
$holder->query_safe('SELECT pg_advisory_lock(1)');
my ($handle, $printed, $pid) =
  start_call(q{CALL bg.run_all($$ SELECT 'SELECT pg_advisory_xact_lock_shared(1), ' || i FROM generate_series(1, 4) i $$, workers => 2, progress => true)}, 2);
ok(wait_until(sub { $handle->pump_nb; $$printed =~ /INFO:/ }), 'it tells how far it is');
like($$printed, qr/^INFO:  bg[.]run_all: \[[.]{20}\] 0 of 4; 1, 2$/m, 'and what runs');
is($node->safe_psql('postgres', q{SELECT count(*) FROM bg.sessions WHERE name = 'bg.run_all' AND sql LIKE '%advisory%'}), '2', 'its sessions have its name');
$holder->query_safe('SELECT pg_advisory_unlock(1)');
$handle->finish;
like($$printed, qr/INFO:  bg[.]run_all: \[#{20}\] 4 of 4, .*\n4[|]0[|].*\nleft 0$/m, 'it ends when they do');
no_workers_left($node, 'a call that is done');

# A cancel, the end of the backend, and the end of one session.
$holder->query_safe('BEGIN; LOCK TABLE one, two');
for my $call (q{CALL bg.vacuum_tables('public.*')}, q{CALL bg.analyze_tables('public.*')}, q{CALL bg.reindex_tables('public.*')},
	q{CALL bg.reindex_tables('public.*', concurrently => true)}, q{CALL bg.refresh_matviews('made.*')},
	q{CALL bg.run_on('SELECT FROM public.one', schemas => ARRAY['public', 'made'])}, q{CALL bg.run_on('SELECT FROM public.one', databases => ARRAY['postgres', 'postgres'])},
	q{CALL bg.backfill('made.two', 'SELECT wait_for_one() WHERE $1::int = $1 AND $2::int = $2', rows => 1, by => 'i')},
	q{CALL bg.create_indexes(ARRAY['CREATE INDEX ON one (i)', 'CREATE INDEX CONCURRENTLY ON two (i)'])},
	q{CALL bg.run_all($$ VALUES ('TABLE one'), ('TABLE two') $$)})
{
	($handle, $printed, $pid) = start_call($call, 2);
	$node->safe_psql('postgres', "SELECT pg_cancel_backend($pid)");
	$handle->finish;
	like($$printed, qr/ERROR:  canceling statement due to user request\n(?:.*\n)*left 2$/, "$call: canceled");
	no_workers_left($node, $call);
}
($handle, $printed, $pid) = start_call(q{CALL bg.vacuum_tables('public.*')}, 2);
$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
$handle->finish;
no_workers_left($node, 'a backend that was terminated');
($handle, $printed, $pid) = start_call(q{CALL bg.vacuum_tables('public.*')}, 2);
$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_locks WHERE NOT granted AND relation = 'one'::regclass});
$holder->query_safe('COMMIT');
$handle->finish;
like($$printed, qr/^WARNING:  bg[.]vacuum_tables: 1 of 2 failed\n(?:.*\n)*1[|]1[|].*\nleft 0$/m, 'a session that ends is a failure of its item');
no_workers_left($node, 'a call that has lost a session');

$holder->quit;
server_log_is_clean($node);
done_testing();
