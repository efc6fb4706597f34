# The database, the role or the extension goes while sessions are open: the server refuses or ends them, nothing hangs, nothing is left.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

my $node = new_node('dropped', "max_worker_processes = 8\n");


# The error a statement raises, or nothing.
sub error_of
{
	my ($psql, $query) = @_;
	$psql->query($query);
	my $stderr = $psql->{stderr};
	$psql->{stderr} = '';
	return $stderr;
}

# DROP DATABASE while a detached session still works there, and while a launching backend and its session are idle.
$node->safe_psql('postgres', 'CREATE DATABASE doomed');
$node->safe_psql('doomed', 'CREATE EXTENSION pllua_bg');
my $launcher = new_psql($node, 'doomed');
my $detached = $launcher->query_safe('SELECT bg.launch()');
$launcher->query_safe("SELECT bg.run($detached, 'select pg_sleep(1000)'), bg.detach($detached)");    # workload
$launcher->quit;
ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE pid = $detached AND state = 'active' AND datname = 'doomed'"),
	'a detached session works in the database');
my ($code, $out, $err) = $node->psql('postgres', 'DROP DATABASE doomed');
like($err, qr/ERROR:  database "doomed" is being accessed by other users\s+DETAIL:  There is 1 other session using the database/, 'DROP DATABASE: refused, as for any session');
$launcher = new_psql($node, 'doomed');
my $pid = $launcher->query_safe('SELECT bg.launch()');
$launcher->query_safe("SELECT bg.run($pid, 'begin'), bg.wait($pid)");
is($node->safe_psql('postgres', 'DROP DATABASE doomed WITH (FORCE)'), '', 'DROP DATABASE WITH (FORCE): done');
no_workers_left($node, 'DROP DATABASE WITH (FORCE)');
eval { $launcher->quit };

# DROP ROLE.
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION pllua_bg;
CREATE ROLE app LOGIN;
GRANT USAGE ON SCHEMA bg TO app;
SQL
$launcher = new_psql($node, 'postgres', '-U', 'app');
$pid = $launcher->query_safe('SELECT bg.launch()');
$launcher->query_safe("SELECT bg.run($pid, 'select 1'), bg.wait($pid)");
$node->safe_psql('postgres', 'REVOKE USAGE ON SCHEMA bg FROM app; DROP ROLE app');
like(error_of($launcher, 'SELECT bg.launch()'), qr/ERROR:  permission denied for schema bg/, 'DROP ROLE: no new session in SQL');
like(error_of($launcher, "DO LANGUAGE pllua_bg '$_'"), qr/ERROR:  permission denied for background sessions\s+DETAIL:  The role needs USAGE on schema "bg"\.(?!\s+HINT)/,
	"DROP ROLE: not in Lua, $_")
  foreach 'bg.launch()', 'bg.on_commit("select 1")', 'bg.autonomous("select 1")';
$launcher->query_safe('SET client_min_messages = info');
is(error_of($launcher, "DO LANGUAGE pllua_bg 'local s = bg.session($pid) assert(s:exec([[select 42]]).value == 42) s:close()'"),
	'', 'DROP ROLE: the session that was open goes on');
# The right is everybody's, but the role is no more.
$node->safe_psql('postgres', 'GRANT USAGE ON SCHEMA bg TO PUBLIC');
like(error_of($launcher, "DO LANGUAGE pllua_bg 'local s <close> = bg.launch() s:exec([[select 1]])'"), qr/ERROR:  background session could not be started\s+DETAIL:  role with OID \d+ does not exist/,
	'DROP ROLE: nor when everybody has the right');
$node->safe_psql('postgres', 'REVOKE USAGE ON SCHEMA bg FROM PUBLIC');
is($node->safe_psql('postgres', 'SELECT 1'), '1', 'DROP ROLE: the server lives');
eval { $launcher->quit };
no_workers_left($node, 'DROP ROLE');

# A role that may no longer log in, or no longer connect, gets no new session; what is open goes on.
$node->safe_psql('postgres', 'CREATE ROLE app LOGIN; GRANT USAGE ON SCHEMA bg TO app');
$launcher = new_psql($node, 'postgres', '-U', 'app');
$pid = $launcher->query_safe('SELECT bg.launch()');
$node->safe_psql('postgres', 'REVOKE USAGE ON SCHEMA bg FROM app');
like(error_of($launcher, 'SELECT bg.launch()'), qr/permission denied/, 'REVOKE USAGE ON SCHEMA bg: no new session');
$launcher->quit;
no_workers_left($node, 'REVOKE');

# DROP EXTENSION in the launching backend and elsewhere.
for my $where ('here', 'elsewhere')
{
	$launcher = new_psql($node, 'postgres');
	$pid = $launcher->query_safe('SELECT bg.launch()');
	$launcher->query_safe("SELECT bg.run($pid, 'create temp table kept as select 42 as x'), bg.wait($pid)");
	$launcher->query_safe('SET client_min_messages = error');
	if ($where eq 'here') { $launcher->query_safe('DROP EXTENSION pllua_bg CASCADE'); }
	else { $node->safe_psql('postgres', 'SET client_min_messages = error; DROP EXTENSION pllua_bg CASCADE'); }
	like(error_of($launcher, "SELECT bg.run($pid, 'select 1')"), qr/function bg.run\(.*\) does not exist|schema "bg" does not exist/, "DROP EXTENSION $where: its functions are gone");
	like(error_of($launcher, 'DO LANGUAGE pllua_bg $$ bg.launch() $$'), qr/language "pllua_bg" does not exist/, "DROP EXTENSION $where: the language too");
	$node->safe_psql('postgres', 'CREATE EXTENSION pllua_bg');
	$launcher->query_safe("SELECT bg.run($pid, 'select x from kept')");
	is($launcher->query_safe("SELECT x FROM bg.result($pid) AS (x int)"), '42', "CREATE EXTENSION again, $where: the session is still there");
	$launcher->query_safe('SET client_min_messages = error; DROP EXTENSION pllua_bg CASCADE');
	$launcher->quit;
	no_workers_left($node, "DROP EXTENSION $where");
	$node->safe_psql('postgres', 'CREATE EXTENSION pllua_bg');
}
is($node->safe_psql('postgres', q{SELECT bg.launch() > 0}), 't', 'sessions work afterwards');
no_workers_left($node, 'at the end');

server_log_is_clean($node);
$node->stop;
done_testing();
