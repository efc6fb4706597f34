# Which job runs when, and what becomes of it: keys, times, priorities, limits, orders, jobs after jobs, roles that may not.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

my $node = new_node('policy', "shared_preload_libraries = 'pllua_bg'\nmax_worker_processes = 16\nsynchronous_commit = off\n");
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION pllua_bg;
CREATE EXTENSION pllua_bg_jobs;
CREATE TABLE done (n int GENERATED ALWAYS AS IDENTITY, what text, pid int DEFAULT pg_backend_pid());
CREATE TABLE running (what text);
CREATE FUNCTION note(what text) RETURNS void LANGUAGE sql AS 'insert into public.done (what) values ($1)';
CREATE FUNCTION wait_for(lock int) RETURNS void LANGUAGE sql AS 'select pg_advisory_xact_lock_shared($1)';
SQL
my $holder = new_psql($node);

sub sql { return $node->safe_psql('postgres', $_[0]) }
sub submit { my ($sql, $options) = @_; return sql("SELECT bg.submit(\$j\$$sql\$j\$, null, '" . ($options // '{}') . "')") }
sub ended { my ($id) = @_; return sql("SELECT bg.wait_job($id, 60)") }
sub hold { return $holder->query_safe('SELECT pg_advisory_lock(1)') }
sub release { return $holder->query_safe('SELECT pg_advisory_unlock(1)') }
sub state_of { my ($id) = @_; return sql("SELECT state FROM bg.jobs WHERE id = $id") }
sub reaches { my ($id, $state, $test) = @_; return ok($node->poll_query_until('postgres', "SELECT state = '$state' FROM bg.jobs WHERE id = $id"), $test) }
sub noted { my $list = sql("SELECT coalesce(string_agg(what, ' ' ORDER BY n), '') FROM done"); sql('TRUNCATE done'); return $list }

# Priorities.
sql('SELECT bg.jobs_pause()');
my @ids = map { submit("select note(''$_'')" =~ s/''/'/gr, "{\"priority\": $_, \"queue\": \"one\"}") } (5, -3, 0, 7, -3);
sql("SELECT bg.queue('one', 1)");
sql('SELECT bg.jobs_resume()');
ended($_) for @ids;
is(noted(), '-3 -3 0 5 7', 'smaller priorities run first');

# Keys.
hold();
my $first = submit('select wait_for(1)', '{"key": "k"}');
reaches($first, 'running', 'one of a key runs');
my $second = submit("select note('second')", '{"key": "k"}');
my $third = submit("select note('third')", '{"key": "k", "mode": "replace"}');
my $fourth = submit("select note('fourth')", '{"key": "k", "mode": "keep"}');
my $fifth = submit("select note('fifth')", '{"key": "k", "mode": "unique"}');
is(ended($second), 'superseded', 'replace: the one that has waited makes way');
is(ended($fourth), 'superseded', 'keep: the new one goes');
is(ended($fifth), 'superseded', 'unique: the new one goes');
isnt(state_of($third), 'running', 'one of a key at a time');
release();
is(ended($third), 'done', 'then the one that waits runs');
is(noted(), 'third', 'and no other');
is(sql("SELECT string_agg(superseded_by::text, ' ' ORDER BY id) FROM bg.job_done WHERE state = 's'"), "$third $third $third", 'it is said by which one');

# Times.
my $later = submit("select note('later')", '{"delay": "1 hour"}');
reaches($later, 'scheduled', 'a job of later waits');
sql("SELECT bg.run_job_now($later)");
is(ended($later), 'done', 'and runs when it is told to');
is(ended(submit("select note('soon')", '{"delay": "0.2 s"}')), 'done', 'a job of later runs when its time comes');
is(noted(), 'later soon', 'both did');
my $often = submit("select note('tick')", '{"every": "1 s", "key": "often"}');
ok($node->poll_query_until('postgres', "SELECT count(*) >= 3 FROM done WHERE what = 'tick'"), 'a job that recurs');
is(sql("SELECT count(*) FROM bg.jobs WHERE key = 'often' AND state NOT IN ('done', 'superseded')"), '1', 'is one row');
sql("SELECT bg.cancel_job($often)");
is(ended($often), 'cancelled', 'until it is cancelled');
noted();
my $fails = submit('select 1/0', '{"every": "1 s", "attempts": 1}');
ok($node->poll_query_until('postgres', "SELECT count(*) >= 2 FROM bg.job_done WHERE id = $fails AND state = 'f'"), 'a schedule outlives its failures');
sql("SELECT bg.cancel_job($fails)");
ended($fails);

# Clocks that change, as the server has them: forward on 29 March at 01:00 UTC, back on 25 October at 01:00 UTC.
is(sql(<<'SQL'), <<'TIMES' =~ s/\n\z//r, 'schedules go by the clock of the zone');
SELECT every, bg.next_run(every, at::timestamptz, zone) AT TIME ZONE 'UTC' FROM (VALUES
    ('30 2 * * *', '2026-03-28 22:00 UTC', 'Europe/Berlin'),
    ('30 2 * * *', '2026-03-29 01:30 UTC', 'Europe/Berlin'),
    ('*/10 * * * *', '2026-03-29 00:50 UTC', 'Europe/Berlin'),
    ('30 2 * * *', '2026-10-24 22:00 UTC', 'Europe/Berlin'),
    ('30 2 * * *', '2026-10-25 00:30 UTC', 'Europe/Berlin'),
    ('30 2 * * *', '2026-10-25 01:15 UTC', 'Europe/Berlin'),
    ('*/10 * * * *', '2026-10-25 00:50 UTC', 'Europe/Berlin'),
    ('0 3 * * *', '2026-10-25 00:00 UTC', 'Europe/Berlin'),
    ('45 1 * * *', '2026-04-04 14:00 UTC', 'Australia/Lord_Howe'),
    ('45 1 * * *', '2026-04-04 14:45 UTC', 'Australia/Lord_Howe'),
    ('15 2 * * *', '2026-04-04 14:00 UTC', 'Australia/Lord_Howe'),
    ('0 0 * * *', '2026-07-01 00:00 UTC', 'Asia/Kathmandu')) v (every, at, zone);
SQL
30 2 * * *|2026-03-29 01:30:00
30 2 * * *|2026-03-30 00:30:00
*/10 * * * *|2026-03-29 01:00:00
30 2 * * *|2026-10-25 00:30:00
30 2 * * *|2026-10-26 01:30:00
30 2 * * *|2026-10-26 01:30:00
*/10 * * * *|2026-10-25 01:00:00
0 3 * * *|2026-10-25 02:00:00
45 1 * * *|2026-04-04 14:45:00
45 1 * * *|2026-04-05 15:15:00
15 2 * * *|2026-04-04 15:45:00
0 0 * * *|2026-07-01 18:15:00
TIMES

# Failures.
my $broken = submit('select 1/count(*) from done', '{"attempts": 2, "backoff": 0.1}');
is(ended($broken), 'failed', 'a job that fails is tried again, and given up');
is(sql("SELECT jsonb_array_length(errors), error ->> 'sqlstate', error ->> 'message' FROM bg.job_done WHERE id = $broken"), '2|22012|division by zero', 'its errors are kept');
is(sql("SELECT started_at BETWEEN submitted_at AND ended_at AND pid > 0 FROM bg.job_done WHERE id = $broken"), 't', 'and when the last attempt was');
sql("INSERT INTO done (what) VALUES ('a'), ('b')");
sql("SELECT bg.retry_job($broken)");
is(ended($broken), 'done', 'and it can be retried');
noted();
sql('CREATE TABLE gone (i int)');
sql('SELECT bg.jobs_pause()');
my $missing = submit('select * from gone');
sql('DROP TABLE gone');
sql('SELECT bg.jobs_resume()');
is(ended($missing), 'failed', 'an error of the statement is final');
is(sql("SELECT jsonb_array_length(errors), error ->> 'sqlstate' FROM bg.job_done WHERE id = $missing"), '1|42P01', 'at its first run');
my $slow = submit('select pg_sleep(600)', '{"timeout": 0.2, "attempts": 1}'); # -- workload
is(ended($slow), 'failed', 'a job has a timeout');
is(sql("SELECT error ->> 'sqlstate' FROM bg.job_done WHERE id = $slow"), '57014', 'which is an error of it');

# Orders.
hold();
my $runs = submit('select wait_for(1)');
reaches($runs, 'running', 'a job runs');
my $waits = submit("select note('never')", '{"delay": "1 hour"}');
sql("SELECT bg.cancel_job($runs), bg.cancel_job($waits)");
is(ended($runs), 'cancelled', 'a job that runs is cancelled');
is(ended($waits), 'cancelled', 'and one that waits');
release();
is(sql('SELECT count(*) FROM bg.job_order'), '0', 'no order is left');
sql("SELECT bg.retry_job($waits)");
is(ended($waits), 'done', 'a job that was cancelled is done after all');
is(noted(), 'never', 'at once');

# No limit is exceeded.
sql(<<'SQL');
CREATE FUNCTION count_running(limited text, most int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF NOT pg_try_advisory_xact_lock(7, hashtext(limited)) THEN
        INSERT INTO public.done (what) VALUES ('too many of ' || limited);
    END IF;
END $$;
SQL
sql(q{SELECT count(bg.submit(format('select count_running(%L, 1)', 'l' || n % 5), null, jsonb_build_object('limit_key', 'l' || n % 5, 'limit', 1))) FROM generate_series(1, 10000) n});
ok($node->poll_query_until('postgres', "SELECT count(*) = 0 FROM bg.job"), '10,000 jobs with five limits run');
is(noted(), '', 'and no limit is exceeded');
hold();
@ids = map { submit('select wait_for(1)', '{"limit_key": "three", "limit": 3}') } 1 .. 6;
ok($node->poll_query_until('postgres', "SELECT count(*) = 3 FROM bg.jobs WHERE state = 'running'"), 'three run where three may');
my $beside = submit("select note('beside')");
is(ended($beside), 'done', 'others run beside them');
release();
is(ended($_), 'done', 'and all in the end') for @ids;
noted();

# Jobs after jobs.
hold();
my $top = submit("select wait_for(1)");
my $left = submit("select note('left')", "{\"after\": [$top]}");
my $right = submit("select note('right')", "{\"after\": [$top]}");
my $bottom = submit("select note('bottom')", "{\"after\": [$left, $right]}");
reaches($bottom, 'blocked', 'a job waits for others');
release();
is(ended($bottom), 'done', 'and runs after them');
like(noted(), qr/^(left right|right left) bottom$/, 'in this order');
is(ended(submit("select note('late')", "{\"after\": [$bottom, $top]}")), 'done', 'those may have ended before');
noted();
$top = submit('select 1/0', '{"attempts": 1}');
ended($top);
my $child = submit("select note('child')", "{\"after\": [$top]}");
my $stubborn = submit("select note('stubborn')", "{\"after\": [$top], \"after_failed\": \"run\"}");
my $grandchild = submit("select note('grandchild')", "{\"after\": [$child]}");
is(ended($grandchild), 'cancelled', 'what is after one that has failed is cancelled, and what is after that');
is(ended($stubborn), 'done', 'but for those who do not mind');
is(noted(), 'stubborn', 'no other has run');
like(sql("SELECT note FROM bg.job_done WHERE id = $child"), qr/job $top/, 'it is said why');

# A job before it may come again, be superseded once and again, before or after it is looked at, or leave no trace.
my $again = submit("select note('again')", '{"every": "1 s"}');
is(ended(submit("select note('once')", "{\"after\": [$again]}")), 'done', 'a job after one that comes again runs after its next run');
sql("SELECT bg.cancel_job($again)");
is(ended($again), 'cancelled', 'which comes no more');
noted();
for my $delay (0, 1)
{
	sql(<<"SQL");
DO \$\$
DECLARE replaced bigint;
BEGIN
	replaced := bg.submit('select note(''replaced'')', null, '{"key": "chain"}');
	PERFORM bg.submit('select note(''follower'')', null, jsonb_build_object('after', replaced));
	PERFORM bg.submit('select note(''replaced, too'')', null, '{"key": "chain"}');
	PERFORM bg.submit('select note(''chief'')', null, '{"key": "chain", "delay": $delay}');
END \$\$
SQL
	my $follower = sql(q{SELECT max(id) FROM bg.jobs WHERE sql LIKE '%follower%'});
	is(ended($follower), 'done', "a job follows those that take the place of the one before it (delay $delay)");
	is(noted(), 'chief follower', 'which run before it');
}
$top = submit('select 1/0', '{"attempts": 1, "keep": "none", "delay": 1}');
is(ended(submit("select note('never')", "{\"after\": [$top]}")), 'cancelled', 'one that fails and leaves no trace counts');
is(noted(), '', 'and what is after it does not run');

# Outside of a transaction.
my $vacuum = submit('vacuum done', '{"transaction": false}');
is(ended($vacuum), 'done', 'a job that cannot be in a transaction');
ok(sql("SELECT last_vacuum IS NOT NULL FROM pg_stat_user_tables WHERE relname = 'done'"), 'was done');
is(ended(submit('vacuum nothing_there', '{"transaction": false, "attempts": 1}')), 'failed', 'one that fails');
is(ended(submit("select note('after')")), 'done', 'others go on');
noted();

# Queues.
sql("SELECT bg.queue('slow', 1, true)");
my $paused = submit("select note('slow')", '{"queue": "slow"}');
is(ended(submit("select note('quick')")), 'done', 'a queue that is paused is no obstacle to others');
sql("SELECT bg.queue('slow', 1, false)");
is(ended($paused), 'done', 'until it goes on');
is(noted(), 'quick slow', 'in this order');

# Many in one transaction, more than the scheduler keeps in memory.
sql("SELECT count(bg.submit('select 1', null, '{\"keep\": \"none\"}')) FROM generate_series(1, 30000)");
ok($node->poll_query_until('postgres', "SELECT count(*) = 0 FROM bg.job"), '30,000 of one transaction run');

# Sessions that somebody has ended.
my $scheduler = sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'pllua_bg jobs'");
for (1 .. 3)
{
	is(ended(submit("select note('before')")), 'done', 'there is an idle session');
	sql("SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE backend_type = 'pllua_bg session'");
	is(ended(submit("select note('after')")), 'done', 'when it was ended, another one takes its place');
}
is(sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'pllua_bg jobs'"), $scheduler, 'the scheduler goes on');
noted();

# A role that may not.
sql('CREATE ROLE worker LOGIN; GRANT USAGE ON SCHEMA bg TO worker; GRANT INSERT ON done TO worker; GRANT EXECUTE ON FUNCTION note(text) TO worker');
my $held = sql("SET ROLE worker; SELECT bg.submit('select note(session_user::text)')");
is(ended($held), 'done', 'a job of another role');
is(noted(), 'worker', 'runs as that role');
my $offset = -s $node->logfile;
sql('SELECT bg.jobs_pause()');
$held = sql("SET ROLE worker; SELECT bg.submit('select note(''held'')')");
sql('REVOKE USAGE ON SCHEMA bg FROM worker, PUBLIC; ALTER ROLE worker NOLOGIN');
sql('SELECT bg.jobs_resume()');
ok(wait_until(sub { slurp_file($node->logfile, $offset) =~ /WARNING:  jobs wait: role worker/ }), 'one whose role may not log in waits, and the log says so');
is(ended(submit("select note('mine')")), 'done', 'jobs of others run');
sql('GRANT USAGE ON SCHEMA bg TO worker; ALTER ROLE worker LOGIN');
is(ended($held), 'done', 'until it may again');
is((() = slurp_file($node->logfile, $offset) =~ /WARNING:  jobs wait/g), 1, 'the log says that once');

# Somebody writes to the row of a job that ends: the job has to end the row that it has begun with, or has done nothing.
noted();
sql('CREATE SEQUENCE runs');
for my $case (['update', "UPDATE bg.job SET priority = 1 WHERE id = %d", 2], ['lock', "SELECT 1 FROM bg.job WHERE id = %d FOR UPDATE", 1]) {
    my ($what, $statement, $runs) = @$case;
    sql('ALTER SEQUENCE runs RESTART');
    hold();
    my $job = submit("select wait_for(1), note(nextval(''runs'')::text)" =~ s/''/'/gr);
    reaches($job, 'running', "a job whose row is to see an $what runs");
    my $writer = new_psql($node);
    $writer->query_safe('BEGIN; ' . sprintf($statement, $job));
    release();
    ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type LIKE 'pllua_bg%' AND wait_event = 'transactionid'"), 'it waits for who has the row');
    $writer->query_safe('COMMIT');
    $writer->quit;
    is(ended($job), 'done', 'then it is done');
    is(noted(), $runs, "in run $runs, whose effect is the only one");
}

# What a statement uses changes while a session that has a plan of it waits for that.
sql('CREATE TABLE target (a int)');
sub insert { return sql("SELECT bg.submit('insert into target values (\$1)', '[1]', '{\"attempts\": 1}')") }
ended(insert()) for 1 .. 10;
my $changer = new_psql($node);
$changer->query_safe('BEGIN; ALTER TABLE target ALTER a TYPE text');
$offset = -s $node->logfile;
my $behind = insert();
ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_locks WHERE relation = 'target'::regclass AND NOT granted"), 'a job waits for a table that is being changed');
$changer->query_safe('COMMIT');
$changer->quit;
is(ended($behind), 'done', 'then it is done');
is((() = slurp_file($node->logfile, $offset) =~ /ERROR:  what the statement of the job uses has changed meanwhile/g), 1, 'in a second run');
is(sql("SELECT count(*), count(DISTINCT a), pg_typeof(min(a)) FROM target"), '11|1|text', 'once, with the type that is there now');

server_log_is_clean($node);
$node->stop;

# No room for a session: jobs wait, and the log says so once a minute.
$node->append_conf('postgresql.conf', "max_worker_processes = 2\nmax_logical_replication_workers = 0\n");
$node->start;
$offset = -s $node->logfile;
my $short = submit("select note('short')");
ok(wait_until(sub { slurp_file($node->logfile, $offset) =~ /WARNING:  jobs wait because no session can be started/ }), 'without a slot for a session jobs wait, and the log says so');
is(sql("SELECT bg.wait_job($short, 3)"), '', 'and goes on waiting');
is((() = slurp_file($node->logfile, $offset) =~ /WARNING:  jobs wait/g), 1, 'the log says it once');
sql("SELECT bg.cancel_job($short)");
is(ended($short), 'cancelled', 'such a job can be cancelled');
$node->stop;
done_testing();
