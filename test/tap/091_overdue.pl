# Work inside one instruction of Lua that no hook can interrupt ends all the same: the connection with it, nothing else.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

my $node = new_node('overdue', "max_worker_processes = 8\n");
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION pllua_bg;
CREATE TABLE kept(x int);
CREATE FUNCTION suspended() RETURNS SETOF int LANGUAGE pllua_bg AS $$
    local guard <close> = setmetatable({}, {__close = function() print 'closed' end})
    for i = 1, 10 do coroutine.yield(i) end
$$;
-- Says that what cannot be interrupted begins.
CREATE FUNCTION begins() RETURNS void LANGUAGE sql AS $$ SELECT pg_advisory_xact_lock(91) $$;
-- An operation of minutes, or without an end.
CREATE PROCEDURE circle() LANGUAGE pllua_bg AS $$
    local events = {}
    local object = setmetatable({}, events)
    events.__call = object
    _G.finalized = setmetatable({}, {__gc = function() print 'finalized' end})
    spi.execute('select begins()')
    while true do pcall(object) end
$$;
CREATE PROCEDURE chain(length int DEFAULT 400000) LANGUAGE pllua_bg AS $$
    local first = {}
    local last = first
    for i = 1, length do
        local link = {}
        setmetatable(last, {__call = link})
        last = link
    end
    setmetatable(last, {__call = print})
    spi.execute('select begins()')
    first()
$$;
CREATE PROCEDURE collisions() LANGUAGE pllua_bg AS $$
    local size, t = (1 << 20) - 1, {}
    for i = 1, 1 << 19 do t[(i + (1 << 24)) * size] = true end
    spi.execute('select begins()')
    t[size] = true
$$;
CREATE PROCEDURE weak_tables() LANGUAGE pllua_bg AS $$
    local n, keys, tables, order = 100000, {}, {}, {}
    for i = 1, n do keys[i] = {} tables[i] = setmetatable({}, {__mode = 'k'}) order[i] = i end
    for i = n, 2, -1 do local j = math.random(i) order[i], order[j] = order[j], order[i] end
    for i = 1, n - 1 do tables[order[i]][keys[i]] = keys[i + 1] end
    local first = keys[1]
    keys = nil
    spi.execute('select begins()')
    collectgarbage()
$$;
CREATE PROCEDURE while_closing() LANGUAGE pllua_bg AS $$
    local events = {}
    local object = setmetatable({}, events)
    events.__call = object
    local guard <close> = setmetatable({}, {__close = function() while true do pcall(object) end end})
    spi.execute('select begins()')
    while true do end
$$;
SQL
my $postmaster = slurp_file($node->data_dir . '/postmaster.pid');

# What the statements say in a connection of their own.
sub run { my ($query) = @_; my (undef, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\n$query", on_error_stop => 0); return "$out\n$err"; }

# Calls a procedure and ends it by a function of the server when it cannot be interrupted; what the log says of its process.
sub call_and_end
{
	my ($name, $how) = @_;
	my $client = new_psql($node);
	my $pid = $client->query_safe(q{LOAD 'pllua_bg'; SELECT pg_backend_pid()});
	my $offset = -s $node->logfile;
	ask_later($client, "CALL $name()");
	$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = 91 AND granted AND pid = $pid") or die 'it does not begin';
	$node->safe_psql('postgres', "SELECT $how($pid)");
	$node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid") or die 'it does not end';
	eval { $client->quit };
	return join "\n", grep { /\[$pid\]/ } split /\n/, slurp_file($node->logfile, $offset);
}

for my $name (qw(circle chain collisions weak_tables while_closing))
{
	like(call_and_end($name, 'pg_cancel_backend'), qr/FATAL:  terminating connection because a statement could not be canceled/, "$name: a cancel");
}
like(call_and_end('circle', 'pg_terminate_backend'), qr/FATAL:  terminating connection due to administrator command/, 'a termination');
like(run(q{LOAD 'pllua_bg'; SET statement_timeout = '1s'; CALL circle()}), qr/FATAL:  57014: terminating connection because a statement could not be canceled/,
	'a timeout');

unlike(run(q{BEGIN; INSERT INTO kept VALUES (1); DECLARE c CURSOR FOR SELECT suspended(); FETCH c; SET statement_timeout = '1s'; CALL circle()}),
	qr/INFO|PANIC/, 'no code of the program runs after it was left');
is($node->safe_psql('postgres', 'SELECT count(*) FROM kept'), '0', 'its transaction is undone');

# A session.
like(run(q{DO LANGUAGE pllua_bg $$ local s <close> = bg.launch() s:exec("set statement_timeout = '1s'") s:exec('call circle()') $$}),
	qr/ERROR:  57014: terminating connection because a statement could not be canceled|ERROR:  \w{5}: .*(session|worker)/, 'a session: its launcher has an error');

# What can be interrupted is interrupted.
my $said = run(q{SET statement_timeout = '500ms'; DO LANGUAGE pllua_bg $$ while true do pcall(string.rep, 'x', 1 << 20) end $$; RESET statement_timeout;
DO LANGUAGE pllua_bg $$ local n = 0 for i = 1, 2e8 do n = n + 1 end $$; \echo alive});
like($said, qr/alive/, 'a connection survives a cancel that is served, and long work after it');
like($said, qr/ERROR:  57014: canceling statement due to statement timeout/, 'which is an error');

# Each of many cancels has the patience of its own, however soon it comes after the one before: an operation of some tenths of a second waits for none.
$said = run('SET statement_timeout = 40;' . 'CALL chain(30000);' x 15 . q{ \echo alive});
like($said, qr/alive/, 'a connection survives many cancels that are served late');
is(scalar(() = $said =~ /ERROR:  57014: canceling statement due to statement timeout/g), 15, 'each is an error');

# A shutdown.
my $client = new_psql($node);
$client->query_safe(q{LOAD 'pllua_bg'});
ask_later($client, 'CALL circle()');
$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = 91}) or die 'it does not run';
is(slurp_file($node->data_dir . '/postmaster.pid'), $postmaster, 'the server has not started anew');
$node->stop('fast');
eval { $client->quit };
unlike(slurp_file($node->logfile), qr/terminated by signal|server process.*exited with exit code [^1]|PANIC/, 'no process has crashed');

done_testing();
