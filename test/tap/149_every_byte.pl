# A session on another server whose connection ends, stalls, or is slow, after any number of the bytes that the server sends in its life, from the
# first of the handshake to the last of the last command: an error of the connection, in bounded time, and nobody is left.
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
my $node = new_node('near', "max_worker_processes = 16\npllua_bg.pool_size = 0\n");
my $user = $node->safe_psql('postgres', 'SELECT current_user');
$far->safe_psql('postgres', "SET password_encryption = 'scram-sha-256'; CREATE ROLE alice LOGIN PASSWORD 'secret'; CREATE TYPE mood AS ENUM ('sad', 'glad')");
unlink $far->data_dir . '/pg_hba.conf';
$far->append_conf('pg_hba.conf', "local all alice scram-sha-256\nlocal all all trust\n");
$far->reload;
$node->safe_psql('postgres', <<"SQL");
CREATE EXTENSION pllua_bg;
CREATE EXTENSION postgres_fdw;
CREATE TYPE mood AS ENUM ('sad', 'glad');
CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '@{[$proxy->port]}', dbname 'postgres', connect_timeout '2');
CREATE USER MAPPING FOR CURRENT_USER SERVER far OPTIONS (user 'alice', password 'secret');
CREATE FUNCTION life(patience float8) RETURNS text LANGUAGE pllua_bg AS \$\$
	local s = bg.launch{server = 'far', name = 'life'}
	last = s.pid
	local function take(future)
		if patience > 0 and not future:wait(patience) then error('stalled', 0) end
		return future:get()
	end
	local ok, err = pcall(function()
		assert(take(s:run("select 1 as one, 'glad'::mood as mood"))[1].one == 1)
		local p = take(s:run('select 1')) and s:prepare('select \$1::int + 1 as n')
		assert(take(p:run(41)).value == 42)
		assert(take(s:run('select i, repeat(\$1, 20) from generate_series(1, 20) i', 'x')).n == 20)
		local failed, what = pcall(take, s:run('select 1 / 0'))
		if what.sqlstate ~= '22012' then error(what, 0) end
		take(s:run([[do \$x\$ begin raise notice 'told'; end \$x\$]]))
		assert(take(s:run('copy (select generate_series(1, 10)) to stdout')).n == 10)
		take(s:run('begin'))
		local ahead = {}
		for i = 1, 5 do ahead[i] = s:run('select \$1::int', i) end
		for i = 1, 5 do assert(take(ahead[i]).value == i) end
		take(s:run('commit'))
		s:close()
	end)
	if not ok then s:detach() end
	return ok and 'done' or err.sqlstate or err
\$\$;
CREATE FUNCTION last() RETURNS int LANGUAGE pllua_bg AS 'return last';
SQL

my $before = $proxy->from_servers;
is($node->safe_psql('postgres', 'SET client_min_messages = warning; SELECT life(0)'), 'done', 'a life');
my $bytes = $proxy->from_servers - $before;
cmp_ok($bytes, '>', 2000, 'the server has something to say');

my $psql = new_psql($node, 'postgres');
$psql->query_safe('SET client_min_messages = warning');
sub workers { return $node->safe_psql('postgres', $workers) }

# After how many bytes: of the handshake each few, of the rest some.
my @places = (0 .. 20, map({ 20 + 7 * $_ } 1 .. 60), map { int(440 + ($bytes - 441) * $_ / 100) } 0 .. 100);
my (%outcomes, @wrong);
for my $place (@places)
{
	$proxy->set("cut $place");
	my $begin = time;
	my $outcome = $psql->query("SELECT life(0)") =~ s/\n\z//r;
	$outcomes{$outcome}++;
	push @wrong, "$place: $outcome, " . (time - $begin) . ' s' if $outcome !~ /^(08001|08003|08006)$/ || time - $begin > 10;
	$proxy->set('pass');
}
is(join("\n", @wrong), '', 'a connection that ends after any number of bytes');
ok($outcomes{'08001'} && $outcomes{'08006'}, 'before it was made, and after');
no_workers_left($node, 'cut');

# What waits without a limit of its own, as prepare does, ends by statement_timeout.
$psql->query_safe("SET statement_timeout = '2s'");
@wrong = ();
for my $place (@places[ grep { $_ % ($places[$_] < 440 ? 12 : 4) == 0 } 0 .. $#places ])
{
	$proxy->set("freeze $place");
	my $begin = time;
	my $outcome = $psql->query("SELECT life(0.05)") =~ s/\n\z//r;
	$outcome = 'stalled' if $psql->{stderr} =~ /canceling statement due to statement timeout/;
	$psql->{stderr} = '';
	push @wrong, "$place: $outcome, " . (time - $begin) . ' s' if $outcome ne 'stalled' || time - $begin > 10;
	$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'pllua_bg session'});
	wait_until(sub { workers() == 0 }) or push @wrong, "$place: a worker is left";
	$proxy->set('reset');
}
is(join("\n", @wrong), '', 'one that stalls');
$psql->query_safe('RESET statement_timeout');
is($psql->query_safe('SELECT life(0)'), "done", 'all is well afterwards');
$proxy->set('drip');
is($psql->query_safe('SELECT life(0)'), "done", 'also where each byte comes by itself');
$psql->quit;
server_log_is_clean($_) for $node, $far;
done_testing();
