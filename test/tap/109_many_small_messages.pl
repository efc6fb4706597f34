# Many small messages in every direction, with queues of the smallest size and of the usual one: none is lost, their order holds, and nobody sleeps while something is
# there to be taken. What sleeps after each few messages takes minutes here, and a second for each of the short ones.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

my $node = new_node('small', "max_worker_processes = 8\n");
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION pllua_bg;
-- Sends n commands, does something else for a while, and takes what has come.
CREATE FUNCTION commands(n int, pause float8, queue text) RETURNS text LANGUAGE pllua_bg AS $$
	local s <close> = bg.launch{queue_size = queue}
	local futures = {}
	for i = 1, n do futures[i] = s:run('select $1::int', i) end
	spi.execute('select pg_sleep($1)', pause) -- workload
	if futures[n]:get().value ~= n then return 'the last result is wrong' end
	for i = 1, n do if futures[i]:get().value ~= i then return 'result ' .. i .. ' is wrong' end end
	return 'good'
$$;
-- n messages of a session, in order.
CREATE FUNCTION notices(n int, pause float8, queue text) RETURNS text LANGUAGE pllua_bg AS $$
	local heard = {}
	local s <close> = bg.launch{queue_size = queue, on_notice = function(notice) heard[#heard + 1] = tonumber(notice.message) end}
	local future = s:run("do 'begin for i in 1 .. " .. n .. " loop raise notice ''%'', i; end loop; end'")
	spi.execute('select pg_sleep($1)', pause) -- workload
	future:get()
	for i = 1, n do if heard[i] ~= i then return 'message ' .. i .. ' is ' .. tostring(heard[i]) end end
	return #heard == n and 'good' or #heard .. ' messages'
$$;
-- Notifications from one session to another, both of this backend; results, errors and rows meanwhile.
CREATE FUNCTION all_at_once(n int) RETURNS text LANGUAGE pllua_bg AS $$
	local heard, warned, errors, rows = {}, 0, 0, 0
	local s <close> = bg.launch{queue_size = '4kB', on_notify = function(channel, payload) heard[#heard + 1] = tonumber(payload) end,
		on_notice = function() warned = warned + 1 end}
	local t <close> = bg.launch{queue_size = '4kB'}
	s:exec('listen small')
	for i = 1, n do
		t:run('select pg_notify($1, $2::text)', 'small', i)
		s:run("do 'begin raise notice ''x''; end'")
		if i % 10 == 0 then s:run('select 1/0') end
		s:run('select generate_series(1, 3)')
	end
	while t:result() do end
	for _ = 1, n * 2 + n // 10 do
		local ok, result = pcall(s.result, s)
		if not ok then errors = errors + 1 elseif result.n == 3 then rows = rows + result.n end
	end
	while #heard < n do if not s:exec('select 1') then break end end
	for i = 1, n do if heard[i] ~= i then return 'notification ' .. i .. ' is ' .. tostring(heard[i]) end end
	return string.format('%d notifications, %d messages, %d errors, %d rows', #heard, warned, errors, rows)
$$;
SQL

my $backend = new_psql($node);

# Seconds that a statement takes, and what it gives.
sub timed
{
	my ($query) = @_;
	my $clock = 'SELECT extract(epoch FROM clock_timestamp())';
	my $began = $backend->query_safe($clock);
	my $answer = $backend->query_safe($query);
	return ($answer, $backend->query_safe($clock) - $began);
}

for my $queue ('4kB', '256kB')
{
	my ($answer, $seconds) = timed("SELECT commands(1000, 0.5, '$queue')");
	is($answer, 'good', "$queue, 1,000 commands and a pause: all results, in order");
	cmp_ok($seconds, '<', 4, "$queue, 1,000 commands and a pause: taken at once");
	($answer, $seconds) = timed("SELECT commands(30000, 0, '$queue')");
	is($answer, 'good', "$queue, 30,000 commands: all results, in order");
	cmp_ok($seconds, '<', 40, "$queue, 30,000 commands: nobody has slept");
	($answer, $seconds) = timed("SELECT notices(20000, 0.5, '$queue')");
	is($answer, 'good', "$queue, 20,000 messages: all, in order");
	cmp_ok($seconds, '<', 10, "$queue, 20,000 messages: nobody has slept");
}
my ($answer, $seconds) = timed("SELECT all_at_once(1000)");
is($answer, '1000 notifications, 1000 messages, 100 errors, 3000 rows', 'everything at once: all of it');
cmp_ok($seconds, '<', 10, 'everything at once: nobody has slept');
$backend->quit;
no_workers_left($node, 'at the end');

server_log_is_clean($node);
$node->stop;
done_testing();
