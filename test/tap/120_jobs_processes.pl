# The processes of durable jobs: they come when there is something to do and go when there is nothing; they come again when they are
# killed; nothing that was submitted is forgotten, whatever ends when.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

my $node = new_node('processes', "shared_preload_libraries = 'pllua_bg'\nmax_worker_processes = 16\nmax_prepared_transactions = 4\npllua_bg.job_linger = 0\npllua_bg.job_idle = 1\nrestart_after_crash = on\n");
my $jobs = <<'SQL';
CREATE EXTENSION pllua_bg;
CREATE EXTENSION pllua_bg_jobs;
CREATE TABLE done (what text, pid int DEFAULT pg_backend_pid());
SQL
$node->safe_psql('postgres', $jobs);
my $watcher = new_psql($node);

sub process_of
{
	my ($type) = @_;
	return $watcher->query_safe("SELECT pid FROM pg_stat_activity WHERE backend_type = '$type'");
}

# Submits a statement that notes `what`; waits for it; a test.
sub runs
{
	my ($what, $test, $database) = @_;
	my $id = $node->safe_psql($database // 'postgres', "SELECT bg.submit('insert into public.done(what) values ($what)', '[\"$what\"]')" =~ s/values \(\Q$what\E\)/values (\$1)/r);
	return is($node->safe_psql($database // 'postgres', "SELECT bg.wait_job($id)"), 'done', $test);
}

# Keeps the scheduler there, or lets it go as soon as it has nothing to do.
sub linger
{
	my ($seconds) = @_;
	$node->safe_psql('postgres', "ALTER SYSTEM SET pllua_bg.job_linger = $seconds; SELECT pg_reload_conf()");
	return;
}

# They come and go.
my $offset = -s $node->logfile;
ok(wait_until(sub { process_of('pllua_bg launcher') ne '' }), 'there is a launcher');
is(process_of('pllua_bg jobs'), '', 'and no scheduler while there are no jobs');
runs('first', 'a job runs when it was submitted');
ok(wait_until(sub { process_of('pllua_bg jobs') eq '' }), 'the scheduler goes when there is nothing to do');
no_workers_left($node, 'without a scheduler');
runs("again $_", "another one comes for the next job, $_") for 1 .. 20;
is($node->safe_psql('postgres', 'SELECT count(*), count(DISTINCT what) FROM done'), '21|21', 'each has run once');
unlike(slurp_file($node->logfile, $offset), qr/ERROR|WARNING|FATAL/, 'nobody is told of that');

# What is announced while a scheduler is about to go is not lost.
SKIP:
{
	skip 'built without fault points', 2 if !has_fault_points($node);
	set_fault($node, 'jobs-retire=wait');
	my $id = $node->safe_psql('postgres', q{SELECT bg.submit('insert into done values (''before'')')});
	$node->safe_psql('postgres', "SELECT bg.wait_job($id)");
	ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'pllua_bg jobs' AND wait_event_type = 'Extension'}), 'a scheduler is held where it is about to go');
	$id = $node->safe_psql('postgres', q{SELECT bg.submit('insert into done values (''meanwhile'')')});
	set_fault($node, '');
	is($node->safe_psql('postgres', "SELECT bg.wait_job($id)"), 'done', 'what was announced meanwhile runs');
}

# Killed ones come again. The attempts of a job do not count that.
linger(60);
runs('lingers', 'a scheduler that lingers');
my $scheduler = process_of('pllua_bg jobs');
isnt($scheduler, '', 'is there');
my $held = new_psql($node);
$held->query_safe('SELECT pg_advisory_lock(1)');
my $id = $node->safe_psql('postgres', q{SELECT bg.submit('insert into done select ''locked'' from pg_advisory_xact_lock(1)')});
ok($node->poll_query_until('postgres', "SELECT state = 'running' FROM bg.jobs WHERE id = $id"), 'a job runs');
ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'pllua_bg session' AND application_name = 'job $id'"), 'and says which it is');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($scheduler)");
ok(wait_until(sub { process_of('pllua_bg jobs') !~ /^$scheduler?$/ }), 'a scheduler that was terminated has a successor');
ok($node->poll_query_until('postgres', "SELECT s.state = 'running' AND j.attempt = 0 FROM bg.jobs s JOIN bg.job j USING (id) WHERE id = $id"), 'its job runs again');
my $launcher = process_of('pllua_bg launcher');
$scheduler = process_of('pllua_bg jobs');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($launcher)");
ok(wait_until(sub { process_of('pllua_bg launcher') !~ /^($launcher)?$/ }), 'a launcher that was terminated has a successor');
# The new launcher may have begun another one, which goes when it finds this one.
like(process_of('pllua_bg jobs'), qr/^$scheduler$/m, 'the scheduler goes on meanwhile');
$node->safe_psql('postgres', "SELECT pg_terminate_backend(pid) FROM bg.jobs WHERE id = $id");
ok($node->poll_query_until('postgres', "SELECT j.attempt = 1 AND s.error ->> 'sqlstate' = '08006' FROM bg.jobs s JOIN bg.job j USING (id) WHERE id = $id"), 'a worker that is terminated is a failure of its job');
$node->safe_psql('postgres', "SELECT bg.run_job_now($id)");
$held->quit;
is($node->safe_psql('postgres', "SELECT bg.wait_job($id)"), 'done', 'which runs again');
is($node->safe_psql('postgres', q{SELECT count(*) FROM done WHERE what = 'locked'}), '1', 'and has been done once');
$node->safe_psql('postgres', "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'pllua_bg jobs'");
runs('after it', 'what is submitted while there is no scheduler');

# Who waits for a job is told by the next scheduler.
$held = new_psql($node);
$held->query_safe('SELECT pg_advisory_lock(1)');
$id = $node->safe_psql('postgres', q{SELECT bg.submit('select pg_advisory_xact_lock(1)')});
ok($node->poll_query_until('postgres', "SELECT state = 'running' FROM bg.jobs WHERE id = $id"), 'a job runs');
my $waiting = new_psql($node);
ask_later($waiting, "SELECT bg.wait_job($id)");
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE query LIKE 'SELECT bg.wait_job%' AND wait_event = 'MessageQueueReceive'}), 'somebody waits for it');
$scheduler = process_of('pllua_bg jobs');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($scheduler)");
ok(wait_until(sub { process_of('pllua_bg jobs') !~ /^($scheduler)?$/ }), 'the scheduler is another one');
$held->quit;
is($waiting->query_safe('SELECT 1'), "done\n1", 'who waits learns of the end');
$waiting->quit;

# More is announced than a ring holds, one by one and at once, while nobody takes it.
$scheduler = process_of('pllua_bg jobs');
my $most = $node->safe_psql('postgres', 'SELECT max(id) FROM bg.job_done');
kill 'STOP', $scheduler;
$node->safe_psql('postgres', q{DO $$ BEGIN FOR i IN 1 .. 4500 LOOP PERFORM bg.submit('insert into done values (''flood'')'); COMMIT; END LOOP; END $$});
$node->safe_psql('postgres', q{SELECT bg.submit('insert into done values (''flood'')') FROM generate_series(1, 500)});
kill 'CONT', $scheduler;
ok($node->poll_query_until('postgres', q{SELECT count(*) = 5000 FROM done WHERE what = 'flood'}), 'all of it runs');
ok($node->poll_query_until('postgres', 'SELECT count(*) = 0 FROM bg.job'), 'nothing is left');
is($node->safe_psql('postgres', "SELECT count(*), count(DISTINCT id) FROM bg.job_done WHERE id > $most"), '5000|5000', 'each once');

# A scheduler that fails again and again is started less and less often.
SKIP:
{
	skip 'built without fault points', 2 if !has_fault_points($node);
	set_fault($node, 'jobs-scheduler-call=error');
	$offset = -s $node->logfile;
	$node->safe_psql('postgres', "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'pllua_bg jobs'");
	ok(wait_until(sub { (() = slurp_file($node->logfile, $offset) =~ /fault point "jobs-scheduler-call"/g) >= 2 }), 'a scheduler that fails is started again');
	set_fault($node, '');
	runs('healthy', 'and when it does not fail any more jobs run');
}

# Prepared transactions.
$node->safe_psql('postgres', q{BEGIN; SELECT bg.submit('insert into done values (''prepared'')'); PREPARE TRANSACTION 'one'});
linger(0);
my ($stays) = (process_of('pllua_bg jobs'));
$node->safe_psql('postgres', q{COMMIT PREPARED 'one'});
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM done WHERE what = 'prepared'}), 'what a prepared transaction has submitted runs after its commit');
$node->safe_psql('postgres', q{BEGIN; SELECT bg.submit('insert into done values (''prepared before'')'); PREPARE TRANSACTION 'two'});
$node->restart;
$watcher = new_psql($node);
ok(wait_until(sub { process_of('pllua_bg jobs') ne '' }), 'after a restart there is a scheduler where there is a prepared transaction');
$node->safe_psql('postgres', q{COMMIT PREPARED 'two'});
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM done WHERE what = 'prepared before'}), 'and its jobs run');
$node->safe_psql('postgres', q{BEGIN; SELECT bg.submit('insert into done values (''never'')'); PREPARE TRANSACTION 'three'});
$node->safe_psql('postgres', q{ROLLBACK PREPARED 'three'});
ok(wait_until(sub { process_of('pllua_bg jobs') eq '' }), 'after the last one the scheduler goes');
is($node->safe_psql('postgres', q{SELECT count(*) FROM done WHERE what = 'never'}), '0', 'what was rolled back does not run');

# What waits when the server stops runs when it starts.
for my $mode ('fast', 'immediate')
{
	$node->safe_psql('postgres', "SELECT bg.jobs_pause()");
	$id = $node->safe_psql('postgres', "SELECT bg.submit('insert into done values (''$mode'')')");
	$node->stop($mode);
	$node->start;
	$watcher = new_psql($node);
	ok(wait_until(sub { process_of('pllua_bg jobs') ne '' }), "$mode: there is a scheduler where there are jobs");
	$node->safe_psql('postgres', "SELECT bg.jobs_resume()");
	is($node->safe_psql('postgres', "SELECT bg.wait_job($id)"), 'done', "$mode: the job runs");
}

# The extension is dropped.
linger(60);
runs('last', 'a scheduler is there');
$offset = -s $node->logfile;
$node->safe_psql('postgres', 'DROP EXTENSION pllua_bg_jobs');
ok(wait_until(sub { process_of('pllua_bg jobs') eq '' }), 'without the extension it goes');
unlike(slurp_file($node->logfile, $offset), qr/ERROR|WARNING|FATAL/, 'quietly');
$node->safe_psql('postgres', 'CREATE EXTENSION pllua_bg_jobs');
runs('created', 'and comes when it is created again');

# A process is killed by force: the server starts anew, and its jobs with it.
$held = new_psql($node);
$held->query_safe('SELECT pg_advisory_lock(1)');
$id = $node->safe_psql('postgres', q{SELECT bg.submit('insert into done select ''after a crash'' from pg_advisory_xact_lock(1)')});
ok($node->poll_query_until('postgres', "SELECT state = 'running' FROM bg.jobs WHERE id = $id"), 'a job runs');
$offset = -s $node->logfile;
kill 'KILL', $node->safe_psql('postgres', "SELECT pid FROM bg.jobs WHERE id = $id");
ok(wait_until(sub { slurp_file($node->logfile, $offset) =~ /database system is ready to accept connections/ }), 'its process is killed by force');
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM done WHERE what = 'after a crash'}), 'it runs again');
is($node->safe_psql('postgres', "SELECT bg.wait_job($id)"), 'done', 'and has ended');

server_log_is_clean($node, killed => 1);
$node->stop;
done_testing();
