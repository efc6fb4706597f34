# Every shared memory segment of the server is taken, by a query each of whose parallel parts holds one until it ends. Whoever needs one is told so,
# and nothing of what it began stays; sessions that nobody uses make room; what is already there works on.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

my $node = new_node('no_segments', <<'CONF');
max_connections = 10
max_wal_senders = 0
max_worker_processes = 8
autovacuum = off
dynamic_shared_memory_type = mmap
jit = off
pllua_bg.pool_size = 0
CONF
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION pllua_bg;
CREATE TABLE parts AS SELECT i FROM generate_series(1, 100) i;
ANALYZE parts;
CREATE TABLE gate (x int);
CREATE TABLE mark (what text, size int);
-- A session that waits at the gate, with commands of which the queue takes the first and not the others.
CREATE FUNCTION session_with_backlog() RETURNS int LANGUAGE pllua_bg AS $$
	local s, text = bg.launch{queue_size = '4kB'}, string.rep('x', 100000)
	s:run([[do 'begin lock table gate; end']])
	s:run("insert into mark values ('small', 1)")
	for i = 1, 5 do s:run("insert into mark values ('large', length($1::text))", text) end
	return s.pid
$$;
SQL
session_functions($node);
my $watcher = new_psql($node);
my $taker = new_psql($node);
$taker->query_safe("SET $_ = 0") for qw(max_parallel_workers min_parallel_table_scan_size parallel_setup_cost parallel_tuple_cost);
my $refusal = qr/ERROR:  53000: too many dynamic shared memory segments for another background session/;
my $at_rest;

# What a statement prints, and its errors.
sub ask
{
	my ($psql, $query) = @_;
	my $answer = $psql->query($query) . $psql->{stderr};
	$psql->{stderr} = '';
	return $answer;
}

sub new_launcher { return new_psql($node, 'postgres', '-v', 'VERBOSITY=verbose'); }

# Has a query take all there are; it ends when the watcher does not hold lock 1 any more.
sub take_segments
{
	$watcher->query_safe('SELECT pg_advisory_lock(1)');
	my $query = join ' UNION ALL ', ('SELECT count(*) FROM parts') x 300;
	ask_later($taker, "$query UNION ALL SELECT 1 WHERE pg_advisory_xact_lock(1) IS NULL");
	wait_until(sub { $watcher->query_safe(q{SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted}) == 1 })
	  or die 'the segments were not taken';
	return;
}

sub give_segments_back
{
	$watcher->query_safe('SELECT pg_advisory_unlock(1)');
	$taker->query_safe('SELECT 1');
	return;
}

# Nothing is left of what has failed, and the launcher's sessions work.
sub nothing_left
{
	my ($name, $launcher) = @_;
	give_segments_back();
	$launcher->query_safe('SET pllua_bg.pool_size = 0') if $launcher;
	is($launcher->query_safe('SELECT count(*) FROM bg.backend_sessions()'), '0', "$name: there is no session") if $launcher;
	no_workers_left($node, $name);
	my $asked = $launcher // $watcher;
	my $left;
	ok(wait_until(sub { ($left = $asked->query_safe($segments)) <= $at_rest }), "$name: no segment is left") or diag("$left segments instead of $at_rest");
	is($watcher->query_safe(q{SELECT count(*) FROM pg_locks WHERE locktype IN ('advisory', 'userlock')}), '0', "$name: no lock is left");
	$launcher //= new_launcher();
	is($launcher->query_safe(q{SELECT session_exec(session_open(), 'select 42')}), '42', "$name: the next session works");
	$launcher->quit;
	return no_workers_left($node, "$name, then");
}

# What the server keeps for good.
take_segments();
give_segments_back();
$at_rest = segments_at_rest($node);

my $launcher = new_launcher();
my $pid = $launcher->query_safe('SELECT session_open()');
take_segments();
like(ask($launcher, 'SELECT session_open()'), $refusal, 'launch: it is refused');
like(ask($launcher, q{DO LANGUAGE pllua_bg $$ local ok, e = pcall(bg.launch) print(ok, e.sqlstate) spi.execute('select 1') print('goes on') $$}),
	qr/53000\n.*goes on/s, 'launch: it can be caught');
is($launcher->query_safe("SELECT session_exec($pid, 'select 41')"), '41', 'launch: the session that is there works');
$launcher->query_safe("SELECT bg.close($pid)");
nothing_left('launch', $launcher);

# In the pool there is one with another size of its queues, which is of no use for this launch.
$launcher = new_launcher();
$launcher->query_safe(q{SET pllua_bg.pool_size = 5; SET pllua_bg.pool_lifetime = '1h'; DO LANGUAGE pllua_bg $$ local s <close> = bg.launch{queue_size = '16kB'} s:exec('select 1') $$});
is($watcher->query_safe($workers), '1', 'pool: a worker waits for another use');
take_segments();
like(ask($launcher, q{DO LANGUAGE pllua_bg $$ local s <close> = bg.launch() print(s:exec('select 43').value) $$}), qr/43$/, 'pool: it makes room for another session');
nothing_left('pool', $launcher);

# A job needs a segment before its transaction commits.
$launcher = new_launcher();
take_segments();
like(ask($launcher, q{BEGIN; INSERT INTO mark VALUES ('job', 0); SELECT bg.on_commit('insert into mark values (''job'', 1)'); COMMIT;}), $refusal, 'on_commit: the commit fails');
nothing_left('on_commit', $launcher);
is($node->safe_psql('postgres', 'SELECT count(*) FROM mark'), '0', 'on_commit: nothing was done');

# The first of two jobs, of two roles, has had the last segment.
$node->safe_psql('postgres', 'CREATE ROLE other LOGIN; GRANT USAGE ON SCHEMA bg TO other');
my $holder = new_launcher();
$holder->query_safe('SELECT session_open()');
$launcher = new_launcher();
take_segments();
my $taken = $watcher->query_safe($segments);
$holder->query_safe('SELECT bg.close(pid) FROM bg.backend_sessions()');
ok(wait_until(sub { $watcher->query_safe($segments) < $taken }), 'two jobs: there is one segment');
like(ask($launcher, q{BEGIN; SELECT bg.on_commit('insert into mark values (''job'', 1)'); SET LOCAL ROLE other; SELECT bg.on_commit('insert into mark values (''job'', 1)'); COMMIT;}), $refusal, 'two jobs: the commit fails');
nothing_left('two jobs', $launcher);
is($node->safe_psql('postgres', 'SELECT count(*) FROM mark'), '0', 'two jobs: none is done');
$holder->quit;

# What the queue has not taken needs another segment when the session is let go.
my %sessions_let_go = (detach => 1, quit => 2);
for my $how ('detach', 'quit')
{
	my $n = $sessions_let_go{$how};
	$watcher->query_safe('BEGIN; LOCK TABLE gate');
	$launcher = new_launcher();
	my @pids = map { $launcher->query_safe('SELECT session_with_backlog()') } 1 .. $n;
	ok(wait_until(sub { $watcher->query_safe('SELECT count(*) FROM pg_locks WHERE NOT granted') == $n }), "$how: busy");
	take_segments();
	my $warning = qr/WARNING: .*background session will not run all commands that were sent: too many dynamic shared memory segments/;
	if ($how eq 'detach')
	{
		like(ask($launcher, "SELECT bg.detach($pids[0])"), $warning, "$how: a warning tells that not all is done");
		is($launcher->query_safe('SELECT 1'), '1', "$how: the launcher goes on");
	}
	else
	{
		my $offset = -s $node->logfile;
		$launcher->quit;
		undef $launcher;
		ok(wait_until(sub { my $said = () = slurp_file($node->logfile, $offset) =~ /$warning/g; $said == $n }), "$how: the server log tells it of each session");
	}
	$watcher->query_safe('COMMIT');
	process_is_gone($_, $how) for @pids;
	is($watcher->query_safe(q{SELECT string_agg(what || size, ',') FROM mark}), join(',', ('small1') x $n), "$how: what the queues have taken is done, and nothing by halves");
	$watcher->query_safe('TRUNCATE mark');
	nothing_left($how, $launcher);
}

$_->quit for $watcher, $taker;
server_log_is_clean($node);
$node->stop;
done_testing();
