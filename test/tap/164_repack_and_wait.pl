# What commits by itself: CLUSTER, from PostgreSQL 19 on REPACK; and WAIT FOR, which no function may run. Sessions run it, jobs refuse it in a
# transaction. A session on a standby waits for what the primary has written.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

my $node = new_node('primary', "shared_preload_libraries = 'pllua_bg'\nmax_worker_processes = 16\n", allows_streaming => 1);
my $has_repack = $node->safe_psql('postgres', 'SHOW server_version_num') >= 190000;
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION pllua_bg;
CREATE EXTENSION pllua_bg_jobs;
CREATE TABLE item AS SELECT generate_series(1, 1000) AS id;
ALTER TABLE item ADD PRIMARY KEY (id);
CLUSTER item USING item_pkey;
SQL
session_functions($node);
my $file = q{SELECT pg_relation_filenode('item')};
my $wait = "wait for lsn '0/1' with (mode 'primary_flush')";

# What a job refuses in a transaction it does without.
my @alone = ('cluster');
push @alone, 'repack', 'repack using index', 'repack (concurrently) item', $wait if $has_repack;
for my $sql (@alone)
{
	my ($status, $out, $errors) = $node->psql('postgres', "\\set VERBOSITY verbose\nSELECT bg.submit(\$s\$$sql\$s\$)");
	like($errors, qr/ERROR:  25001: (CLUSTER|REPACK|WAIT) cannot run inside a transaction block\nHINT:  Submit it with the option transaction = false/, "$sql: refused in a transaction");
	is(outcome($sql, '{"transaction": false, "attempts": 1}'), 'done', "$sql: done without");
}
my @within = ('cluster item');
push @within, 'repack item', 'repack item using index', 'repack (concurrently off) item' if $has_repack;
for my $sql (@within)
{
	my $before = $node->safe_psql('postgres', $file);
	is(outcome($sql, '{"attempts": 1}'), 'done', "$sql: done in a transaction");
	isnt($node->safe_psql('postgres', $file), $before, "$sql: the table has another file");
}

sub outcome
{
	my ($sql, $options) = @_;
	my $id = $node->safe_psql('postgres', "SELECT bg.submit(\$s\$$sql\$s\$, null, '$options')");
	my $state = "SELECT state FROM bg.jobs WHERE id = $id";
	$node->poll_query_until('postgres', "SELECT coalesce(($state) IN ('done', 'failed'), false)") or die "$sql does not end";
	return $node->safe_psql('postgres', $state);
}

my $launcher = new_psql($node);
my $pid = $launcher->query_safe('SELECT session_open()');
my $tag = $has_repack ? 'REPACK' : 'CLUSTER';
my $before = $launcher->query_safe($file);
is($launcher->query_safe("SELECT session_exec($pid, '$tag')"), $tag, 'a session runs what commits by itself');
isnt($launcher->query_safe($file), $before, 'the table has another file');
is($launcher->query_safe("SELECT session_exec($pid, 'begin'), session_exec($pid, '$tag'), session_exec($pid, 'rollback')"),
	"BEGIN|25001: $tag cannot run inside a transaction block|ROLLBACK", 'but not in its transaction');

if ($has_repack)
{
	# A table that others write to is moved; a cancel leaves nothing behind.
	my $writer = new_psql($node);
	my $repack = 'REPACK (CONCURRENTLY) item';
	my $waits = q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type LIKE 'REPACK%' AND wait_event_type = 'Lock'};
	for my $end ('cancel', 'commit')
	{
		$before = $launcher->query_safe($file);
		$writer->query_safe("BEGIN; INSERT INTO item SELECT max(id) + 1 FROM item");
		$launcher->query_safe("SELECT session_send($pid, '$repack')");
		ok($node->poll_query_until('postgres', $waits), "$end: it waits for who writes");
		if ($end eq 'cancel') { $launcher->query_safe("SELECT bg.cancel($pid)"); }
		else { $writer->query_safe('COMMIT'); }
		is($launcher->query_safe("SELECT session_take($pid)"), $end eq 'cancel' ? '57014: canceling statement due to user request' : 'REPACK', "$end: it ends");
		$writer->query_safe('COMMIT') if $end eq 'cancel';
		is($launcher->query_safe("SELECT ($file) = $before"), $end eq 'cancel' ? 't' : 'f', "$end: the table's file");
		ok($node->poll_query_until('postgres', 'SELECT count(*) = 0 FROM pg_replication_slots'), "$end: no slot is left");
	}
	$writer->quit;
	is($launcher->query_safe("SELECT session_exec($pid, 'select count(*) || '' '' || max(id) from item')"), '1002 1002', 'no row is lost');

	# A session on a standby waits until it has what the primary has committed.
	$node->backup('base');
	my $standby = PostgreSQL::Test::Cluster->new('standby');
	$standby->init_from_backup($node, 'base', has_streaming => 1);
	$standby->start;
	my $reader = new_psql($standby);
	my $there = $reader->query_safe('SELECT session_open()');
	is($reader->query_safe("SELECT session_exec($there, 'select max(id) from item')"), '1002', 'a session on a standby reads');
	$reader->query_safe('SELECT pg_wal_replay_pause()');
	my $lsn = $node->safe_psql('postgres', "INSERT INTO item VALUES (2000); SELECT pg_current_wal_insert_lsn()");
	$reader->query_safe("SELECT session_send($there, 'wait for lsn ''$lsn''')");
	is($reader->query_safe("SELECT bg.wait($there, 0.1)"), 'f', 'it waits while nothing is replayed');
	$reader->query_safe('SELECT pg_wal_replay_resume()');
	is($reader->query_safe("SELECT session_take($there), session_exec($there, 'select max(id) from item')"), 'WAIT|2000', 'then it reads what was written');
	is($reader->query_safe("SELECT session_exec($there, 'wait for lsn ''FFFFFF/0'' with (timeout ''10ms'', no_throw)')"), 'timeout', 'a timeout is a result');
	$reader->quit;
	server_log_is_clean($standby);
	$standby->stop;
}
$launcher->quit;
server_log_is_clean($node);
$node->stop;
done_testing();
