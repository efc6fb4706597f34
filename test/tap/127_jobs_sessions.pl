# What a job meets in its session, and in the server: what another one has left there, conflicts with others, timeouts of statements, arguments of 5 MB.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

# One session at a time: what was left behind would be found.
my $node = new_node('sessions', "shared_preload_libraries = 'pllua_bg'\nmax_worker_processes = 16\npllua_bg.job_workers = 1\ndeadlock_timeout = '50ms'\nsynchronous_commit = off\n");
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION pllua_bg;
CREATE EXTENSION pllua_bg_jobs;
CREATE ROLE one LOGIN;
CREATE ROLE two LOGIN;
GRANT USAGE ON SCHEMA bg TO one, two;
GRANT CREATE ON SCHEMA public TO one;
CREATE FUNCTION leave_behind() RETURNS int LANGUAGE plpgsql AS $$
BEGIN
	CREATE TEMP TABLE left_behind AS SELECT 1 AS a;
	PERFORM pg_advisory_lock(99);
	SET work_mem = '1234kB';
	SET ROLE NONE;
	PERFORM set_config('my.setting', 'left behind', false);
	EXECUTE 'PREPARE left_behind AS SELECT 1';
	EXECUTE 'DECLARE left_behind CURSOR WITH HOLD FOR SELECT 1';
	RETURN pg_backend_pid();
END $$;
CREATE FUNCTION find() RETURNS text LANGUAGE sql AS $$
	SELECT concat_ws(' ', CASE WHEN to_regclass('pg_temp.left_behind') IS NOT NULL THEN 'table' END,
		CASE WHEN EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = 99) THEN 'lock' END,
		CASE WHEN current_setting('work_mem') = '1234kB' THEN 'setting' END,
		CASE WHEN current_setting('my.setting', true) <> '' THEN 'made up setting' END,
		(SELECT 'statement' FROM pg_prepared_statements WHERE name = 'left_behind'),
		(SELECT 'cursor' FROM pg_cursors WHERE name = 'left_behind'),
		CASE WHEN current_user <> session_user THEN 'role' END)
$$;
SQL

sub sql { return $node->safe_psql('postgres', $_[0]) }
sub submit { my ($role, $sql, $options) = @_; return sql("SET ROLE $role; SELECT bg.submit(\$j\$$sql\$j\$, null, '" . ($options // '{}') . "')") }
sub ended { my ($id) = @_; return sql("SELECT bg.wait_job($id, 60)") }
sub result { my ($id) = @_; return sql("SELECT bg.job_result($id) #>> '{}'") }

for my $outside (0, 1)
{
	my $options = $outside ? '{"transaction": false}' : '{}';
	my $what = $outside ? 'in no transaction' : 'in a transaction';
	my $leaver = submit('one', 'select leave_behind()', $options);
	is(ended($leaver), 'done', "$what: a job leaves much behind");
	my $finder = submit('two', 'select find()');
	is(ended($finder), 'done', "$what: the next one is of another role");
	is(result($finder), '', "$what: which finds nothing");
	is(sql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 99"), '0', "$what: nor is a lock left");
	# The same role: where one could count on it, it would be seen in the same session.
	ended($leaver = submit('one', 'select leave_behind()', $options));
	$finder = submit('one', 'select find()');
	is(ended($finder), 'done', "$what: the next one is of the same role");
	is(result($finder), $outside ? '' : 'table lock statement cursor', "$what: which finds what the documentation says");
	sql("SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE backend_type = 'pllua_bg session'");
}

# Real conflicts: who meets one is run again at once, and has done its work once.
sql(<<'SQL');
ALTER SYSTEM SET pllua_bg.job_workers = 4;
SELECT pg_reload_conf();
CREATE TABLE account (id int PRIMARY KEY, amount int);
INSERT INTO account VALUES (1, 0), (2, 0);
CREATE SEQUENCE tries;
CREATE FUNCTION take_both(first int, second int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM nextval('tries');
	UPDATE account SET amount = amount + 1 WHERE id = first;
	PERFORM pg_advisory_xact_lock_shared(1);
	UPDATE account SET amount = amount + 1 WHERE id = second;
END $$;
SQL
my $holder = new_psql($node);
$holder->query_safe('SELECT pg_advisory_lock(1)');
my @ids = (submit('postgres', 'select take_both(1, 2)', '{"attempts": 1}'), submit('postgres', 'select take_both(2, 1)', '{"attempts": 1}'));
ok($node->poll_query_until('postgres', q{SELECT count(*) = 2 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted}), 'two jobs have each what the other one wants');
$holder->query_safe('SELECT pg_advisory_unlock(1)');
is(ended($ids[0]) . ' ' . ended($ids[1]), 'done done', 'a deadlock is no attempt: both are done');
is(sql('SELECT string_agg(amount::text, $$ $$ ORDER BY id) FROM account'), '2 2', 'once');
cmp_ok(sql('SELECT last_value FROM tries'), '>', 2, 'one of them had another try');

sql(q{CREATE FUNCTION conflicts(most int) RETURNS int LANGUAGE plpgsql AS $$
DECLARE try int := nextval('tries');
BEGIN
	UPDATE account SET amount = amount + 1 WHERE id = 1;
	IF try <= most THEN RAISE serialization_failure; END IF;
	RETURN try;
END $$});
for my $case ([3, 'done'], [4, 'failed'])
{
	my ($conflicts, $end) = @$case;
	sql('ALTER SEQUENCE tries RESTART; UPDATE account SET amount = 0');
	my $job = submit('postgres', "select conflicts($conflicts)", '{"attempts": 1, "backoff": 3600}');
	is(ended($job), $end, "$conflicts conflicts: $end");
	is(sql('SELECT last_value, (SELECT amount FROM account WHERE id = 1) FROM tries'), '4|' . ($end eq 'done' ? 1 : 0), 'after four tries');
}
is(sql(q{SELECT error ->> 'sqlstate' FROM bg.jobs WHERE state = 'failed'}), '40001', 'with the error of the conflict');

# Each of many jobs runs into a timeout of its statement, at any place, and is tried until it does not: once, each.
sql(<<'SQL');
CREATE TABLE effect (n int);
CREATE FUNCTION now_and_then(n int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO effect VALUES (n);
	PERFORM set_config('statement_timeout', (1 + n % 3)::text, true);
	PERFORM count(*) FROM generate_series(1, (random() * 40000)::int);
END $$;
SELECT count(bg.submit('select now_and_then($1)', jsonb_build_array(n), '{"timeout": 0.004, "attempts": 1000, "backoff": 0.001}')) FROM generate_series(1, 2000) n;
SQL
ok($node->poll_query_until('postgres', 'SELECT NOT EXISTS (SELECT FROM bg.job)'), 'timeouts in plenty: all ends');
is(sql('SELECT count(*), count(DISTINCT n) FROM effect'), '2000|2000', 'each job has had its effect once');
is(sql(q{SELECT count(*) FROM bg.jobs WHERE state = 'done' AND sql LIKE 'select now%'}), '2000', 'and is done');
cmp_ok(sql(q{SELECT count(*) FROM bg.jobs WHERE sql LIKE 'select now%' AND attempt > 1}), '>=', 20, 'many were tried more than once');

# Much to take along.
my $large = sql(q{SELECT bg.submit('select md5($1), length($1), length($2::text)', jsonb_build_array(repeat('x', 5 * 1024 * 1024), jsonb_agg(n))) FROM generate_series(1, 300000) n});
is(ended($large), 'done', 'a job with 5 MB of arguments');
is(sql("SELECT bg.job_result($large) ->> 'md5' = md5(repeat('x', 5 * 1024 * 1024))"), 't', 'gets them all');
is(sql("SELECT length(args ->> 0) FROM bg.jobs WHERE id = $large"), '5242880', 'and the history has them');

$holder->quit;
server_log_is_clean($node);
$node->stop;
done_testing();
