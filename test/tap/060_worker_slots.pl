# Sessions when worker slots are few: a clean error that names the setting, nothing committed by a transaction whose on_commit work
# cannot start, and every slot given back.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

my $node = new_node('slots', <<'CONF');
max_parallel_workers = 0
max_logical_replication_workers = 0
max_worker_processes = 8
CONF
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION pllua_bg;
ALTER SYSTEM SET pllua_bg.max_sessions = 100;
ALTER SYSTEM SET pllua_bg.launch_wait = 0;
CREATE TABLE done (what text);
GRANT INSERT ON done TO PUBLIC;
GRANT USAGE ON SCHEMA bg TO PUBLIC;
SELECT format('CREATE ROLE worker_%s LOGIN', n) FROM generate_series(0, 8) n \gexec
-- How many of n launches got a session, and what the others were told.
CREATE FUNCTION launch_many(n int, OUT opened int, OUT refused text) LANGUAGE pllua_bg AS $$
	local opened, refused = 0, {}
	held = {} -- those that nobody holds make room
	for i = 1, n do
		local ok, e = pcall(bg.launch, {wait = 0})
		if ok then
			opened = opened + 1
			held[opened] = e
		else
			local line = e.sqlstate .. ': ' .. e.message .. ' / ' .. tostring(e.hint)
			if not refused[line] then refused[line] = true refused[#refused + 1] = line end
		end
	end
	return opened, table.concat(refused, '; ')
$$;
-- Every session answers.
CREATE FUNCTION ask_all() RETURNS int LANGUAGE pllua_bg AS $$
	local futures = {}
	for i, s in ipairs(bg.sessions()) do futures[i] = s:run('select $1::int', i) end
	local sum = 0
	for _, r in ipairs(bg.all(futures)) do sum = sum + r.value end
	return sum
$$;
CREATE FUNCTION let_go(how text) RETURNS void LANGUAGE pllua_bg AS $$
	for _, s in ipairs(bg.sessions()) do s[how](s) end
$$;
SQL

my $refusal = '53000: could not launch a background session: no free worker slot / You may need to increase max_worker_processes.';
for my $slots (0, 1, 8)
{
	$node->append_conf('postgresql.conf', "max_worker_processes = $slots");
	$node->restart;
	my $backend = new_psql($node);
	my ($opened, $refused) = split /\|/, $backend->query_safe('SELECT * FROM launch_many(50)');
	is($opened, $slots, "$slots slots: as many sessions");
	is($refused, $refusal, "$slots slots: the others are refused with the reason");
	is($backend->query_safe('SELECT ask_all()'), $slots * ($slots + 1) / 2, "$slots slots: every session answers");

	# on_commit without a slot: nothing is committed.
	$backend->query('BEGIN');
	$backend->query("INSERT INTO done VALUES ('with $slots')");
	$backend->query(q{SELECT bg.on_commit('insert into done values (''on commit'')')});
	is($backend->{stderr}, '', "$slots slots: on_commit is taken note of");
	$backend->{stderr} = '';
	$backend->query('COMMIT');
	like($backend->{stderr}, qr/ERROR:  could not launch the background sessions of this transaction: no free worker slot\s+HINT:  You may need to increase max_worker_processes/,
		"$slots slots taken: the commit fails with the reason");
	$backend->{stderr} = '';
	is($backend->query_safe('SELECT launched, jobs, launch_failures, no_slot FROM bg.stat'), "$slots|0|" . (51 - $slots) . '|' . (51 - $slots), "$slots slots taken: all of that is counted");
	is($backend->query('SELECT count(*) FROM done'), '0', "$slots slots taken: nothing was committed");
	is($backend->query_safe('SELECT ask_all()'), $slots * ($slots + 1) / 2, "$slots slots: the sessions live on");

	# A transaction whose roles want one slot more than are free gives back those it had.
	$backend->query_safe(q{SELECT let_go('close')});
	no_workers_left($node, "$slots slots: closed sessions end");
	$backend->query("BEGIN; INSERT INTO done VALUES ('one too many')");
	for my $role (0 .. $slots)
	{
		$backend->query("SET LOCAL ROLE worker_$role; SELECT bg.on_commit('insert into done values (''on commit'')')");
	}
	$backend->query('COMMIT');
	like($backend->{stderr}, qr/no free worker slot/, "$slots slots, one more wanted at commit: refused");
	$backend->{stderr} = '';
	no_workers_left($node, "$slots slots: the workers of the failed commit end");
	is($node->safe_psql('postgres', 'SELECT count(*) FROM done'), '0', "$slots slots: neither the transaction nor its work was done");

	# Slots come back however the session ends, again and again.
	for my $how (('close', 'detach') x 3)
	{
		($opened) = split /\|/, $backend->query_safe('SELECT * FROM launch_many(50)');
		is($opened, $slots, "$slots slots: all of them after $how");
		$backend->query_safe("SELECT let_go('$how')");
		no_workers_left($node, "$slots slots: free after $how");
	}
	if ($slots > 0)
	{
		$backend->query("BEGIN; INSERT INTO done VALUES ('with')");
		$backend->query("SELECT bg.on_commit('insert into done values (''on commit'')') FROM generate_series(1, 100)");
		$backend->query_safe('COMMIT');
		ok($node->poll_query_until('postgres', 'SELECT count(*) = 101 FROM done'), "$slots slots: more on_commit work than there are slots");
		$node->safe_psql('postgres', 'TRUNCATE done');
		no_workers_left($node, "$slots slots: its workers end");

		# Sessions that wait for another use make room for on_commit work.
		$backend->query_safe("SET pllua_bg.pool_size = $slots; SET pllua_bg.pool_lifetime = '1h'; SET pllua_bg.launch_wait = '20s'");
		$backend->query_safe('SELECT * FROM launch_many(50)');
		$backend->query_safe('SELECT ask_all()');
		$backend->query_safe(q{SELECT let_go('close')});
		ok($node->poll_query_until('postgres', "SELECT count(*) = $slots FROM pg_stat_activity WHERE application_name = 'pllua_bg pool'"),
			"$slots slots: all are taken by the pool");
		$backend->query("BEGIN; SELECT bg.on_commit('insert into done values (''on commit'')')");
		$backend->query('COMMIT');
		is($backend->{stderr}, '', "$slots slots: the pool makes room for on_commit work");
		$backend->{stderr} = '';
		ok($node->poll_query_until('postgres', 'SELECT count(*) = 1 FROM done'), "$slots slots: which is done");
		$node->safe_psql('postgres', 'TRUNCATE done');

		# So do sessions that nobody holds any more.
		$backend->query_safe("DO LANGUAGE pllua_bg \$\$ collectgarbage('stop') for i = 1, $slots do bg.launch():exec('select 1') end \$\$");
		$backend->query("BEGIN; SELECT bg.on_commit('insert into done values (''on commit'')')");
		$backend->query('COMMIT');
		unlike($backend->{stderr}, qr/ERROR/, "$slots slots: garbage makes room for on_commit work");
		$backend->query("DO LANGUAGE pllua_bg \$\$ collectgarbage('restart') \$\$");
		$backend->{stderr} = '';
		ok($node->poll_query_until('postgres', 'SELECT count(*) = 1 FROM done'), "$slots slots: which is done");
		$node->safe_psql('postgres', 'TRUNCATE done');
		$backend->query_safe('SET pllua_bg.pool_size = 0; SET pllua_bg.launch_wait = 0');
		no_workers_left($node, "$slots slots: the pool is empty");

		# A launch that waits gets the slot another session gives back.
		$backend->query_safe('SELECT * FROM launch_many(50)');
		my $waiting = new_psql($node);
		ask_later($waiting, "SELECT bg.launch(wait => 60) > 0");
		ok( $node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE query LIKE 'SELECT bg.launch(wait%' AND wait_event IN ('PlluaBgStart', 'BgWorkerStartup')}),
			"$slots slots: a launch waits for one");
		$backend->query_safe(q{SELECT let_go('close')});
		is($waiting->query('SELECT 1'), "t\n1", "$slots slots: and gets it");
		$waiting->quit;
		no_workers_left($node, "$slots slots: free again");
	}
	$backend->quit;
}

server_log_is_clean($node);
$node->stop;
done_testing();
