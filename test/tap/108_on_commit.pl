# Work after the commit when somebody ends at the wrong moment: the launching backend between its commit's steps or with work still to
# be done, the worker before the commit or with work behind it. Nothing stays behind, and what a rollback forgets is never done.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

my $node = new_node('on_commit', "shared_preload_libraries = 'pllua_bg'\nmax_worker_processes = 8\ndynamic_shared_memory_type = mmap\n");
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION pllua_bg;
CREATE TABLE done (n int GENERATED ALWAYS AS IDENTITY, what text);
CREATE TABLE h (id int);
CREATE FUNCTION after_row() RETURNS trigger LANGUAGE pllua_bg AS $$ bg.on_commit('insert into done(what) values ($1)', trigger.new.id) $$;
CREATE TRIGGER t AFTER INSERT ON h FOR EACH ROW EXECUTE FUNCTION after_row();
SQL
my $watcher = new_psql($node);
my $at_rest = $watcher->query_safe($segments);
my $busy = q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'pllua_bg session' AND application_name = 'on_commit'};

sub nothing_left
{
	my ($test) = @_;
	no_workers_left($node, $test);
	ok(wait_until(sub { $watcher->query_safe($segments) <= $at_rest }), "$test: no segment is left");
}

# The transaction is in the middle of a commit, which a fault holds.
sub hold_commit
{
	my ($psql) = @_;
	my $pid = $psql->query_safe('SELECT pg_backend_pid()');
	ask_later($psql, q{BEGIN; SET LOCAL pllua_bg.fault = 'on-commit-sent=wait'; INSERT INTO done(what) VALUES ('never'); SELECT bg.on_commit('insert into done(what) values (''never'')'); COMMIT});
	ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE pid = $pid AND query LIKE 'COMMIT%' AND state = 'active'"), 'a commit is held');
	return $pid;
}

# Everything is done and counted by the name of on_commit, errors among it.
my $launcher = new_psql($node);
my $offset = -s $node->logfile;
$launcher->query_safe(q{BEGIN; SELECT bg.on_commit('select 1/0'); SELECT bg.on_commit('insert into done(what) select format(''%s %s'', name, state) from bg.sessions'); COMMIT});
ok($node->poll_query_until('postgres', 'SELECT count(*) = 1 FROM done'), 'an error stops nothing');
is($node->safe_psql('postgres', 'SELECT what FROM done'), 'on_commit busy', 'the session has a name');
is($node->safe_psql('postgres', 'SELECT commands, errors, commit_errors FROM bg.stat'), '2|1|1', 'the error is counted for the cluster');
like(slurp_file($node->logfile, $offset), qr/ERROR:  division by zero\n.*CONTEXT:  on_commit of process \d+\n.*STATEMENT:  select 1\/0/, 'and logged with its statement');
$node->safe_psql('postgres', 'TRUNCATE done');

# The launching backend ends with work to be done, some of it in segments.
$launcher->query_safe('SELECT pg_advisory_lock(1)');
$launcher->query_safe(q{SELECT bg.on_commit('select pg_advisory_xact_lock(1)')});
$launcher->query_safe("INSERT INTO h SELECT generate_series(1, 1000)") for 1 .. 3;
$launcher->query_safe(q{SELECT bg.on_commit('insert into done(what) values (''last'')')});
is($watcher->query_safe($busy), '1', 'one session has the work of all transactions');
$launcher->quit;
ok($node->poll_query_until('postgres', q{SELECT count(*) = 3001 AND max(n) FILTER (WHERE what = 'last') = max(n) FROM done}), 'work that was left is done');
nothing_left('work that was left');

# The same, but the worker is terminated: what it has not begun is lost, and its segments go.
$launcher = new_psql($node);
$launcher->query_safe('SELECT pg_advisory_lock(1)');
$launcher->query_safe(q{SELECT bg.on_commit('select pg_advisory_xact_lock(1)')});
$launcher->query_safe("INSERT INTO h SELECT generate_series(1, 1000)") for 1 .. 3;
$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'on_commit'});
ok($node->poll_query_until('postgres', "SELECT ($busy) = 0"), 'a worker is terminated');
my $lost = $watcher->query_safe('SELECT lost FROM bg.stat');
$launcher->query_safe(q{TRUNCATE done; SELECT bg.on_commit('insert into done(what) values (''another'')')});
ok($node->poll_query_until('postgres', 'SELECT count(*) = 1 FROM done'), 'the next transaction gets another one');
is($watcher->query_safe("SELECT lost - $lost FROM bg.stat"), '1', 'the lost one is counted');
$launcher->quit;
nothing_left('a terminated worker');

# Both end: first the launching backend, then the worker that has not begun what is in segments.
my $owner = new_psql($node);
$owner->query_safe('SELECT pg_advisory_lock(1)');
$launcher = new_psql($node);
$launcher->query_safe(q{SELECT bg.on_commit('select pg_advisory_xact_lock(1)')});
$launcher->query_safe("INSERT INTO h SELECT generate_series(1, 1000)") for 1 .. 3;
$launcher->quit;
$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'on_commit'});
$owner->quit;
nothing_left('both terminated');

# More connections than there are slots: none fails, and all is done.
$node->safe_psql('postgres', 'TRUNCATE done, h');
$node->pgbench('--no-vacuum --client=16 --transactions=100', 0, [qr/number of transactions actually processed: 1600\/1600/], [qr/^$/], 'sixteen clients on eight slots: no transaction fails',
	{'108_on_commit_insert' => "INSERT INTO h VALUES (1);\n"});
ok($node->poll_query_until('postgres', 'SELECT count(*) = 1600 FROM done'), 'sixteen clients on eight slots: all of their work is done');
nothing_left('sixteen clients');
$node->safe_psql('postgres', 'TRUNCATE done, h');

# A cancel hits one command, not what follows.
$owner = new_psql($node);
$owner->query_safe('SELECT pg_advisory_lock(1)');
$node->safe_psql('postgres', 'TRUNCATE done');
$launcher = new_psql($node);
$launcher->query_safe(q{BEGIN; SELECT bg.on_commit('select pg_advisory_xact_lock(1)'); SELECT bg.on_commit('insert into done(what) values (''after the cancel'')'); COMMIT});
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'on_commit' AND wait_event_type = 'Lock'}), 'a command waits');
my $cancelled = $watcher->query_safe('SELECT cancelled FROM bg.stat');
$node->safe_psql('postgres', q{SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'on_commit'});
ok($node->poll_query_until('postgres', 'SELECT count(*) = 1 FROM done'), 'cancelled, the next one is done');
is($watcher->query_safe("SELECT cancelled - $cancelled FROM bg.stat"), '1', 'the cancel is counted');
$owner->quit;
$launcher->quit;

SKIP:
{
	skip 'built without fault points', 1 unless has_fault_points($node);
	$node->safe_psql('postgres', 'TRUNCATE done');
	# Work begins when the caches of others know what the transaction has changed, and its locks are released; a worker has looked up the function before.
	$node->safe_psql('postgres', q{CREATE FUNCTION version() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN 'old'; END $$});
	my $changer = new_psql($node);
	$changer->query_safe(q{SELECT bg.on_commit('insert into done(what) select public.version()')});
	ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM done WHERE what = 'old'}), 'a worker has run the function');
	set_fault($node, 'on-commit-committed=wait');
	ask_later($changer, q{BEGIN; CREATE OR REPLACE FUNCTION version() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN 'new'; END $$; }
		  . q{SELECT bg.on_commit('insert into done(what) select public.version()'); COMMIT});
	ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_proc WHERE proname = 'version' AND prosrc LIKE '%new%'}), 'what it has done can be seen');
	is($watcher->query_safe('SELECT count(*) FROM done'), '1', 'the work waits until all know it');
	set_fault($node, '');
	ok($node->poll_query_until('postgres', 'SELECT count(*) = 2 FROM done'), 'then it goes on');
	is($watcher->query_safe('SELECT what FROM done ORDER BY n DESC LIMIT 1'), 'new', 'with what the transaction has left');
	$changer->quit;
	nothing_left('a change known to all');
	$node->safe_psql('postgres', 'TRUNCATE done');
	for my $worker ('new', 'pooled')
	{
		my $enter = sub {
			my $psql = new_psql($node);
			no_workers_left($node, $worker) if $worker eq 'new';
			$psql->query_safe(q{DO LANGUAGE pllua_bg $$ local s <close> = bg.launch() s:exec('select 1') $$}) if $worker eq 'pooled';
			return $psql;
		};

		# The launching backend is terminated, or its commit is cancelled.
		for my $how ('pg_terminate_backend', 'pg_cancel_backend')
		{
			my $psql = $enter->();
			my $pid = hold_commit($psql);
			$node->safe_psql('postgres', "SELECT $how($pid)");
			ok($node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid AND state = 'active'"), "$worker, $how: the commit ends");
			eval { $psql->quit };
			nothing_left("$worker, $how");
			is($watcher->query_safe('SELECT count(*) FROM done'), '0', "$worker, $how: nothing was done");
		}

		# The work cannot be sent: the commit fails, and the worker is not kept for nothing.
		my $unlucky = $enter->();
		$unlucky->query(q{SET pllua_bg.fault = 'on-commit-send=error'; SELECT bg.on_commit('insert into done(what) values (''never'')')});
		like($unlucky->{stderr}, qr/ERROR:  fault point "on-commit-send"/, "$worker, unsent: the commit fails");
		$unlucky->{stderr} = '';
		no_workers_left($node, "$worker, unsent");
		$unlucky->query_safe(q{RESET pllua_bg.fault; SELECT bg.on_commit('insert into done(what) values (''next'')')});
		ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 AND min(what) = 'next' FROM done}), "$worker, unsent: the next one is done");
		$unlucky->quit;
		nothing_left("$worker, unsent");
		$node->safe_psql('postgres', 'TRUNCATE done');

		# The worker is terminated while it waits for the outcome; the commit succeeds all the same.
		my $psql = $enter->();
		set_fault($node, 'on-commit-sent=wait');
		ask_later($psql, q{BEGIN; INSERT INTO done(what) VALUES ('committed'); SELECT bg.on_commit('insert into done(what) values (''lost'')'); COMMIT});
		my $waiting = q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'pllua_bg session'};
		if ($worker eq 'pooled')
		{
			ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'on_commit'}), 'a worker waits for the outcome');
			$node->safe_psql('postgres', "SELECT pg_terminate_backend(pid) FROM ($waiting) x");
			no_workers_left($node, 'pooled, terminated');
		}
		set_fault($node, '');
		ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM done WHERE what = 'committed'}), "$worker: the commit succeeds");
		ok($node->poll_query_until('postgres', q{SELECT count(*) = 2 FROM done}), "$worker: and its work is done") if $worker eq 'new';
		eval { $psql->quit };
		nothing_left("$worker, a terminated worker");
		$node->safe_psql('postgres', 'TRUNCATE done');
	}
}

$watcher->quit;
server_log_is_clean($node);
$node->stop;
done_testing();
