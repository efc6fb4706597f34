# Jobs over restarts of the server: 10,000 that wait, runs that were missed, one that runs when the primary is lost; a dump while jobs run; the extension
# dropped, and the right to connect taken away, while jobs run.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

my $configuration = "shared_preload_libraries = 'pllua_bg'\nmax_worker_processes = 16\nlog_statement = none\n";
my $node = new_node('restarts', $configuration, allows_streaming => 1);
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION pllua_bg;
CREATE EXTENSION pllua_bg_jobs;
CREATE TABLE ran (what text, at timestamptz DEFAULT clock_timestamp());
CREATE FUNCTION note(what text) RETURNS void LANGUAGE sql AS 'insert into public.ran values ($1)';
CREATE FUNCTION note_locked(what text) RETURNS void LANGUAGE sql AS 'insert into public.ran select $1 from pg_advisory_xact_lock_shared(1)';
SQL

sub sql { return $node->safe_psql('postgres', $_[0]) }
sub submit { my ($sql, $options) = @_; return sql("SELECT bg.submit(\$j\$$sql\$j\$, null, '" . ($options // '{}') . "')") }
sub ended { my ($id) = @_; return sql("SELECT bg.wait_job($id, 60)") }

# Many that wait, of which some have run already.
for my $mode ('fast', 'immediate')
{
	sql("TRUNCATE ran; SELECT bg.jobs_pause()");
	sql("SELECT count(bg.submit('select note(\$1)', jsonb_build_array(n::text))) FROM generate_series(1, 10000) n");
	sql('SELECT bg.jobs_resume()');
	ok($node->poll_query_until('postgres', 'SELECT count(*) > 100 FROM ran'), "$mode: some of 10,000 jobs run");
	$node->stop($mode);
	$node->start;
	ok($node->poll_query_until('postgres', 'SELECT NOT EXISTS (SELECT FROM bg.job)'), "$mode: the others run after the start of the server");
	is(sql('SELECT count(*), count(DISTINCT what) FROM ran'), '10000|10000', "$mode: each once");
}

# Runs that were missed while the server was down: one for all of them, and the next one is to come.
sql('TRUNCATE ran');
my %every = (line => submit("select note('line')", '{"every": "0 * * * *"}'), span => submit("select note('span')", '{"every": "1 h"}'));
sql('UPDATE bg.job SET run_at = run_at - interval \'5 days\' WHERE every IS NOT NULL');
$node->restart;
ok($node->poll_query_until('postgres', 'SELECT count(DISTINCT what) = 2 FROM ran'), 'runs that were missed come after the start');
for my $kind (sort keys %every)
{
	ok($node->poll_query_until('postgres', "SELECT state = 'scheduled' AND run_at BETWEEN now() AND now() + interval '1 h' FROM bg.jobs WHERE id = $every{$kind}"), "$kind: the next one is to come");
	is(sql("SELECT count(*) FROM ran WHERE what = '$kind'"), '1', "$kind: it has run once");
	is(sql("SELECT count(*) FROM bg.job_runs WHERE id = $every{$kind}"), '1', "$kind: which the history has");
	sql("SELECT bg.cancel_job($every{$kind})");
	is(ended($every{$kind}), 'cancelled', "$kind: it ends");
}

# A dump while jobs are submitted and run: what it has is one state, in which each job waits or has had its effect.
sql('TRUNCATE ran; TRUNCATE bg.job_done');
sql('CREATE TABLE submitted (n int)');
my $load = new_psql($node);
ask_later($load, q{DO $$ BEGIN FOR n IN 1 .. 100000 LOOP
	INSERT INTO submitted VALUES (n);
	PERFORM bg.submit('select note($1)', jsonb_build_array(n::text));
	COMMIT;
	EXIT WHEN EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711);
END LOOP; END $$});
ok($node->poll_query_until('postgres', 'SELECT count(*) > 100 FROM ran'), 'jobs are submitted and run');
my $dump = $node->basedir . '/dump';
$node->command_ok([ 'pg_dump', '-Fc', '-f', $dump, $node->connstr('postgres') ], 'pg_dump meanwhile');
my $stopper = new_psql($node);
$stopper->query_safe('SELECT pg_advisory_lock(4711)');
$load->query_safe('SELECT 1');
$_->quit for $load, $stopper;
sql('CREATE DATABASE restored TEMPLATE template0');
$node->command_ok([ 'pg_restore', '--exit-on-error', '-d', $node->connstr('restored'), $dump ], 'it is restored');
my $balance = q{SELECT count(*) > 100 AND count(*) = (SELECT count(*) FROM bg.job) + (SELECT count(*) FROM ran)
	AND (SELECT count(*) FROM ran) = (SELECT count(*) FROM bg.job_done WHERE state = 'd') FROM submitted};
is($node->safe_psql('restored', $balance), 't', 'each job waits or has had its effect');
$node->safe_psql('restored', q{SELECT bg.submit('select note(''new'')')});
is($node->safe_psql('restored', q{SELECT string_agg(DISTINCT state, ' ') FROM bg.jobs WHERE ended_at IS NULL}), 'held', 'those that wait are held');
$node->safe_psql('restored', 'SELECT bg.jobs_adopt()');
ok($node->poll_query_until('restored', 'SELECT NOT EXISTS (SELECT FROM bg.job)'), 'until they are adopted');
is($node->safe_psql('restored', q{SELECT (SELECT count(*) + 1 FROM submitted) = count(*), count(*) = count(DISTINCT what) FROM ran}), 't|t', 'then each runs once');
sql('DROP DATABASE restored WITH (FORCE)');

# The right to connect goes while jobs wait, and while one runs.
my $holder = new_psql($node);
$holder->query_safe('SELECT pg_advisory_lock(1)');
sql('CREATE ROLE worker LOGIN; GRANT USAGE ON SCHEMA bg TO worker; GRANT INSERT ON ran TO worker; GRANT CONNECT ON DATABASE postgres TO worker; REVOKE CONNECT ON DATABASE postgres FROM PUBLIC');
my $running = sql("SET ROLE worker; SELECT bg.submit('select note_locked(''running'')')");
ok($node->poll_query_until('postgres', "SELECT state = 'running' FROM bg.jobs WHERE id = $running"), 'a job of a role runs');
sql('REVOKE CONNECT ON DATABASE postgres FROM worker');
my $waiting = sql("SET ROLE worker; SELECT bg.submit('select note(''waiting'')')");
ok($node->poll_query_until('postgres', "SELECT state = 'held' FROM bg.jobs WHERE id = $waiting"), 'one that waits is held');
like(sql("SELECT reason FROM bg.jobs WHERE id = $waiting"), qr/worker.*connect/i, 'and it is said why');
$holder->query_safe('SELECT pg_advisory_unlock(1)');
is(ended($running), 'done', 'one that runs when its role may not connect any more ends');
sql('GRANT CONNECT ON DATABASE postgres TO worker, PUBLIC');
is(ended($waiting), 'done', 'until the role may connect');

# The extension is dropped while a job runs: that has done nothing, or all, and the scheduler goes.
$holder->query_safe('SELECT pg_advisory_lock(1)');
sql('TRUNCATE ran');
$running = submit("select note_locked('dropped')");
ok($node->poll_query_until('postgres', "SELECT state = 'running' FROM bg.jobs WHERE id = $running"), 'a job runs');
my $dropper = new_psql($node);
ask_later($dropper, 'DROP EXTENSION pllua_bg_jobs');
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE query LIKE 'DROP EXTENSION pllua_bg_jobs%' AND (state = 'idle' OR wait_event_type = 'Lock')}), 'the extension is dropped meanwhile');
$holder->query_safe('SELECT pg_advisory_unlock(1)');
$dropper->query_safe('SELECT 1');
is(sql(q{SELECT count(*) FROM pg_extension WHERE extname = 'pllua_bg_jobs'}), '0', 'it is gone');
ok($node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type IN ('pllua_bg jobs', 'pllua_bg session')}), 'and all processes are');
$_->quit for $dropper, $holder;
sql('CREATE EXTENSION pllua_bg_jobs');
is(ended(submit("select note('created')")), 'done', 'it is created again, and jobs run');

# The primary is lost while a job runs: the standby, promoted, runs it, without being told to.
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
sql('TRUNCATE ran');
$holder = new_psql($node);
$holder->query_safe('SELECT pg_advisory_lock(1)');
$running = submit("select note_locked('running')");
my $later = submit("select note('later')", '{"delay": "1 s"}');
ok($node->poll_query_until('postgres', "SELECT state = 'running' FROM bg.jobs WHERE id = $running"), 'a job runs on the primary');
is(ended($later), 'done', 'another one is done there');
$node->wait_for_catchup($standby);
server_log_is_clean($node);
$node->stop('immediate');
$standby->promote;
is($standby->safe_psql('postgres', "SELECT bg.wait_job($running, 60)"), 'done', 'it runs on the standby that takes its place');
is($standby->safe_psql('postgres', q{SELECT string_agg(what, ' ' ORDER BY what) FROM ran}), 'later running', 'each has had its effect once');
server_log_is_clean($standby);
$standby->stop;
done_testing();
