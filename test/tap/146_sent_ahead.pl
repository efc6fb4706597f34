# Commands of a session on another server that are sent before those before them are done: each has the outcome it has in a session here,
# and what becomes of them when one is cancelled, or the connection ends.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use Proxy;
use SessionTest;
use Test::More;

local $SIG{PIPE} = 'IGNORE';

my $far = new_node('far');
my $proxy = Proxy->new($far->host . '/.s.PGSQL.' . $far->port);
my $node = new_node('near', "max_worker_processes = 16\n");
my ($host, $port) = ($far->host, $far->port);
my $user = $node->safe_psql('postgres', 'SELECT current_user');
# Without encryption, for which libpq 17 asks before it sends a cancel: the proxy may hold the answer.
$node->safe_psql('postgres', <<"SQL");
CREATE EXTENSION pllua_bg;
CREATE EXTENSION postgres_fdw;
CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '@{[$proxy->port]}', dbname 'postgres', sslmode 'disable', gssencmode 'disable');
CREATE USER MAPPING FOR CURRENT_USER SERVER far OPTIONS (user '$user');
SQL
session_functions($node, q({server = option, name = 'ahead'}));
$_->safe_psql('postgres', 'CREATE TABLE t (a int PRIMARY KEY, b text)') for $node, $far;

# Random sequences, all sent before the first result is asked for: here and there the same comes of them.
my $compared = $node->safe_psql('postgres', <<'SQL');
CREATE FUNCTION compare(seed int, n int) RETURNS text LANGUAGE pllua_bg AS $lua$
	local random = seed
	local function pick(list)
		random = (random * 1103515245 + 12345) % 2147483648
		return list[random // 65536 % #list + 1]
	end
	local commands = {
		{'select 1 as one'}, {'select $1 + 1 as a, $2 as b', 7, 'x'}, {'select generate_series(1, 3) as i'}, {'select $1::text as t', 'h\u{e4}llo'},
		{'insert into t select count(*) + 1, $1 from t', 'row'}, {'insert into t values (1, null)'}, {'delete from t where a % 3 = 0'},
		{'update t set b = b || $1 returning a, b', '!'}, {'with x as (insert into t select 1000 + count(*) from t returning a) select a from x'},
		{'select 1 / 0'}, {'select nothing'}, {'selekt'}, {''}, {'select 1; select 2'}, {'begin'}, {'begin; select 1'}, {'commit'}, {'rollback'}, {'savepoint s'}, {'rollback to s'},
		{'copy (select 1, 2) to stdout'}, {"do $$ begin raise notice 'n'; end $$"}, {'create temp table if not exists x (i int)'}, {'select $1::int as a', 'no number'},
		{'select $1::bytea as a', 'a\\b'}, {'select txid_current() > 0 as t'}, {"select set_config('my.value', $1, false)", 'v'}, {"select coalesce(current_setting('my.value', true), '') as v"},
		{'truncate t'}, {"set datestyle = 'SQL, DMY'"}, {'reset datestyle'}, {"select '2020-02-03'::date as d"}, {'table t order by a'}, {'values (1, true), (2, null)'},
		{'prepare p as select 1'}, {'execute p'}, {'deallocate p'}, {'listen c'}, {'select 1 as a where false'}, {'declare c cursor for select 1'}, {'fetch c'},
	}
	local here <close> = bg.launch{}
	local there <close> = bg.launch{server = 'far'}
	local kept = {here = here:prepare('select $1::int * 2 as twice'), there = there:prepare('select $1::int * 2 as twice')}
	local function rows(result)
		local text = {}
		for i, row in ipairs(result) do
			local values = {}
			for k, column in ipairs(result.columns) do values[k] = column.name .. '=' .. tostring(row[k] or row[column.name]) end
			text[i] = table.concat(values, ',')
		end
		return table.concat(text, ';')
	end
	local function outcome(future)
		local ok, result = pcall(future.get, future)
		if not ok then return tostring(result.sqlstate) .. ' ' .. tostring(result.message) end
		return tostring(result.tag) .. ' ' .. tostring(result.n) .. ' ' .. rows(result)
	end
	local sent = {}
	here:exec('delete from t')
	there:exec('delete from t')
	for i = 1, n do
		if pick{1, 2, 3, 4, 5} == 1 then
			local value = pick{1, 2, 'x', 1000000000000}
			sent[i] = {'kept ' .. value, kept.here:run(value), kept.there:run(value)}
		else
			local command = pick(commands)
			sent[i] = {command[1], here:run(table.unpack(command)), there:run(table.unpack(command))}
		end
	end
	local differ = {}
	for i, one in ipairs(sent) do
		local a, b = outcome(one[2]), outcome(one[3])
		if a ~= b then table.insert(differ, i .. ' ' .. one[1] .. ': ' .. a .. ' / ' .. b) end
	end
	local in_here, in_there = here:status().transaction, there:status().transaction
	if in_here ~= in_there then table.insert(differ, 'transaction ' .. in_here .. ' / ' .. in_there) end
	return table.concat(differ, '\n')
$lua$;
SELECT seed || ': ' || compare(seed, 60) FROM generate_series(1, 60) seed WHERE compare(seed, 60) <> '';
SQL
is($compared, '', 'what comes of commands that are sent ahead');

# Steps, with something else in between: commands that are sent, and what has come of each.
my $psql = new_psql($node);
sub ask { return $psql->query($_[0]) =~ s/\n\z//r }
ask(<<'SQL');
CREATE FUNCTION step(what text, VARIADIC arguments text[] DEFAULT '{}') RETURNS text LANGUAGE pllua_bg AS $lua$
	if what == 'open' then
		sent, open = {}, bg.launch{server = 'far', name = 'ahead'}
		open:exec(arguments[1])
		return open.pid
	elseif what == 'send' then
		for _, sql in ipairs(arguments) do table.insert(sent, open:run(sql)) end
	elseif what == 'fail here' then
		open:exec('begin')
		sent = {open:run('insert into t values ($1)', 200), open:run('insert into t values ($1::int4)', 'two'), open:run('insert into t values (201)'), open:run('commit')}
	elseif what == 'commit' then
		open:exec('begin')
		local copy, commit = open:prepare('copy (select 1) to stdout'), open:prepare('commit')
		sent = {open:run('insert into t values (300)'), open:run("select repeat('x', 1000000) from generate_series(1, 3)"), commit:run(), copy:run(), copy:run(), open:run('select 1')}
	elseif what == 'rows' then
		for i = 1, 6 do sent[i] = open:run('select generate_series(1, 1000000) as i') end
	elseif what == 'parameters' then
		local large = string.rep('x', 200000)
		for i = 1, 500 do sent[i] = open:run('select length($1::text) as n from generate_series(1, 10)', large) end
	elseif what == 'cancel' then
		sent[tonumber(arguments[1])]:cancel()
	elseif what == 'close' then
		open:close()
	elseif what == 'detach' then
		open:detach()
	end
	if what == 'count' then
		local n = 0
		for _, future in ipairs(sent) do n = n + future:get().n end
		sent = {}
		return n
	end
	if what ~= 'take' then return '' end
	local outcomes = {}
	for i, future in ipairs(sent) do
		local ok, result = pcall(future.get, future)
		outcomes[i] = ok and (result.tag or 'nothing') or result.sqlstate .. (tostring(result.detail):find('^A command before it was cancelled') and ' late' or '')
	end
	sent = {}
	return table.concat(outcomes, ', ')
$lua$;
SQL

sub step { return ask('SELECT step(' . join(', ', map { "\$sql\$$_\$sql\$" } @_) . ')') }

# Sends commands behind one whose result is on its way, so that they are in line together; waits until the first of them runs there, and
# the others have come to the proxy.
sub send_ahead
{
	my ($first, @others) = @_;
	my $before = $proxy->from_clients;
	$proxy->set('hold');
	step('send', 'select 0', $first, @others);
	$proxy->set('pass');
	my $bytes = 0;
	$bytes += length for $first, @others;
	return ok(wait_until(sub { $proxy->from_clients - $before >= $bytes && is_active($first) }), 'they are sent ahead');
}

sub is_active
{
	my ($sql) = @_;
	return $far->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pllua_bg:ahead' AND state = 'active' AND query = \$sql\$$sql\$sql\$") == 1;
}

sub rows_there { return $far->safe_psql('postgres', 'SELECT count(*) FROM t') }
my $sleep = 'select pg_sleep(1000)'; # workload
my @inserts = map { "insert into t values ($_, 'ahead')" } 1 .. 20;
my $inserted = join ', ', ('INSERT 0 1') x 20;
sub empty { return $far->safe_psql('postgres', 'TRUNCATE t') }

# One of them is cancelled: that which runs, one that waits.
empty();
step('open', 'select 1');
send_ahead($sleep, @inserts);
is(rows_there(), '0', 'nothing is done before its turn');
step('cancel', 2);
is(step('take'), "SELECT 1, 57014, $inserted", 'what runs is cancelled, and nothing else');
empty();
send_ahead($sleep, @inserts[0 .. 4], $sleep, @inserts[5 .. 19]);
step('cancel', $_) for 8, 2;
is(step('take'), join(', ', 'SELECT 1, 57014', ('INSERT 0 1') x 5, '57014', ('INSERT 0 1') x 15), 'one that was sent ahead is cancelled when its turn comes');

# A cancel that is late: its command has ended there, what is next is met and says so.
my $lock = 'select pg_advisory_lock(1), pg_advisory_unlock(1)';
my $locker = new_psql($far);
$locker->query_safe('SELECT pg_advisory_lock(1)');
send_ahead($lock, $sleep, 'select 2');
$proxy->set('hold');
$locker->query_safe('SELECT pg_advisory_unlock(1)');
ok(wait_until(sub { is_active($sleep) }), 'the next one runs there');
step('cancel', 2);
ok(wait_until(sub { !is_active($sleep) }), 'the cancel comes to it');
$proxy->set('pass');
like(step('take'), qr/^SELECT 1, (SELECT 1|57014), 57014 late, SELECT 1$/, 'that is no secret');
$locker->quit;

# In a transaction an error is that of all after it, and nothing of it stays.
empty();
step('send', 'begin', @inserts, 'select 1 / 0', 'insert into t values (100)', 'commit', 'insert into t values (101)');
is(step('take'), "BEGIN, $inserted, 22012, 25P02, ROLLBACK, INSERT 0 1", 'a transaction');
is(rows_there(), '1', 'an error in a transaction');
step('fail here');
is(step('take'), 'INSERT 0 1, 22P02, 25P02, ROLLBACK', 'an error that the server knows nothing of');
is(rows_there(), '1', 'nothing of it stays either');
step('close');
ask("SET pllua_bg.max_result_size = '1MB'");
step('open', 'select 1');
ask('RESET pllua_bg.max_result_size');
step('commit');
is(step('take'), 'INSERT 0 1, 53400, ROLLBACK, COPY 1, COPY 1, SELECT 1', 'statements with names that are no SELECT, INSERT or the like wait for their turn');
is(rows_there(), '1', 'nothing is committed before it is known to be right');
step('close');

# The session is closed, or its worker ends: what was sent ahead may be done, what is in a transaction is not.
for my $case (['closed', sub { step('close') }], ['terminated', sub { $node->safe_psql('postgres', "SELECT pg_terminate_backend($_[0])") }])
{
	my ($name, $end) = @$case;
	empty();
	my $pid = step('open', 'begin');
	send_ahead($sleep, @inserts);
	step('send', 'commit');
	$end->($pid);
	no_workers_left($node, $name);
	ok($far->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'pllua_bg:ahead'"), "$name: nor a connection");
	is(rows_there(), '0', "$name: nothing of a transaction stays");
}

# It is let go: all of it is done.
empty();
step('open', 'select 1');
step('send', @inserts);
step('detach');
ok($far->poll_query_until('postgres', 'SELECT count(*) = 20 FROM t'), 'after a detach all of it is done');
no_workers_left($node, 'detached');

# The connection ends: that is what comes of all that have no result yet.
step('open', 'select 1');
send_ahead($sleep, 'select 2');
$proxy->set('reset');
is(step('take'), 'SELECT 1, 08006, 08006', 'the connection is lost');
no_workers_left($node, 'lost');

# Rows come a few at a time whatever else was sent, and so do the commands: the worker stays small.
sub most_memory
{
	my ($pid) = @_;
	my ($most) = slurp_file("/proc/$pid/status") =~ /VmHWM:\s+(\d+) kB/;
	return $most;
}
my $pid = step('open', 'select 1');
my $small = most_memory($pid);
step('rows');
is(step('count'), '6000000', 'many rows');
cmp_ok(most_memory($pid) - $small, '<', 60000, 'of rows little is kept');
step('parameters');
is(step('count'), '5000', 'many parameters');
cmp_ok(most_memory($pid) - $small, '<', 60000, 'of parameters, too');
step('close');
$psql->quit;
server_log_is_clean($_) for $node, $far;
done_testing();
