# Sessions on another server wait in the pool of their backend: the next one on that server has the connection, and nothing else of the
# one before it; whatever changes who may have it, or as whom, ends that.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

my $far = new_node('far');
my $node = new_node('near', "max_worker_processes = 16\npllua_bg.pool_lifetime = 600\npllua_bg.pool_age = 3600\npllua_bg.pool_size = 4\n");
my ($host, $port) = ($far->host, $far->port);
my $user = $node->safe_psql('postgres', 'SELECT current_user');
$far->safe_psql('postgres', 'CREATE ROLE alice LOGIN; CREATE ROLE bob LOGIN; CREATE TABLE t (i int); GRANT ALL ON t TO PUBLIC');
$node->safe_psql('postgres', <<"SQL");
CREATE EXTENSION pllua_bg;
CREATE EXTENSION postgres_fdw;
CREATE ROLE app LOGIN;
CREATE ROLE other LOGIN;
GRANT USAGE ON SCHEMA bg TO app, other;
CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '$host', port '$port', dbname 'postgres');
CREATE SERVER far_2 FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '$host', port '$port', dbname 'postgres', application_name 'given');
GRANT USAGE ON FOREIGN SERVER far, far_2 TO app, other;
CREATE USER MAPPING FOR CURRENT_USER SERVER far OPTIONS (user 'alice');
CREATE USER MAPPING FOR CURRENT_USER SERVER far_2 OPTIONS (user 'alice');
CREATE USER MAPPING FOR app SERVER far OPTIONS (user 'alice', password_required 'false');
CREATE USER MAPPING FOR other SERVER far OPTIONS (user 'bob', password_required 'false');
SQL

my $psql = new_psql($node);
# A session that has just been let go is not waited for long when one is launched.
sub ask
{
	$far->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name ~ '^pllua_bg(:|\$)'") or die 'sessions do not come to rest';
	return $psql->query($_[0]) =~ s/\n\z//r;
}
$psql->query_safe(<<'SQL');
CREATE FUNCTION look(sql text, server text DEFAULT 'far', name text DEFAULT NULL, setting text DEFAULT NULL) RETURNS text LANGUAGE pllua_bg AS $lua$
	local s <close> = bg.launch{server = server, name = name, settings = setting and {work_mem = setting} or nil}
	local ok, r = pcall(s.exec, s, sql)
	return ok and tostring(r.value or r.tag) or r.sqlstate
$lua$;
CREATE FUNCTION worker() RETURNS int LANGUAGE pllua_bg AS $lua$
	local s <close> = bg.launch{server = 'far'}
	return s.pid
$lua$;
SQL
sub worker { return ask(q{SELECT worker()}) }
my $who = 'select pg_backend_pid()';

# The same connection, clean.
my $first = ask("SELECT look('$who')");
like($first, qr/^\d+$/, 'a session on another server');
ok($far->poll_query_until('postgres', "SELECT application_name = 'pllua_bg pool' FROM pg_stat_activity WHERE pid = $first"), 'in the pool its connection says so');
my $worker = worker();
is(ask("SELECT look('$who')"), $first, 'the next one has the connection');
is(worker(), $worker, 'and the worker');
is(ask("SELECT look('show application_name', 'far', 'named')"), 'pllua_bg:named', 'its name is that of the connection');
is(ask("SELECT look('show application_name', 'far')"), 'pllua_bg', 'the next one has none');
is(ask("SELECT look('show application_name', 'far_2', 'named')"), 'given', 'a name of the foreign server');
is(ask("SELECT look('show application_name', 'far_2', 'again')"), 'given', 'stays');
is(ask("SELECT look('show work_mem', 'far', NULL, '7MB')"), '7MB', 'a setting');
is(ask("SELECT look('show work_mem', 'far')"), '4MB', 'is not that of the next');
is(ask("SELECT look('show lock_timeout', 'far')"), '1min', 'what all have is set again');
is(ask("SELECT look('select 1', 'far', NULL, 'much')"), '22023', 'a setting that is wrong');
is(ask("SELECT look('$who') <> '$first'"), 't', 'ends it');
$first = ask("SELECT look('$who')");
is(ask(<<'SQL'), '', 'one leaves all that a session can leave');
DO LANGUAGE pllua_bg $lua$
	local s <close> = bg.launch{server = 'far'}
	local p = s:prepare('select $1::int')
	assert(p:exec(1).value == 1)
	s:exec('create temp table left_here (i int)')
	s:exec('prepare left_here as select 1')
	s:exec('declare left_here cursor with hold for select 1')
	s:exec('listen left_here')
	s:exec('select pg_advisory_lock(77)')
	s:exec("set datestyle = 'SQL, DMY'")
	s:exec("set intervalstyle = 'iso_8601'")
	assert(s:exec("select '2020-02-03'::date = $1", spi.execute("select '2020-02-03'::date as d")[1].d).value)
	local futures = {}
	for i = 1, 30 do futures[i] = s:run(i % 3 == 0 and 'select 1 / 0' or 'select $1::int', i) end
	for i = 1, 30 do pcall(futures[i].get, futures[i]) end
$lua$;
SQL
is(ask("SELECT look('$who')"), $first, 'the next one has that connection');
for my $sql ("select to_regclass('left_here') is null", 'select count(*) = 0 from pg_prepared_statements', 'select count(*) = 0 from pg_cursors',
	'select count(*) = 0 from pg_listening_channels() c', 'select count(*) = 0 from pg_locks where locktype = $$advisory$$', "select current_setting('datestyle') = 'ISO, MDY'")
{
	is(ask("SELECT look(\$sql\$$sql\$sql\$)"), 'true', $sql);
}
is(ask("DO LANGUAGE pllua_bg \$lua\$ local s <close> = bg.launch{server = 'far'} print(s:exec([[select '2020-02-03'::date as a, '-1 day -02:03'::interval as b]])[1].b, s:prepare('select 41 + \$1'):exec(1).value) \$lua\$"), '', 'values are read as they are written');
like($psql->{stderr}, qr/-1 days? -02:03:00\t42/, 'values');

# One that is in a transaction is not kept, nor one that was let in by a connection string.
ask("SELECT look('begin')");
is(ask("SELECT look('$who') = '$first'"), 'f', 'an open transaction ends it');
my $place = "host=$host port=$port dbname=postgres user=alice";
is(ask("SELECT look('$who', '$place') = look('$who', '$place')"), 'f', 'connection strings are not kept');

# What changes who may have it, or as whom.
for my $case (
	["ALTER USER MAPPING FOR CURRENT_USER SERVER far OPTIONS (SET user 'bob')", 'bob', 'the user mapping'],
	["ALTER SERVER far OPTIONS (ADD options '-c my.value=1')", 'bob', 'the server'],
	["ALTER FOREIGN DATA WRAPPER postgres_fdw NO HANDLER", 'bob', 'the wrapper'],
	["DROP USER MAPPING FOR CURRENT_USER SERVER far", undef, 'no user mapping'],
	["CREATE USER MAPPING FOR CURRENT_USER SERVER far OPTIONS (user 'alice')", 'alice', 'another one'])
{
	my ($sql, $as, $name) = @$case;
	my $before = ask("SELECT look('$who')");
	$node->safe_psql('postgres', $sql);
	if (!defined $as) { ask("SELECT look('select 1')"); like($psql->{stderr}, qr/user mapping not found/, $name); $psql->{stderr} = ''; next; }
	is(ask("SELECT look('select current_user')"), $as, $name);
	is(ask("SELECT look('$who') = '$before'"), 'f', "$name: another connection") if $before;
}
my $app = new_psql($node, 'postgres', '-U', 'app');
my $app_first = $app->query_safe("SELECT look('$who')") =~ s/\n\z//r;
isnt($app_first, ask("SELECT look('$who')"), 'each role has its own');
is($app->query_safe("SELECT look('$who')") =~ s/\n\z//r, $app_first, 'in its own pool');
$app->query_safe('RESET SESSION AUTHORIZATION');
$node->safe_psql('postgres', 'REVOKE USAGE ON FOREIGN SERVER far FROM app');
$app->query("SELECT look('select 1')");
like($app->{stderr}, qr/permission denied for foreign server far/, 'a right that was revoked');
$app->quit;
ask("SET ROLE other");
is(ask("SELECT look('select current_user')"), 'bob', 'another role in the same backend');
ask('RESET ROLE');
is(ask("SELECT look('select current_user')"), 'alice', 'and back');

# What is lost while it rests is nobody's error.
for my $case (['the connection ends', sub { $far->safe_psql('postgres', "SELECT pg_terminate_backend($_[0])") }], ['the server restarts', sub { $far->restart }])
{
	my ($name, $end) = @$case;
	$first = ask("SELECT look('$who')");
	$worker = worker();
	ok($far->poll_query_until('postgres', "SELECT application_name = 'pllua_bg pool' FROM pg_stat_activity WHERE pid = $first"), "$name: while it rests");
	$end->($first);
	process_is_gone($worker, $name);
	isnt(ask("SELECT look('$who')"), $first, "$name: the next session connects anew");
}
ask('SET pllua_bg.pool_size = 0');
no_workers_left($node, 'no pool');
$psql->quit;
ok($far->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name LIKE 'pllua_bg%'"), 'nor a connection');
server_log_is_clean($_) for $node, $far;
done_testing();
