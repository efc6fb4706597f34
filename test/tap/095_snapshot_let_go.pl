# Nothing holds back what vacuum may remove, nor a transaction id, once a transaction has ended, however it ended and whatever it
# left: in the backend that launched sessions and in the sessions' workers.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

my $node = new_node('snapshot_let_go', "max_worker_processes = 64\nmax_prepared_transactions = 2\nautovacuum = off\n");
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION pllua_bg;
CREATE TABLE item AS SELECT generate_series(1, 20000) AS id;
CREATE TABLE mark (what text);
CREATE FUNCTION run(code text) RETURNS text LANGUAGE pllua_bg AS $$ return tostring((assert(load(code))())) $$;
CREATE FUNCTION rows_of_session() RETURNS SETOF int LANGUAGE pllua_bg AS $$
	local s <close> = bg.launch{snapshot = true}
	for row in s:rows('select id from item') do coroutine.yield(row.id) end
$$;
CREATE FUNCTION rows_here() RETURNS SETOF int LANGUAGE pllua_bg AS $$ for row in spi.rows('select id from item') do coroutine.yield(row.id) end $$;
SQL
my $faults = has_fault_points($node);
my $watcher = new_psql($node);

# Who holds something: empty when nobody does. A worker may be about to end its transaction, the launcher has ended it.
my $holders = q{SELECT string_agg(concat_ws(' ', pid, backend_type, state, 'xmin', backend_xmin, 'xid', backend_xid), '; ') FROM pg_stat_activity
	WHERE (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL) AND pid <> pg_backend_pid()};
sub launcher_holds { return $watcher->query_safe("$holders AND backend_type = 'client backend'") }
sub all_hold { return $watcher->query_safe($holders) }

# What a transaction does. Each leaves as much as it can: sessions open, cursors and streams half read.
my %deeds = (
	'a session with a snapshot' => q{SELECT bg.launch(snapshot => true)},
	'several' => q{SELECT bg.launch(snapshot => true) FROM generate_series(1, 3)},
	'from the pool' => q{SELECT run('local function once() local s <close> = bg.launch{snapshot = true} s:exec("select 1") s:exec("commit") end once() once() kept = bg.launch{snapshot = true}')},
	'map' => q{SELECT run('return #bg.map({1, 2, 3}, "select $1::int", {snapshot = true})')},
	'a savepoint rolled back' => q{SAVEPOINT s; SELECT bg.launch(snapshot => true); INSERT INTO mark VALUES ('s'); ROLLBACK TO s},
	'a savepoint released' => q{SAVEPOINT s; SELECT bg.launch(snapshot => true); RELEASE s},
	'launches that fail' => q{SELECT run('spi.execute("set local pllua_bg.max_sessions = 1") a = bg.launch{snapshot = true} return pcall(bg.launch, {snapshot = true})')},
	'let go with work' => q{SELECT bg.launch(snapshot => true) AS pid \gset} . "\n" . q{SELECT bg.run(:pid, 'select count(*) from item'), bg.run(:pid, 'commit'), bg.detach(:pid)},
	'a cursor over rows of a session' => q{DECLARE c CURSOR FOR SELECT rows_of_session(); FETCH 1 FROM c},
	'a cursor over rows here' => q{DECLARE c CURSOR FOR SELECT rows_here(); FETCH 1 FROM c; SELECT bg.launch(snapshot => true)},
	'a cursor of Lua' => q{SELECT run('c = spi.prepare("select id from item"):getcursor() c:fetch(1) s = bg.launch{snapshot = true}')},
	'a stream half read' => q{SELECT run('s = bg.launch() rows = s:rows("select id from item") return rows().id')},
	'a stream half read, with the snapshot' => q{SELECT run('s = bg.launch{snapshot = true} rows = s:rows("select id from item") return rows().id')},
	'a job at the commit' => q{SELECT bg.on_commit('insert into mark values (''job'')')});
my %ends = (
	'COMMIT' => 'COMMIT',
	'ROLLBACK' => 'ROLLBACK',
	'an error' => 'SELECT 1/0',
	'a syntax error' => 'SELEC',
	'PREPARE TRANSACTION' => "PREPARE TRANSACTION 'p'; ROLLBACK PREPARED 'p'",
	'a cancelled statement' => "SET LOCAL statement_timeout = '1ms'; SELECT run('while true do end')");
# What the server itself still holds between an error and the ROLLBACK: the transaction around a savepoint goes on, and it releases
# an open cursor's snapshot when the transaction is over already.
my %outlives_error = map { $_ => 1 } grep { /cursor|savepoint rolled back/ } keys %deeds;

# What is held by what the sessions have begun themselves and not ended.
my $end_sessions = q{SELECT bg.close(pid) FROM bg.backend_sessions() WHERE pid IS NOT NULL};

sub try
{
	my ($launcher, $level, $deed, $end) = @_;
	my $name = "$level, $deed, $end";
	$launcher->query_safe("BEGIN ISOLATION LEVEL $level; INSERT INTO mark VALUES ('here'); SELECT count(*) FROM item");
	$launcher->query_safe($deeds{$deed});
	my @said = launcher_holds() =~ /xmin|xid/ ? () : "$name: nothing is held before";
	$launcher->query($ends{$end});
	my $left = launcher_holds();
	push @said, "$name: $left" if $left ne '' && !($outlives_error{$deed} && $left =~ /aborted/);
	$launcher->query('ROLLBACK');
	$left = launcher_holds();
	push @said, "$name, ROLLBACK: $left" if $left ne '';
	$launcher->query($end_sessions);
	$launcher->{stderr} = '';
	push @said, "$name: workers: " . all_hold() unless wait_until(sub { all_hold() eq '' });
	return @said;
}

my @levels = ('READ COMMITTED', 'REPEATABLE READ');
my $launcher = new_psql($node);
for my $end (sort keys %ends)
{
	my @said = map { my $level = $_; map { try($launcher, $level, $_, $end) } sort keys %deeds } @levels;
	is(join("\n", @said), '', "after $end nobody holds anything");
}
$launcher->quit;

# The worker has not taken the snapshot when the transaction ends, and the commit does not wait for it.
SKIP:
{
	skip 'built without fault points', 1 unless $faults;
	set_fault($node, 'worker-start=wait');
	$launcher = new_psql($node);
	$launcher->query_safe(q{LOAD 'pllua_bg'; SET pllua_bg.launch_wait = 10; SET pllua_bg.pool_size = 0});
	my @said;
	for my $deed ('a session with a snapshot', 'several', 'let go with work', 'a savepoint released', 'a cursor over rows here', 'a cursor of Lua')
	{
		push @said, try($launcher, 'REPEATABLE READ', $deed, $_) for sort keys %ends;
	}
	is(join("\n", @said), '', 'when no worker has taken the snapshot: nobody holds anything');
	set_fault($node, '');
	$launcher->quit;
}

# A launch that failed keeps nothing while its transaction goes on.
$launcher = new_psql($node);
$launcher->query_safe(q{BEGIN; SET LOCAL pllua_bg.max_sessions = 1; SELECT bg.launch() AS pid \gset});
$launcher->query_safe(q{SELECT run('return pcall(bg.launch, {snapshot = true})')});
is(launcher_holds(), '', 'a launch that failed holds no snapshot between the statements that follow');
$launcher->query_safe('COMMIT');
$launcher->quit;

# A procedure that commits, and sessions that wait for commands.
$launcher = new_psql($node);
$launcher->query_safe(q{DO LANGUAGE pllua_bg $$ a = bg.launch{snapshot = true} spi.commit() b = bg.launch{snapshot = true} b:exec('select 1') spi.rollback() c = bg.launch() c:exec('select 1') $$});
is(launcher_holds(), '', 'after a procedure that has committed and rolled back');
is($launcher->query_safe(q{SELECT count(bg.run(pid, 'commit')) FROM bg.backend_sessions()}), '3', 'they are told to commit');
is($launcher->query_safe(q{SELECT bool_and(bg.wait(pid)) FROM bg.backend_sessions()}), 't', 'they have');
is(all_hold(), '', 'sessions that wait for commands hold nothing');
$launcher->quit;
is($node->safe_psql('postgres', "SELECT count(*) FROM mark WHERE what = 's'"), '0', 'the savepoint was rolled back');

no_workers_left($node, 'at the end');
$watcher->quit;
$node->stop;
server_log_is_clean($node);
done_testing();
