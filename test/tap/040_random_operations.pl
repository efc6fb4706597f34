# Random operations over several sessions of one backend, compared with a model of what each session must answer: results never
# shift, LIFO and FIFO order hold, the transaction state and the contents of the table are those of psql.
#
# RANDOM_SEED sets the seed of the first walk, RANDOM_WALKS how many there are, RANDOM_STEPS how long each is. A failure names the
# seed of its walk: `RANDOM_SEED=that RANDOM_WALKS=1` repeats its operations.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

my $seed = $ENV{RANDOM_SEED} // int(rand(1_000_000_000));
my $walks = $ENV{RANDOM_WALKS} // 2000;
my $steps = $ENV{RANDOM_STEPS} // 60;
note("RANDOM_SEED=$seed RANDOM_WALKS=$walks RANDOM_STEPS=$steps");

my $node = new_node('walk', "max_worker_processes = 16\nclient_min_messages = error\n");
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION pllua_bg;
-- What the sessions insert, and what the model says of it: 'sure' it must be there, 'maybe' its session was closed while it ran.
CREATE TABLE inserted (id bigint PRIMARY KEY);
CREATE TABLE expected (id bigint PRIMARY KEY, session bigint, how text);

CREATE FUNCTION walk(seed bigint, steps int) RETURNS text LANGUAGE pllua_bg AS $walk$
local state, counter, history, sessions = seed, 0, {}, {}

local function random(n)
	state = state * 6364136223846793005 + 1442695040888963407
	return (state >> 33) % n + 1
end

local function next_id()
	counter = counter + 1
	return seed * 100000 + counter
end

local function fail(what, got, wanted)
	local first = math.max(1, #history - 40)
	error(string.format('%s: %s instead of %s\nseed %d, the last steps: %s', what, got, wanted, seed,
		table.concat(history, ' ', first)), 0)
end

local function same(what, got, wanted)
	if got ~= wanted then fail(what, tostring(got), tostring(wanted)) end
end

local function record(m, text)
	history[#history + 1] = (m and m.number .. '.' or '') .. text
end

-- The commands: sql, parameters, and what a session outside of a failed transaction makes of them.
local commands = {
	select = function(id) return 'select $1::bigint', {id}, {value = id, tag = 'SELECT 1'} end,
	insert = function(id) return 'insert into inserted values ($1)', {id}, {tag = 'INSERT 0 1'}, 'insert' end,
	rows = function(id)
		local n = random(50) == 1 and 3000 or random(40) - 1
		return "select $1::bigint + i as v, repeat('x', 100) from generate_series(1, $2::int) i", {id, n},
			{tag = 'SELECT ' .. n, n = n, first = id + 1, last = id + n}
	end,
	divide = function() return 'select 1/0', {}, {sqlstate = '22012'} end,
	raise = function(id) return "do $$begin raise exception '" .. id .. "'; end$$", {}, {sqlstate = 'P0001', message = tostring(id)} end,
	notice = function(id) return "do $$begin raise notice '" .. id .. "'; end$$", {}, {tag = 'DO', notice = tostring(id)} end,
	noisy = function(id)
		return "do $$begin raise notice '" .. id .. "'; raise exception 'e" .. id .. "'; end$$", {},
			{sqlstate = 'P0001', message = 'e' .. id, notice = tostring(id)}
	end,
	begin = function() return 'begin', {}, {tag = 'BEGIN'}, 'begin' end,
	commit = function() return 'commit', {}, {tag = 'COMMIT'}, 'commit' end,
	rollback = function() return 'rollback', {}, {tag = 'ROLLBACK'}, 'rollback' end,
	pair = function(id)
		return 'insert into inserted values (' .. id .. '); select ' .. id, {}, {value = id, tag = 'SELECT 1', statements = 2}, 'insert'
	end,
	torn = function(id) return 'insert into inserted values (' .. id .. '); select 1/0', {}, {sqlstate = '22012'} end,
	block = function(id)
		return 'begin; insert into inserted values (' .. id .. '); commit', {}, {tag = 'COMMIT', statements = 3}, 'block'
	end,
}
local names = {'select', 'insert', 'insert', 'rows', 'divide', 'raise', 'notice', 'noisy', 'begin', 'begin', 'commit', 'commit',
	'rollback', 'pair', 'torn', 'block'}

-- What the session will have done with a command after everything before it: its outcome; the ids it commits.
local function foresee(m, id, outcome, effect)
	if m.transaction == 'E' then
		if effect ~= 'commit' and effect ~= 'rollback' then return {sqlstate = '25P02'}, {} end
		m.transaction, m.open = 'I', {}
		return {tag = 'ROLLBACK'}, {}
	end
	if outcome.sqlstate then
		if m.transaction == 'T' then m.transaction, m.open = 'E', {} end
		return outcome, {}
	end
	local committed = {}
	if effect == 'insert' or effect == 'block' then m.open[#m.open + 1] = id end
	if effect == 'begin' then m.transaction = 'T' end
	if effect == 'rollback' then m.transaction, m.open = 'I', {} end
	if effect == 'commit' or effect == 'block' or m.transaction == 'I' then
		m.transaction, committed, m.open = 'I', m.open, {}
	end
	return outcome, committed
end

local function note_sent(m, name, future, outcome, committed)
	local command = {name = name, future = future, outcome = outcome, committed = committed}
	m.sent[#m.sent + 1] = command
	if future then m.untaken[#m.untaken + 1] = command end
	return command
end

local function send(m, name)
	local id = next_id()
	local sql, parameters, outcome, effect = commands[name](id)
	local committed
	outcome, committed = foresee(m, id, outcome, effect)
	record(m, name)
	return note_sent(m, name, m.session:run(sql, table.unpack(parameters)), outcome, committed)
end

local function forget_untaken(m, command)
	for i, other in ipairs(m.untaken) do
		if other == command then table.remove(m.untaken, i) return end
	end
end

-- Compares what a command gave with what it had to give. Messages come with the result, in order.
local function check(m, command, ok, result, how)
	local wanted = command.outcome
	local name = string.format('session %d, %s by %s', m.number, command.name, how)
	if wanted.sqlstate then
		if ok then fail(name, result.tag, wanted.sqlstate) end
		same(name, type(result) == 'string' and result or result.sqlstate, wanted.sqlstate)
		if wanted.message then same(name .. ', message', result.message, wanted.message) end
	else
		if not ok then fail(name, tostring(result), wanted.tag) end
		if result == nil then fail(name, 'nil', wanted.tag) end
		same(name .. ', tag', result.tag, wanted.tag)
		if wanted.value then same(name .. ', value', result.value, wanted.value) end
		if wanted.n then
			same(name .. ', n', result.n, wanted.n)
			if wanted.n > 0 then
				same(name .. ', first', result[1].v, wanted.first)
				same(name .. ', last', result[result.n].v, wanted.last)
			end
		end
	end
	if wanted.notice and m.heard then same(name .. ', notice', table.remove(m.heard, 1), wanted.notice) end
	if wanted.notice and not m.heard and ok then same(name .. ', notice', result.notices[1].message, wanted.notice) end
	if m.heard and m.heard[1] then fail(name .. ', notice too many', m.heard[1], 'none') end
	forget_untaken(m, command)
end

local function take(m, command)
	local ok, result = pcall(command.future.get, command.future)
	check(m, command, ok, result, 'get')
end

local operations = {}

function operations.run(m)
	for _ = 1, random(4) == 1 and random(12) or 1 do send(m, names[random(#names)]) end
end

function operations.exec(m)
	local name, id = names[random(#names)], next_id()
	local sql, parameters, outcome, effect = commands[name](id)
	local committed
	outcome, committed = foresee(m, id, outcome, effect)
	record(m, 'exec:' .. name)
	local command = note_sent(m, name, nil, outcome, committed)
	local ok, result = pcall(m.session.exec, m.session, sql, table.unpack(parameters))
	check(m, command, ok, result, 'exec')
end

-- The newest.
function operations.result(m)
	record(m, 'result')
	local command = m.untaken[#m.untaken]
	if not command then same('result of nothing', m.session:result(), nil) return end
	local ok, result = pcall(random(2) == 1 and bg.result or m.session.result, m.session)
	check(m, command, ok, result, 'result')
end

-- The oldest first, to the first error or until we leave.
function operations.results(m)
	record(m, 'results')
	local most = random(6)
	local ok, err = pcall(function()
		for result in m.session:results() do
			local command = m.untaken[1]
			if not command then fail('results', result.tag, 'the end') end
			check(m, command, true, result, 'results')
			most = most - 1
			if most == 0 then return end
		end
		same('results left', #m.untaken, 0)
	end)
	if ok then return end
	if type(err) == 'string' then error(err, 0) end
	check(m, m.untaken[1], false, err, 'results')
end

-- Any of them, by its future, asked twice.
function operations.get(m)
	local command = #m.untaken > 0 and m.untaken[random(#m.untaken)]
	if not command then return end
	record(m, 'get')
	local future = command.future
	if random(3) == 1 then future:wait(random(3) / 1000) end
	local ok, result = pcall(future.get, future)
	check(m, command, ok, result, 'get')
	local again, second = pcall(future.get, future)
	same('asked again', again, ok)
	same('asked again', second, result)
end

-- A limit that may run out loses nothing.
function operations.try(m)
	local command = #m.untaken > 0 and m.untaken[random(#m.untaken)]
	if not command then return end
	record(m, 'try')
	local result, err = command.future:try(random(3) == 1 and 0 or random(5) / 10000)
	if result == nil and err == 'timeout' then return end
	check(m, command, result ~= nil, result or err, 'try')
end

function operations.status(m)
	record(m, 'status')
	if random(2) == 1 or m.session:status().state == 'starting' then m.session:exec('') else bg.wait{m.session} end
	local status = m.session:status()
	same('state', status.state, 'idle')
	same('queued', status.queued, 0)
	same('transaction', status.transaction, m.transaction)
	same('found by pid', bg.session(m.session.pid), m.session)
end

-- A command that would never end, cancelled by its future, with others behind it.
function operations.cancel_future(m)
	if m.transaction == 'E' then return end
	record(m, 'cancel_future')
	local sleepers = {}
	for i = 1, random(4) do
		local future = m.session:run('select pg_sleep(1000)') -- workload
		local outcome, committed = foresee(m, 0, {sqlstate = m.transaction == 'E' and '25P02' or '57014'})
		sleepers[i] = note_sent(m, 'sleep', future, outcome, committed)
		if outcome.sqlstate == '25P02' then break end
	end
	if random(2) == 1 then send(m, 'select') end
	for _, command in ipairs(sleepers) do command.future:cancel() end
	-- cancelled before its turn in a failed transaction: either error
	local last = sleepers[#sleepers]
	if last.outcome.sqlstate == '25P02' then
		local _, err = last.future:try()
		if err.sqlstate == '57014' then last.outcome = {sqlstate = '57014'} end
		check(m, last, false, err, 'cancel_future')
	end
end

-- Cancels whatever runs: the outcome decides what happened, and the next command must not be hit.
function operations.cancel_running(m)
	bg.wait{m.session}
	record(m, 'cancel_running')
	local id = next_id()
	local was = m.transaction
	local future = m.session:run('insert into inserted values ($1)', id)
	local command = note_sent(m, 'insert', future, nil, {})
	m.session:cancel()
	local result, err = future:try()
	if result then
		command.outcome, command.committed = foresee(m, id, {tag = 'INSERT 0 1'}, 'insert')
	elseif was ~= 'E' or err.sqlstate == '25P02' then
		command.outcome = foresee(m, id, {sqlstate = '57014'})
	else
		command.outcome = {sqlstate = '57014'}
	end
	check(m, command, result ~= nil, result or err, 'cancel_running')
	bg.wait{m.session}
	m.session:cancel()
	take(m, send(m, 'select'))
end

-- A stream left in the middle may have ended by itself; in a transaction its cancel is an error.
function operations.rows(m)
	record(m, 'rows')
	local id, n, stop = next_id(), random(200), random(250)
	local failed = m.transaction == 'E'
	local ok, err = pcall(function()
		local i = 0
		for row in m.session:rows('select $1::bigint + i as v from generate_series(1, $2::int) i', id, n) do
			i = i + 1
			same('streamed row', row.v, id + i)
			if i == stop then return end
		end
		same('streamed rows', i, n)
	end)
	if failed then
		if ok then fail('rows', 'no error', '25P02') end
		same('rows', type(err) == 'string' and err or err.sqlstate, '25P02')
	elseif not ok then
		error(err, 0)
	end
	m.session:exec('')
	local transaction = m.session:status().transaction
	if transaction ~= m.transaction then
		same('transaction after rows', m.transaction .. transaction, 'TE')
		if stop > n then fail('transaction after all rows', transaction, m.transaction) end
		m.transaction, m.open = 'E', {}
	end
	if #m.untaken == 0 then same('result after rows', m.session:result(), nil) end
end

function operations.atomic(m)
	if m.transaction == 'E' then return end
	local fails, id = random(2) == 1, next_id()
	record(m, 'atomic')
	local ok, err = pcall(m.session.atomic, m.session, function(s)
		s:exec('insert into inserted values ($1)', id)
		if fails then s:exec('select 1/0') end
		return id
	end)
	same('atomic', ok, not fails)
	if fails then
		same('atomic', type(err) == 'string' and err or err.sqlstate, '22012')
		return
	end
	same('atomic', err, id)
	if m.transaction == 'T' then
		m.open[#m.open + 1] = id
	else
		note_sent(m, 'atomic', nil, {}, {id})
	end
end

-- The methods begin, commit and rollback; commit raises when there was nothing to commit.
function operations.transaction(m)
	local name = ({'begin', 'commit', 'rollback'})[random(3)]
	record(m, 's:' .. name)
	local was = m.transaction
	local outcome, committed = foresee(m, 0, {tag = name:upper()}, name)
	if name == 'commit' and was == 'E' then outcome = {sqlstate = '25P02'} end
	local command = note_sent(m, name, nil, outcome, committed)
	local ok, result = pcall(m.session[name], m.session)
	check(m, command, ok, result, 'method')
end

local function keep(m, ids, how)
	for _, id in ipairs(ids) do spi.execute('insert into expected values ($1, $2, $3)', id, seed * 1000 + m.number, how) end
end

local function remove(m)
	for i, other in ipairs(sessions) do
		if other == m then table.remove(sessions, i) end
	end
	same('a session that was let go', select(2, m.session:result()), 'closed')
	same('its state', m.session:status().state, 'gone')
end

-- What has ended is done; of the rest a beginning may have happened.
function operations.close(m)
	record(m, 'close')
	local ended = #m.sent
	while ended > 0 and m.sent[ended].future and not m.sent[ended].future:done() do ended = ended - 1 end
	for i, command in ipairs(m.sent) do keep(m, command.committed, i <= ended and 'sure' or 'maybe') end
	m.session:close()
	remove(m)
end

-- Everything sent is still done.
function operations.detach(m)
	record(m, 'detach')
	for _, command in ipairs(m.sent) do keep(m, command.committed, 'sure') end
	m.session:detach()
	remove(m)
end

local launched = 0
local function launch()
	launched = launched + 1
	local m = {number = launched, transaction = 'I', open = {}, sent = {}, untaken = {}}
	record(m, 'launch')
	local options = {queue_size = random(2) == 1 and '8kB' or nil, wait = 60, settings = {client_min_messages = 'notice'}}
	if random(2) == 1 then
		m.heard = {}
		options.on_notice = function(n)
			if n.message:match'^%d+$' then m.heard[#m.heard + 1] = n.message end -- else a warning of begin and the like
		end
	end
	m.session = bg.launch(options)
	sessions[#sessions + 1] = m
end

local choices = {}
for name, weight in pairs{run = 30, exec = 8, result = 8, results = 6, get = 6, try = 6, status = 3, cancel_future = 3,
	cancel_running = 3, rows = 3, atomic = 3, transaction = 4, close = 1, detach = 1} do
	for _ = 1, weight do choices[#choices + 1] = name end
end
table.sort(choices)

for _ = 1, steps do
	if #sessions == 0 or #sessions < 4 and random(20) == 1 then launch() end
	local m = sessions[random(#sessions)]
	operations[choices[random(#choices)]](m)
end
while sessions[1] do
	local m = sessions[1]
	if random(3) == 1 then
		operations.close(m)
	elseif random(2) == 1 then
		operations.detach(m)
	else
		while #m.untaken > 0 do operations.result(m) end
		operations.status(m)
		operations.close(m)
	end
end
same('sessions left', #bg.sessions(), 0)
return 'ok ' .. counter
$walk$;
SQL


my $backend = new_psql($node);
my ($good, $ids, $errors) = (0, 0, '');
for my $walk ($seed .. $seed + $walks - 1)
{
	my $answer = $backend->query("SELECT walk($walk, $steps)");
	if ($answer =~ /^ok (\d+)/) { $good++; $ids += $1; next; }
	$errors .= "walk $walk: $answer$backend->{stderr}\n";
	$backend->{stderr} = '';
	$backend->query('DO LANGUAGE pllua_bg $$ for _, s in ipairs(bg.sessions()) do s:close() end $$');
	last;
}
is($errors, '', "$walks random walks do what the model says") or diag($errors);
is($good, $walks, "all walks, $ids commands, from seed $seed");

no_workers_left($node, 'at the end');
is($backend->query('SELECT count(*) FROM bg.sessions'), '0', 'no session is left');
is( $node->safe_psql('postgres', q{SELECT count(*), min(id) FROM expected WHERE how = 'sure' AND id NOT IN (SELECT id FROM inserted)}),
	'0|', 'what was committed is there');
is( $node->safe_psql('postgres', 'SELECT count(*), min(id) FROM inserted WHERE id NOT IN (SELECT id FROM expected)'),
	'0|', 'what was rolled back is not');
is( $node->safe_psql('postgres', <<'SQL'), '', 'of a session that was closed the beginning is there');
SELECT session FROM expected e LEFT JOIN inserted i USING (id) WHERE how = 'maybe' GROUP BY session
HAVING max(i.id) > min(e.id) FILTER (WHERE i.id IS NULL)
SQL
$backend->quit;

server_log_is_clean($node);
$node->stop;
done_testing();
