# The table of all sessions of the cluster, on servers that preload the library: who sees what, the limit of a role, the counters; and
# that every entry is given back, however a worker ends. 157 runs all of it without preloading.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

my $slots = 8;
my $library = $ENV{WITHOUT_PRELOADING} ? '' : 'pllua_bg';
my $node = new_node('all', <<"CONF", extra => [ '--encoding=UTF8', '--locale=C' ]);
max_worker_processes = $slots
max_parallel_workers = 0
max_logical_replication_workers = 0
shared_preload_libraries = '$library'
pllua_bg.jobs = off
restart_after_crash = on
pllua_bg.pool_lifetime = 1h
CONF
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION pllua_bg;
CREATE ROLE alice LOGIN;
CREATE ROLE bob LOGIN;
CREATE ROLE reader LOGIN IN ROLE pg_read_all_stats;
CREATE ROLE signaler LOGIN IN ROLE pg_signal_backend;
GRANT USAGE ON SCHEMA bg TO PUBLIC;
CREATE TABLE gate (x int);
GRANT ALL ON gate TO PUBLIC;
CREATE DATABASE other;
SQL

# A backend of a role.
sub backend
{
	my ($role, $database) = @_;
	return new_psql($node, $database, '-U', $role);
}

# One query as a role; its output, or its error.
sub as
{
	my ($role, $query) = @_;
	my ($code, $out, $err) = $node->psql('postgres', $query, extra_params => [ '-U', $role ], on_error_stop => 1);
	return $code == 0 ? $out : $err;
}

sub quit
{
	foreach my $backend (@_) { eval { $backend->quit } }
}

sub await
{
	my ($condition, $name) = @_;
	ok($node->poll_query_until('postgres', "SELECT $condition"), $name);
}

my $superuser = $node->safe_psql('postgres', 'SELECT current_user');

# All entries are free when as many sessions as there are slots can be had; one entry that was lost would take one away.
sub table_is_free
{
	my ($name) = @_;
	no_workers_left($node, $name);
	my $backend = backend($superuser);
	my $opened = $backend->query_safe("SET pllua_bg.max_sessions = 100; SELECT count(bg.launch(wait => 10)) FROM generate_series(1, $slots)");
	is($opened, $slots, "$name: every entry is free");
	is($node->safe_psql('postgres', "SELECT count(*) FROM bg.sessions WHERE state = 'idle' OR state = 'starting'"), $slots, "$name: and is seen when taken");
	quit($backend);
	no_workers_left($node, "$name: the sessions go with their backend");
	is($node->safe_psql('postgres', 'SELECT count(*) FROM bg.sessions'), '0', "$name: and from the table");
}

# What is seen of a session through its life.
my $alice = backend('alice');
my $launcher = $alice->query_safe('SELECT pg_backend_pid()');
my $pid = $alice->query_safe("SELECT bg.launch('work')");
sub shown
{
	return "SELECT concat_ws(' ', name, role, state, transaction, queued, coalesce(sql, '-'), coalesce(error, '-'),
		launcher = $launcher, database, launched_at > now() - interval '1 hour', progress_done, progress_total, progress_message)
		FROM bg.sessions WHERE pid = $pid";
}
await("(${\ shown() }) = 'work alice idle I 0 - - t postgres t'", 'an idle session');
is($alice->query_safe(shown()), 'work alice idle I 0 - - t postgres t', 'its own backend sees the same');
my $locker = backend($superuser);
$locker->query_safe('BEGIN; LOCK TABLE gate; SELECT pg_advisory_xact_lock(7)');
$alice->query_safe("SELECT bg.run($pid, 'begin'), bg.wait($pid)");
is($node->safe_psql('postgres', shown()), 'work alice idle T 0 - - t postgres t', 'in a transaction');
$alice->query_safe("SELECT bg.run($pid, 'select bg.progress(2.5, 10, \$1)', 'a part'), bg.run($pid, 'lock table gate'), bg.run($pid, 'select 1')");
await("(${\ shown() }) = 'work alice busy T 2 lock table gate - t postgres t 2.5 10 a part'", 'busy, with a command to come');
$alice->query_safe("SELECT bg.cancel($pid), bg.wait($pid)");
is($node->safe_psql('postgres', shown()), 'work alice idle E 0 - current transaction is aborted, commands ignored until end of transaction block t postgres t 2.5 10 a part',
	'in a failed transaction');
$alice->query_safe("SELECT bg.run($pid, 'rollback'), bg.run($pid, 'prepare p as select 1'), bg.wait($pid)");

# A prepared statement shows its text; a long text is clipped at a character.
$alice->query_safe(q{DO LANGUAGE pllua_bg $$
	local s = bg.sessions()[1]
	local st = s:prepare('select pg_advisory_xact_lock($1) /* ' .. string.rep('ä', 1000) .. ' */')
	st:run(7)
$$});
await("(SELECT sql LIKE 'select pg_advisory_xact_lock(\$1)%ä' AND octet_length(sql) IN (1022, 1023) FROM bg.sessions WHERE pid = $pid)", 'a long prepared statement');

# Who sees it.
is(as('bob', shown()), 'alice <insufficient privilege> - t postgres', 'another role sees that there is one');
like(as('reader', shown()), qr/^work alice busy I 1 select pg_advisory/, 'pg_read_all_stats sees what it does');
like(as('alice', shown()), qr/^work alice busy I 1 select pg_advisory/, 'its role sees what it does');
is($node->safe_psql('other', "CREATE EXTENSION pllua_bg; SELECT count(*) FROM bg.sessions WHERE pid = $pid AND database = 'postgres'"), '1', 'other databases see it');

# Detached with work to do, it is a session until it has done it: for its own backend too.
$alice->query_safe("SELECT bg.detach($pid)");
like($node->safe_psql('postgres', shown()), qr/^work alice busy/, 'detached and not done');
like($alice->query_safe(shown()), qr/^work alice busy/, 'seen by the backend that let it go');
$locker->query_safe('COMMIT');
await("NOT EXISTS (${\ shown() })", 'it goes when it has done its work');
is($alice->query_safe(shown()), '', 'for its own backend too');

# A session in the pool is none.
$alice->query_safe(q{SET SESSION AUTHORIZATION alice; DO LANGUAGE pllua_bg $$ bg.autonomous('select 1') $$});
await("(SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'pllua_bg pool')", 'a session is in the pool');
is($node->safe_psql('postgres', 'SELECT count(*) FROM bg.sessions'), '0', 'it is not shown');
$pid = $alice->query_safe("SELECT bg.launch('again')");
is($node->safe_psql('postgres', shown()), 'again alice idle I 0 - - t postgres t', 'used again, it has nothing of its last use');
is($node->safe_psql('postgres', 'SELECT reused FROM bg.stat'), '1', 'it was used again');
quit($alice);

# The sessions of a map show how far it is, before its first item is done too.
my $mapper = backend('alice');
for my $work ("'select pg_advisory_xact_lock_shared(\$1)'", "function(s, item) s:exec('select pg_advisory_xact_lock_shared(\$1)', item) end")
{
	my $progress = "SELECT string_agg(DISTINCT concat_ws(' ', progress_done, progress_total, progress_message), ',') FROM bg.sessions WHERE name = 'long'";
	$locker->query_safe('BEGIN; SELECT pg_advisory_xact_lock(21), pg_advisory_xact_lock(22)');
	ask_later($mapper, "DO LANGUAGE pllua_bg \$\$ bg.map({21, 1, 2, 22}, $work, {name = 'long', workers = 2, progress = true}) \$\$");
	await("($progress) = '2 4 long'", 'both sessions of a map show what it has done');
	is(as('bob', $progress), '', 'not to everybody');
	$locker->query_safe('COMMIT');
	$mapper->query('SELECT 1');
	is($node->safe_psql('postgres', $progress), '', 'it has ended');
	$locker->query_safe('BEGIN; SELECT pg_advisory_xact_lock(21)');
	ask_later($mapper, "DO LANGUAGE pllua_bg \$\$ bg.map({21}, $work, {name = 'long', progress = true}) \$\$");
	await("($progress) = '0 1 long'", 'before the first item is done');
	$locker->query_safe('COMMIT');
	$mapper->query('SELECT 1');
}
quit($mapper);

# A job of on_commit is one.
$locker->query_safe('BEGIN; LOCK TABLE gate');
as('alice', "SELECT bg.on_commit('select from gate')");
await(q{EXISTS (SELECT FROM bg.sessions WHERE role = 'alice'::regrole AND state = 'busy' AND queued = 1 AND sql = 'select from gate')}, 'a job is shown');
$locker->query_safe('COMMIT');
await('NOT EXISTS (SELECT FROM bg.sessions)', 'and goes');
table_is_free('a day of work');

# The limit of a role, over all backends.
$node->safe_psql('postgres', 'ALTER ROLE alice SET pllua_bg.max_sessions_per_role = 2');
my $refused = qr/ERROR:  too many background sessions for role "alice"\nDETAIL:  The role has 2 of them in this server.\nHINT:  .*pllua_bg.max_sessions_per_role/;
my ($first, $second, $bob) = (backend('alice'), backend('alice'), backend('bob'));

# The answer to a query, or its error.
sub answer
{
	my ($backend, $query) = @_;
	$backend->{stderr} = '';
	my $out = $backend->query($query);
	return $backend->{stderr} eq '' ? $out : $backend->{stderr};
}
my $one = answer($first, "SELECT bg.launch('one')");
my $two = answer($second, "SELECT bg.launch('two')");
like(answer($first, 'SELECT bg.launch()'), $refused, 'the third of a role is refused');
like(answer($second, 'SELECT bg.launch()'), $refused, 'in every backend');
like(answer($second, "DO LANGUAGE pllua_bg \$\$ local ok, e = pcall(bg.launch) error(e.sqlstate) \$\$"), qr/53400/, 'with 53400');
like(answer($bob, "SELECT bg.launch('bob')"), qr/^\d+$/, 'other roles are not concerned');
like(answer($second, "BEGIN; SELECT bg.on_commit('insert into gate values (1)'); INSERT INTO gate VALUES (2); COMMIT"), $refused, 'a job counts, before the commit');
is($node->safe_psql('postgres', 'SELECT count(*) FROM gate'), '0', 'the transaction failed');
like(answer($first, "SELECT bg.close($one)"), qr/^$/, 'one is let go into the pool');
like(answer($second, "SELECT bg.launch('three')"), qr/^\d+$/, 'another backend may launch');
like(answer($first, "SELECT bg.launch('four')"), $refused, 'the pool has no right to be used beyond the limit');
$two = answer($second, "SELECT pid FROM bg.backend_sessions() WHERE name = 'two'");
answer($second, "SELECT bg.run($two, 'select pg_sleep(1000)')");    # workload
await("(SELECT state = 'busy' FROM bg.sessions WHERE pid = $two)", 'a session is busy');
my $loop = <<'LUA';
DO LANGUAGE pllua_bg $$
	for i = 1, 20 do
		local s <close> = bg.launch()
		s:run('select pg_sleep(1000)') -- workload
	end
$$;
SELECT 'done'
LUA
is(answer($second, "SELECT bg.close($two)") . answer($second, $loop), 'done', 'a session that was closed does not count, even before its worker has ended');
my $other = answer($second, "SELECT pid FROM bg.backend_sessions() WHERE name = 'three'");
answer($first, 'SELECT count(bg.launch()) FROM generate_series(1, 1)');
like(answer($first, 'SELECT bg.launch()'), $refused, 'at the limit again');
$node->safe_psql('postgres', "SELECT bg.terminate($other)");
await("NOT EXISTS (SELECT FROM bg.sessions WHERE pid = $other)", 'a terminated session goes from the table');
like(answer($first, 'SELECT bg.launch()'), qr/^\d+$/, 'and does not count');
$node->safe_psql('postgres', 'ALTER ROLE alice SET pllua_bg.max_sessions_per_role = 0');
quit($first, $second, $bob);
like(as($superuser, 'SET pllua_bg.max_sessions_per_role = 1; SHOW pllua_bg.max_sessions_per_role'), qr/^1$/, 'no warning: the setting has an effect');
is($node->psql('postgres', "SELECT bg.launch(), bg.launch(), bg.launch()", extra_params => [ '-U', 'alice' ]), 0, 'alice has no limit any more');
table_is_free('limits');

# Signals across backends.
$alice = backend('alice');
$pid = $alice->query_safe('SELECT bg.launch()');
$alice->query_safe("SELECT bg.run($pid, 'select pg_sleep(1000)')");    # workload
await("(SELECT state = 'busy' FROM bg.sessions WHERE pid = $pid)", 'alice has a busy session');
like(as('bob', "SELECT bg.cancel($pid)"), qr/ERROR:  .*(must be a member|permission denied)/, 'another role may not cancel it');
like(as('bob', "SELECT bg.terminate($pid)"), qr/ERROR:  .*(must be a member|permission denied)/, 'nor terminate it');
is(as('signaler', "SELECT bg.cancel($pid)"), '', 'pg_signal_backend may cancel it');
like(answer($alice, "SELECT * FROM bg.result($pid) AS (x text)"), qr/canceling statement due to user request/, 'it is cancelled');
is(answer($alice, "SELECT state FROM bg.sessions WHERE pid = $pid"), 'idle', 'and lives');
is(as('alice', "SELECT bg.terminate($pid)"), '', 'the role itself may terminate it from another backend');
await("NOT EXISTS (SELECT FROM bg.sessions WHERE pid = $pid)", 'it has ended');
like(as('alice', 'SELECT bg.terminate(' . $alice->query_safe('SELECT pg_backend_pid()') . ')'), qr/is not a background session/, 'other backends are no sessions');
quit($alice);

# What is counted, of all backends.
$node->safe_psql('postgres', 'SELECT bg.stat_reset()');
$node->safe_psql('postgres', q{DO LANGUAGE pllua_bg $$ local s <close> = bg.launch() s:exec('select generate_series(1, 10)') $$}) for 1 .. 2;
is($node->safe_psql('postgres', "SELECT scope, launched, commands, rows, errors, stats_reset > now() - interval '1 hour' FROM bg.stat"), 'cluster|2|2|20|0|t', 'counted for the cluster');
like(as('reader', 'SELECT bg.stat_reset()'), qr/permission denied/, 'the counters are reset by superusers');
$node->safe_psql('postgres', 'GRANT EXECUTE ON FUNCTION bg.stat_reset() TO reader');
is(as('reader', 'SELECT bg.stat_reset(); SELECT launched FROM bg.stat'), "\n0", 'and by those who were granted it');

# Every way to end gives the entry back.
my $fault = $node->safe_psql('postgres', q{SELECT count(*) FROM pg_settings WHERE name = 'pllua_bg.fault'});
for my $round (1 .. 3)
{
	$alice = backend('alice');
	for my $how ('select pg_terminate_backend(pg_backend_pid())', 'select 1', 'select pg_sleep(1000)')    # workload
	{
		$pid = answer($alice, 'SELECT bg.launch()');
		answer($alice, "SELECT bg.run($pid, '$how')");
	}
	kill 'TERM', answer($alice, 'SELECT bg.launch()');
	answer($alice, 'SELECT bg.launch(idle_timeout => 0.001)');
	answer($alice, q{DO LANGUAGE pllua_bg $$ local s = bg.launch() s:close() bg.launch():detach() local t <close> = bg.launch() t:exec('select 1') $$});
	answer($alice, q{BEGIN; SELECT bg.on_commit('select 1'); ROLLBACK});
	if ($fault)
	{
		$node->safe_psql('postgres', "ALTER SYSTEM SET pllua_bg.fault = 'worker-start=exit'; SELECT pg_reload_conf()");
		await("current_setting('pllua_bg.fault') <> ''", 'the fault is set');
		like(answer($alice, 'SELECT pid > 0 FROM (SELECT bg.launch() AS pid) s'), qr/^t$|could not be started/, "round $round: a worker that ends before it is a backend");
		$node->safe_psql('postgres', 'ALTER SYSTEM RESET pllua_bg.fault; SELECT pg_reload_conf()');
		await("current_setting('pllua_bg.fault') = ''", 'the fault is gone');
	}
	# No right to connect: the worker fails at its start.
	$node->safe_psql('postgres', 'REVOKE CONNECT ON DATABASE postgres FROM PUBLIC');
	answer($alice, 'SELECT bg.launch()');
	$node->safe_psql('postgres', 'GRANT CONNECT ON DATABASE postgres TO PUBLIC');
	if ($round == 1) { quit($alice) }
	else
	{
		$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'alice' AND backend_type = 'client backend'});
		eval { $alice->quit };
	}
	$node->safe_psql('postgres', q{SELECT bg.terminate(pid) FROM bg.sessions});
	table_is_free("ends, round $round");
}

# A crash: the memory is new.
$alice = backend('alice');
$pid = answer($alice, 'SELECT bg.launch()');
answer($alice, 'SELECT bg.launch()');
kill 'KILL', $pid;
$node->poll_query_until('postgres', 'SELECT NOT EXISTS (SELECT FROM bg.sessions)') or die 'no restart after the crash';
eval { $alice->quit };
table_is_free('crash');

# A restart.
$alice = backend('alice');
answer($alice, 'SELECT bg.launch()');
$node->restart;
eval { $alice->quit };
table_is_free('restart');

# Without preloading: the sessions of the own backend only, and no limit.
eval { $locker->quit };
$node->append_conf('postgresql.conf', "shared_preload_libraries = ''");
$node->restart;
$first = backend($superuser);
like(answer($first, 'SELECT bg.launch()'), qr/^\d+$/, 'a session without preloading');
is(answer($first, 'SELECT count(*) FROM bg.sessions'), '1', 'its backend sees it');
# From 17 on processes share memory without preloading.
if ($node->safe_psql('postgres', 'SHOW server_version_num') >= 170000)
{
	is($node->safe_psql('postgres', 'SELECT count(*) FROM bg.sessions'), '1', 'others, too');
	is($node->safe_psql('postgres', 'SELECT scope, launched FROM bg.stat'), 'cluster|1', 'it is counted in the cluster');
	is(answer($first, 'SET pllua_bg.max_sessions_per_role = 1'), '', 'the limit does not warn');
	like(answer($first, 'SELECT bg.launch()'), qr/too many background sessions for role/, 'and has an effect');
	quit($first);
	server_log_is_clean($node, killed => 1);
	$node->stop;
	done_testing();
	exit;
}
is($node->safe_psql('postgres', 'SELECT count(*) FROM bg.sessions'), '0', 'others do not');
is(answer($first, 'SELECT scope, launched FROM bg.stat'), 'backend|1', 'it is counted in its backend');
is($node->safe_psql('postgres', 'SELECT scope, launched FROM bg.stat'), 'backend|0', 'only there');
like(answer($first, 'SET pllua_bg.max_sessions_per_role = 1'), qr/WARNING:  .*max_sessions_per_role has no effect\nHINT:  .*shared_preload_libraries/, 'the limit warns');
like(answer($first, 'ALTER ROLE alice SET pllua_bg.max_sessions_per_role = 1'), qr/WARNING:  .*max_sessions_per_role has no effect/, 'for a role, too');
like(answer($first, 'SELECT bg.launch()'), qr/^\d+$/, 'and has no effect');
quit($first);

server_log_is_clean($node, killed => 1);
$node->stop;
done_testing();
