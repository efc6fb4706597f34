# A wait that is cancelled, by statement_timeout or pg_cancel_backend, loses nothing and shifts nothing; and waiting costs no CPU.
#
# RANDOM_SEED sets the seed, CANCELLED_WAITS how many waits are cancelled.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

my $seed = $ENV{RANDOM_SEED} // int(rand(1_000_000_000));
my $rounds = $ENV{CANCELLED_WAITS} // 1000;
note("RANDOM_SEED=$seed CANCELLED_WAITS=$rounds");
srand($seed);

my $slots = 6;
my $node = new_node('waits', <<"CONF");
max_worker_processes = $slots
max_parallel_workers = 0
max_logical_replication_workers = 0
CONF
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION pllua_bg;
CREATE TABLE gate (x int);
-- Each waits in another way for what does not come. The commands before it and behind it are checked afterwards.
CREATE FUNCTION wait_in(kind text, pid int, number int) RETURNS void LANGUAGE pllua_bg AS $$
	local s = bg.session(pid)
	local forever = 'select pg_sleep(1000)' -- workload
	s:run('select $1::int', number)
	if kind == 'exec' then
		s:exec(forever)
	elseif kind == 'lock' then
		s:exec("do 'begin lock table gate; end'")
	elseif kind == 'result' then
		s:run(forever)
		s:result()
	elseif kind == 'get' then
		s:run(forever):get()
	elseif kind == 'wait' then
		s:run(forever):wait()
	elseif kind == 'wait_first' then
		bg.wait{s:run(forever), bg.timer(1000)}
	elseif kind == 'all' then
		bg.all{s:run(forever), s:run('select 0')}
	elseif kind == 'results' then
		s:run(forever)
		for r in s:results() do end
	elseif kind == 'rows' then
		for row in s:rows('select i, pg_sleep(0.0001) from generate_series(1, 100000000) i') do end -- workload
	elseif kind == 'rows_first' then
		for row in s:rows(forever) do end
	elseif kind == 'atomic' then
		s:atomic(function(s) s:exec(forever) end)
	elseif kind == 'launch' then
		local held = {}
		for i = 1, 20 do held[i] = bg.launch{wait = 1000, name = 'surplus'} end
	elseif kind == 'sleep' then
		bg.sleep(1000)
	elseif kind == 'finish' then -- many results come in while the cancel comes
		for i = 1, 1000000 do
			local r = s:exec('select $1::int * 10', i)
			if r.value ~= i * 10 then error('shifted: ' .. r.value .. ' for ' .. i) end
		end
	else
		error('no such wait: ' .. kind)
	end
$$;
-- What the session says afterwards: 'ok', or what is wrong. What still runs is cancelled first.
CREATE FUNCTION check_after(pid int, number int) RETURNS text LANGUAGE pllua_bg AS $$
	for _, s in ipairs(bg.sessions()) do
		if s.name == 'surplus' then s:close() end
	end
	local s = bg.session(pid)
	while s:status().queued > 0 do
		s:cancel()
		bg.wait({s}, 0.01)
	end
	local transaction = s:status().transaction
	if transaction ~= 'I' then
		s:rollback()
		return 'transaction left open: ' .. transaction
	end
	local sent = s:run('select $1::int', number + 1)
	if s:exec('select $1::int', number + 2).value ~= number + 2 then return 'exec is shifted' end
	if sent:get().value ~= number + 1 then return 'get is shifted' end
	s:run('select $1::int', number + 3)
	if s:result().value ~= number + 3 then return 'result is shifted' end
	for row in s:rows('select $1::int as n', number + 4) do
		if row.n ~= number + 4 then return 'rows are shifted' end
	end
	-- What nobody fetched: the cancelled ones, and the one sent before the wait; nothing twice.
	local mine = 0
	while true do
		local ok, r = pcall(s.result, s)
		if ok and r == nil then break end
		if not ok and r.sqlstate ~= '57014' then return 'failed with ' .. tostring(r) end
		if ok and r.value == number then mine = mine + 1 end
	end
	if mine > 1 then return 'a result came twice' end
	if #bg.sessions() ~= 1 then return #bg.sessions() .. ' sessions' end
	return mine == 1 and 'ok' or 'ok, fetched'
$$;
SQL

my $backend = new_psql($node);
my $killer = new_psql($node);
my $locker = new_psql($node);
$locker->query_safe('BEGIN; LOCK TABLE gate');
$backend->query_safe('SET client_min_messages = error');
my $backend_pid = $backend->query_safe('SELECT pg_backend_pid()');
my $pid = $backend->query_safe(q{SELECT bg.launch()});
my @kinds = qw(exec lock result get wait wait_first all results rows rows_first atomic launch sleep finish);

# A few microseconds without sleeping: the cancel comes at any moment of the wait.
sub cancel_soon
{
	my $spin = int(rand(20000));
	return "DO 'begin for i in 1..$spin loop end loop; end'; SELECT pg_cancel_backend($backend_pid)";
}

# Runs one statement that has to end by a cancel: 'cancelled', or what it printed.
sub cancelled_wait
{
	my ($kind, $number, $by_timeout) = @_;
	my $query = "SELECT wait_in('$kind', $pid, $number)";
	my $limit = 1 + int(rand(20));
	if ($by_timeout)
	{
		$backend->query("SET statement_timeout = $limit; $query");
		# That itself may take too long.
		do { $backend->query('SET statement_timeout = 0') } until $backend->query('SHOW statement_timeout') eq '0';
	}
	else
	{
		# The backend announces itself by an advisory lock it takes in the same statement.
		ask_later($backend, "$query");
		$killer->query_safe("DO 'begin loop perform pg_stat_clear_snapshot(); exit when exists (select from pg_stat_activity "
			  . "where pid = $backend_pid and state = ''active'' and query like ''SELECT wait_in%''); end loop; end'");
		$killer->query_safe(cancel_soon());
		$backend->query('SELECT 1');
	}
	my $stderr = $backend->{stderr};
	$backend->{stderr} = '';
	return $stderr =~ /ERROR:  canceling statement due to (statement timeout|user request)/ ? 'cancelled' : "not cancelled: $stderr";
}

my %count;
my @wrong;
for my $round (1 .. $rounds)
{
	my $kind = $kinds[rand @kinds];
	my $by_timeout = rand() < 0.8;
	my $number = $round * 10;
	my $how = cancelled_wait($kind, $number, $by_timeout);
	my $after = $backend->query("SELECT check_after($pid, $number)");
	$after .= $backend->{stderr};
	$backend->{stderr} = '';
	$count{ $by_timeout ? 'timeout' : 'cancel' }++;
	next if $how eq 'cancelled' && $after =~ /^ok/;
	push @wrong, "round $round, $kind" . ($by_timeout ? ' by timeout' : ' by cancel') . ": $how; then: $after";
	last if @wrong > 5;
}
is(join("\n", @wrong), '', "$rounds waits cancelled (seed $seed), then the right answers");
cmp_ok($count{timeout}, '>', 0, 'by statement_timeout');
cmp_ok($count{cancel}, '>', 0, 'by pg_cancel_backend');

# More cancels than a session has room for at a time are all obeyed.
$backend->query(<<"SQL");
DO LANGUAGE pllua_bg \$\$
	local s, futures = bg.session($pid), {}
	for i = 1, 600 do futures[i] = s:run(i % 3 == 0 and 'select 1' or 'select pg_sleep(1000)') end -- workload
	for i = 600, 1, -1 do if i % 3 ~= 0 then futures[i]:cancel() end end
	for i = 1, 600 do
		local r, e = futures[i]:try(20)
		local wanted = i % 3 == 0 and '1' or '57014'
		local got = r and tostring(r.value) or type(e) == 'string' and e or e.sqlstate
		if got ~= wanted then s:close() error(i .. ': ' .. got .. ' instead of ' .. wanted) end
	end
\$\$
SQL
is($backend->{stderr}, '', 'hundreds of commands cancelled before their turn');
$backend->{stderr} = '';
$pid = $backend->query_safe('SELECT bg.launch()') if $backend->query('SELECT count(*) FROM bg.sessions') eq '0';

# What atomic does to undo its work is not cancelled by who cancels a second time.
SKIP:
{
	skip 'not built with FAULTS=1', 2
	  unless has_fault_points($node);
	# Every command of that session but the first waits until it is cancelled.
	$backend->query(<<'SQL');
SET statement_timeout = 100;
DO LANGUAGE pllua_bg $$
	bg.launch{name = 'slow'}:atomic(function(s)
		s:exec("set pllua_bg.fault = 'worker-command=wait'; commit; begin")
		s:exec('select 1')
	end)
$$;
RESET statement_timeout;
SQL
	like($backend->{stderr}, qr/canceling statement due to statement timeout/, 'atomic is cancelled');
	$backend->{stderr} = '';
	is( $backend->query(<<'SQL'), 'rollback', 'its undoing is not cancelled');
CREATE FUNCTION pg_temp.cancel_twice() RETURNS text LANGUAGE pllua_bg AS $$
	for _, s in ipairs(bg.sessions()) do
		if s.name == 'slow' then
			s:cancel()
			while s:status().sql == 'select 1' do bg.wait({s}, 0.01) end
			s:cancel()
			bg.wait({s}, 0.5)
			local sql = s:status().sql
			s:close()
			return sql
		end
	end
$$;
SELECT pg_temp.cancel_twice();
SQL
}

# Neither side uses the processor while it waits.
sub cpu_ticks
{
	my ($process) = @_;
	my $stat = slurp_file("/proc/$process/stat");
	$stat =~ s/^.*\) //;
	my @fields = split / /, $stat;
	return $fields[11] + $fields[12];
}

SKIP:
{
	skip 'no /proc', 3 unless -r "/proc/$$/stat";
	ask_later($backend, "SELECT wait_in('lock', $pid, 5)");
	ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE pid = $pid AND wait_event_type = 'Lock'"),
		'the session waits for a lock');
	# Two deadlock timeouts are over when this session has waited for two seconds.
	my ($launcher, $worker) = (cpu_ticks($backend_pid), cpu_ticks($pid));
	$killer->query_safe('SELECT pg_sleep(3)');    # workload
	$launcher = cpu_ticks($backend_pid) - $launcher;
	$worker = cpu_ticks($pid) - $worker;
	cmp_ok($launcher, '<=', 3, 'the launching backend used no processor time');
	cmp_ok($worker, '<=', 3, 'the worker used no processor time');
	$locker->query_safe('COMMIT');
	$backend->query('SELECT 1');
}

$_->quit for ($killer, $locker, $backend);
no_workers_left($node, 'at the end');
server_log_is_clean($node);
$node->stop;
done_testing();
