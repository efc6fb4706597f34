# Tasks that launch sessions where there are not slots enough: those that have one go on, and the others get theirs in turn.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

# Three sessions at a time. A wait that keeps the other tasks waiting never ends.
my $node = new_node('few', <<'CONF');
max_worker_processes = 3
max_parallel_workers = 0
max_logical_replication_workers = 0
pllua_bg.launch_wait = '10min'
CONF
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION pllua_bg;
CREATE FUNCTION fan_out(n int, how text) RETURNS text LANGUAGE pllua_bg AS $$
	local done, order = 0, {}
	bg.scope(function(sc)
		for i = 1, n do
			sc:go(function()
				local function work(s) return s:exec('select $1::int from pg_sleep(0.01)', i).value end -- workload
				if how == 'launch' then
					local s <close> = bg.launch()
					local number = work(s)
					order[#order + 1] = number
				elseif how == 'autonomous' then
					bg.autonomous('select pg_sleep(0.01)') -- workload
				elseif how == 'function' then
					bg.map({i, i, i, i}, work, {workers = 4})
				else
					bg.map({i, i, i, i}, 'select $1::int', {workers = 4})
				end
				done = done + 1
			end)
		end
	end)
	if how == 'launch' then
		for i = 1, n do if order[i] > i + 3 then return i .. ': ' .. order[i] .. ' was too early' end end
	end
	return done .. ' of ' .. n
$$;
SQL
my $psql = new_psql($node);
for my $how (qw(launch autonomous function statement))
{
	is($psql->query_safe("SELECT fan_out(20, '$how')"), '20 of 20', "$how: all have had a session");
	is($psql->query_safe(q{SELECT launch_failures, no_slot FROM bg.stat}), '0|0', "$how: none has failed");
}

# Whoever waits in a task is seen to wait, in the same line with other backends.
my $other = new_psql($node);
$other->query_safe('SELECT bg.launch() FROM generate_series(1, 3)');
$other->query_safe(q{DO LANGUAGE pllua_bg $$ for _, s in ipairs(bg.sessions()) do s:close() end $$});
is($psql->query_safe(q{SELECT fan_out(6, 'launch')}), '6 of 6', 'sessions of the pool of another backend make room');

# No slot comes.
$psql->query_safe(q{DO LANGUAGE pllua_bg $$ for _, s in ipairs(bg.sessions()) do s:close() end $$});
my @held = map { $other->query_safe('SELECT bg.launch()') } 1 .. 3;
$psql->query_safe(<<'SQL');
CREATE FUNCTION refused() RETURNS text LANGUAGE pllua_bg AS $$
	local said = {}
	bg.scope(function(sc)
		for i, limit in ipairs{0.3, 0.1, 0} do
			sc:go(function()
				local ok, e = pcall(bg.launch, {wait = limit})
				said[#said + 1] = limit .. ' ' .. (ok and 'launched' or e.sqlstate)
			end)
		end
	end)
	return table.concat(said, ', ')
$$;
SQL
my $failures = $psql->query_safe('SELECT launch_failures FROM bg.stat');
is($psql->query_safe('SELECT refused()'), '0 53000, 0.1 53000, 0.3 53000', 'each waits for the time it was given');
is($psql->query_safe("SELECT launch_failures - $failures FROM bg.stat"), '3', 'each has failed once');

# A wait asks many times, and takes no memory for it.
$psql->query_safe(<<'SQL');
CREATE FUNCTION grown_by(seconds float8) RETURNS bigint LANGUAGE pllua_bg AS $$
	local function used() return spi.execute("select sum(used_bytes)::bigint as n from pg_backend_memory_contexts where name <> 'pllua_bg interpreter'")[1].n end
	local function wait(limit) bg.scope(function(sc) sc:go(function() pcall(bg.launch, {wait = limit}) end) end) end
	wait(0.1)
	local before = used()
	wait(seconds)
	return used() - before
$$;
SQL
cmp_ok($psql->query_safe('SELECT grown_by(3)'), '<', 100_000, 'a wait of many attempts takes no memory');

# A wait in a task ends by a cancel, and leaves nothing behind by which others would wait.
my $pid = $psql->query_safe('SELECT pg_backend_pid()');
my $waits = "SELECT count(*) > 0 FROM pg_locks WHERE pid = $pid AND locktype = 'advisory'";
ask_later($psql, q{SELECT fan_out(5, 'launch')});
ok($node->poll_query_until('postgres', $waits), 'it waits in the line');
$node->safe_psql('postgres', "SELECT pg_cancel_backend($pid)");
$psql->query('SELECT 1');
like($psql->{stderr}, qr/ERROR:  canceling statement due to user request/, 'it is cancelled');
$psql->{stderr} = '';
is($node->safe_psql('postgres', $waits), 'f', 'and waits no longer');

# It goes on when another backend lets one go.
ask_later($psql, q{SELECT fan_out(5, 'launch')});
ok($node->poll_query_until('postgres', $waits), 'it waits again');
$other->query_safe("SELECT bg.close($held[0])");
is($psql->query_safe('SELECT 1'), "5 of 5\n1", 'and goes on with the slot that is free');
$psql->quit;
$other->quit;
no_workers_left($node, 'at the end');
server_log_is_clean($node);
$node->stop;
done_testing();
