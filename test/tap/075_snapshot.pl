# bg.launch{snapshot=true} when the worker starts slowly: the snapshot is kept until the worker has it, the commit waits for that, and
# a session whose launcher's transaction was over before says so.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

my $node = new_node('snapshot', "max_worker_processes = 8\nautovacuum = off\n");
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION pllua_bg;
CREATE TABLE item AS SELECT generate_series(1, 1000) AS id;
CREATE TABLE mark (what text);
SQL
session_functions($node);
my $too_late = qr/^0800[36]: could not import the requested snapshot$/;

# A launching backend whose workers do not get beyond their start.
sub slow_launcher
{
	set_fault($node, 'worker-start=wait');
	return new_psql($node);
}

# Sends a statement that will wait for a worker's start, and waits until it does.
sub begin_waiting
{
	my ($launcher, $sql) = @_;
	my $backend = $launcher->query_safe('SELECT pg_backend_pid()');
	$launcher->query_until(qr/sent/, "\\echo sent\n$sql;\n");
	ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE pid = $backend AND wait_event IN ('PlluaBgStart', 'BgWorkerStartup')"), "$sql: waits");
	return $backend;
}

sub finish
{
	my ($launcher, $name) = @_;
	$launcher->quit;
	no_workers_left($node, "$name");
	return;
}

$node->safe_psql('postgres', q{LOAD 'pllua_bg'});
unless (has_fault_points($node))
{
	plan skip_all => 'built without fault points';
}

# The commit waits; meanwhile the rows may not be removed.
my $launcher = slow_launcher();
$launcher->query_safe('BEGIN');
my $pid = $launcher->query_safe('SELECT bg.launch(snapshot => true)');
begin_waiting($launcher, 'COMMIT');
$node->safe_psql('postgres', 'DELETE FROM item WHERE id > 10');
$node->safe_psql('postgres', 'VACUUM item');
set_fault($node, '');
is($launcher->query_safe("SELECT session_exec($pid, 'select count(*) from item')"), '1000', 'the session sees the state of its launch');
$node->safe_psql('postgres', 'VACUUM item');
is($launcher->query_safe("SELECT session_exec($pid, 'select count(*) from item')"), '1000', 'and goes on seeing it');
is($launcher->query_safe("SELECT session_exec($pid, 'commit')"), 'COMMIT', 'until its transaction ends');
is($launcher->query_safe("SELECT session_exec($pid, 'select count(*) from item')"), '10', 'then it sees what there is');
finish($launcher, 'a commit');

# A session that was let go first does what it was sent.
$launcher = slow_launcher();
$launcher->query_safe('BEGIN');
$pid = $launcher->query_safe('SELECT bg.launch(snapshot => true)');
$launcher->query_safe("SELECT bg.run($pid, 'insert into mark select count(*) from item'), bg.run($pid, 'commit'), bg.detach($pid)");
is($launcher->query_safe('SELECT count(*) FROM bg.backend_sessions()'), '0', 'let go');
begin_waiting($launcher, 'COMMIT');
is($node->safe_psql('postgres', 'SELECT count(*) FROM mark'), '0', 'it has not started');
set_fault($node, '');
$launcher->query_safe('SELECT 1');
ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM mark WHERE what = '10'"), 'a session that was let go does its work');
finish($launcher, 'let go');

# Rolled back: nobody keeps the snapshot.
$launcher = slow_launcher();
$launcher->query_safe('BEGIN');
$pid = $launcher->query_safe('SELECT bg.launch(snapshot => true)');
$launcher->query_safe('ROLLBACK');
set_fault($node, '');
like($launcher->query_safe("SELECT session_exec($pid, 'select 1')"), $too_late, 'rolled back before the worker had the snapshot: the session says so');
is($launcher->query_safe("SELECT state || ': ' || error FROM bg.sessions"), 'gone: could not import the requested snapshot', 'bg.sessions too');
finish($launcher, 'a rollback');

# The commit does not wait for ever.
$launcher = slow_launcher();
$launcher->query_safe(q{LOAD 'pllua_bg'; SET pllua_bg.launch_wait = 50});
$pid = $launcher->query_safe('SELECT bg.launch(snapshot => true)');
set_fault($node, '');
like($launcher->query_safe("SELECT session_exec($pid, 'select 1')"), $too_late, 'a worker that starts after pllua_bg.launch_wait: the session says so');
finish($launcher, 'a long start');

# A commit that waits can be cancelled; it is none then.
$launcher = slow_launcher();
$launcher->query_safe(q{BEGIN; INSERT INTO mark VALUES ('lost')});
$pid = $launcher->query_safe('SELECT bg.launch(snapshot => true)');
my $backend = begin_waiting($launcher, 'COMMIT');
$node->safe_psql('postgres', "SELECT pg_cancel_backend($backend)");
$launcher->query('SELECT 1');
like($launcher->{stderr}, qr/canceling statement/, 'a commit that waits is cancelled');
$launcher->{stderr} = '';
is($launcher->query_safe("SELECT count(*) FROM mark WHERE what = 'lost'"), '0', 'and has not committed');
set_fault($node, '');
like($launcher->query_safe("SELECT session_exec($pid, 'select 1')"), $too_late, 'the session says so');
finish($launcher, 'a cancelled commit');

# The launching backend ends.
$launcher = slow_launcher();
$launcher->query_safe('BEGIN');
$pid = $launcher->query_safe('SELECT bg.launch(snapshot => true)');
$launcher->query_safe("SELECT bg.run($pid, 'insert into mark values (''never'')')");
$launcher->quit;
set_fault($node, '');
no_workers_left($node, 'the launching backend has ended');
is($node->safe_psql('postgres', "SELECT count(*) FROM mark WHERE what = 'never'"), '0', 'and nothing was done with another snapshot');

server_log_is_clean($node);
done_testing();
