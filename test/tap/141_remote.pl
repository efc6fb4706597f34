# Sessions on another server: who may have one, what it says of commands, values and errors, and that nobody sees a password.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

my $far = new_node('far');
my $node = new_node('near', "log_min_messages = debug1\nlog_statement = none\nmax_worker_processes = 16\n");
my $password = 'sEcret-W0rd';

$far->safe_psql('postgres', "SET password_encryption = 'scram-sha-256'; CREATE ROLE alice LOGIN PASSWORD '$password'; CREATE ROLE open LOGIN; CREATE DATABASE other");
$far->safe_psql('postgres', q{CREATE TABLE t (a int PRIMARY KEY, b text CHECK (b <> 'bad')); GRANT ALL ON t TO PUBLIC; CREATE TYPE mood AS ENUM ('sad', 'glad')});
unlink $far->data_dir . '/pg_hba.conf';
$far->append_conf('pg_hba.conf', "local all alice scram-sha-256\nlocal all all trust\n");
$far->reload;

my ($host, $port) = ($far->host, $far->port);
$node->safe_psql('postgres', <<"SQL");
CREATE EXTENSION pllua_bg;
CREATE EXTENSION postgres_fdw;
CREATE EXTENSION dblink;
CREATE EXTENSION file_fdw;
CREATE ROLE app LOGIN;
CREATE ROLE other LOGIN;
GRANT USAGE ON SCHEMA bg TO app, other;
CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '$host', port '$port', dbname 'postgres', fetch_size '10');
CREATE SERVER by_dblink FOREIGN DATA WRAPPER dblink_fdw OPTIONS (host '$host', port '$port', dbname 'other');
CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
CREATE SERVER nowhere FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '$host', port '1', dbname 'postgres');
CREATE SERVER no_database FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '$host', port '$port', dbname 'missing');
GRANT USAGE ON FOREIGN SERVER far, nowhere, files, no_database, by_dblink TO app;
CREATE USER MAPPING FOR CURRENT_USER SERVER far OPTIONS (user 'open');
CREATE USER MAPPING FOR PUBLIC SERVER nowhere OPTIONS (user 'alice', password '$password');
CREATE USER MAPPING FOR PUBLIC SERVER no_database OPTIONS (user 'alice', password '$password');
CREATE USER MAPPING FOR PUBLIC SERVER by_dblink OPTIONS (user 'alice', password '$password');
CREATE USER MAPPING FOR PUBLIC SERVER files;
SQL
$node->safe_psql('postgres', 'CREATE USER MAPPING FOR CURRENT_USER SERVER by_dblink OPTIONS (user $$open$$)');

# What Lua code prints, line by line, as the superuser or another role.
sub lua
{
	my ($code, $role) = @_;
	my ($status, $out, $err) = $node->psql('postgres', "do language pllua_bg \$lua\$ $code \$lua\$", connstr => $node->connstr('postgres') . ($role ? " user=$role" : ''));
	$err =~ s/^psql:<stdin>:\d+: //mg;
	$err =~ s/^INFO:  //mg;
	return $err;
}

# The outcome of a command in a session of its own: its value, or the error.
sub outcome
{
	my ($server, $sql, $role, $options) = @_;
	$options //= '';
	return lua(qq{
		local ok, r = pcall(function() local s <close> = bg.launch{server = '$server'$options} return s:exec([[$sql]]) end)
		if ok then print(r.value) else print(r.sqlstate, r.message, r.detail or '-') end}, $role);
}

# Rights.
is(outcome('far', 'select current_user::text'), 'open', 'a superuser needs no password');
is(outcome('by_dblink', 'select current_database()::text'), 'other', 'a server of dblink_fdw');
is(outcome('none', 'select 1'), "42704\tserver \"none\" does not exist\t-", 'no such server');
is(outcome('far', 'select 1', 'other'), "42501\tpermission denied for foreign server far\t-", 'no right to use the server');
like(outcome('far', 'select 1', 'app'), qr/^42704\tuser mapping not found for/, 'no user mapping');
is(outcome('files', 'select 1'), "0A000\tsessions are not possible on servers of foreign-data wrapper \"file_fdw\"\t-", 'a wrapper of something else');
$node->safe_psql('postgres', q{CREATE USER MAPPING FOR app SERVER far OPTIONS (user 'open')});
is(outcome('far', 'select 1', 'app'), "2F003\tpassword is required\tNon-superusers must provide a password in the user mapping.", 'no password in the mapping');
$node->safe_psql('postgres', q{ALTER USER MAPPING FOR app SERVER far OPTIONS (password 'unused')});
is(outcome('far', 'select 1', 'app'), "2F003\tpassword is required\tNon-superuser cannot connect if the server does not request a password.",
	'a password that the server does not ask for');
$node->safe_psql('postgres', q{ALTER USER MAPPING FOR app SERVER far OPTIONS (password_required 'false')});
is(outcome('far', 'select current_user::text', 'app'), 'open', 'a superuser can say that none is required');
$node->safe_psql('postgres', q{ALTER USER MAPPING FOR app SERVER far OPTIONS (DROP password_required, SET user 'alice', SET password 'wrong')});
like(outcome('far', 'select 1', 'app'), qr/^28P01\tcould not connect to server "far"\t.*password authentication failed for user "alice"$/, 'a wrong password');
$node->safe_psql('postgres', "ALTER USER MAPPING FOR app SERVER far OPTIONS (SET password '$password')");
is(outcome('far', 'select current_user::text', 'app'), 'alice', 'the right password');
is(outcome('by_dblink', 'select current_user::text', 'app'), 'alice', 'a mapping for PUBLIC');
like(outcome('nowhere', 'select 1', 'app'), qr/^08001\tcould not connect to server "nowhere"\t.*No such file or directory/, 'nobody listens');
like(outcome('no_database', 'select 1', 'app'), qr/^3D000\t.*\t.*database "missing" does not exist$/, 'no such database');
is(outcome('far', 'select 1', undef, ', snapshot = true'), "0A000\ta session on another server cannot have a snapshot of this one\t-", 'no snapshot');
is( $node->safe_psql('postgres', q{SELECT bg.launch(server => 'far') AS pid \gset
SELECT FROM bg.run(:pid, 'select $1 + 1 as a', 41);
SELECT a FROM bg.result(:pid) AS (a int);
SELECT FROM bg.run(:pid, 'select $1 as a, $2 as b, $3 as c', '\x005c27'::bytea, ''::bytea, null::bytea);
SELECT * FROM bg.result(:pid) AS (a bytea, b bytea, c bytea);}), "42\n\\x005c27|\\x|", 'in SQL');

# What is set there.
is(outcome('far', "select concat_ws(' ', current_setting('datestyle'), current_setting('intervalstyle'), current_setting('extra_float_digits'), current_setting('lock_timeout'), current_setting('application_name'))",
		undef, q{, name = 'x', settings = {datestyle = 'SQL', lock_timeout = '2s'}}), 'SQL, MDY postgres 3 2s pllua_bg:x', 'settings');
is(outcome('far', 'show timezone', undef, q{, settings = {timezone = 'Asia/Tokyo'}}), 'Asia/Tokyo', 'a time zone that was asked for');
like(outcome('far', 'select 1', undef, q{, settings = {client_encoding = 'UTF8'}}), qr/^22023\tsetting "client_encoding" cannot be given to a background session/, 'the encoding is ours');
like(outcome('far', 'select 1', undef, q{, settings = {work_mem = 'much'}}), qr/^22023\tinvalid value for parameter "work_mem"/, 'a setting that is wrong');
is(lua(q{spi.execute("set timezone = 'Europe/Paris'") spi.execute("set default_transaction_read_only = on")
		local s <close> = bg.launch{server = 'far'}
		print(s:exec('show timezone').value, select(2, pcall(s.exec, s, 'create table x ()')).sqlstate)}), "Europe/Paris\t25006", 'time zone and being read-only follow');

# Values there and back.
my $values = <<'LUA';
	local s <close> = bg.launch{server = 'far'}
	local function both(sql, ...)
		local here, there = spi.execute(sql, ...)[1], s:exec(sql, ...)[1]
		for name, value in pairs(here) do
			if tostring(value) ~= tostring(there[name]) then print(sql, name, value, there[name]) end
		end
	end
	both[[select 1::int2 a, 2::int4 b, 3::int8 c, 1.5::float4 d, 0.1::float8 e, 'NaN'::float8 f, 1.10::numeric(10,2) g, true h, null::int i]]
	both[[select 'x'::text a, 'y'::varchar(3) b, 'z'::char(5) c, '"q"'::name d, '\x00ff'::bytea e, 'k'::"char" f]]
	both[[select '2020-02-03'::date a, '12:30'::time b, '2020-02-03 04:05:06.789+02'::timestamptz c, '-1 day -02:03'::interval d, 'infinity'::timestamp e, '0044-03-15 BC'::date f]]
	both[[select '{"a": [1]}'::jsonb a, '[1, 2]'::json b, '{1,null,3}'::int[] c, '{"a b","c\"d"}'::text[] d, '[1,5)'::int4range e, '{[1,2],[4,6]}'::int4multirange f]]
	both[[select '00000000-0000-0000-0000-000000000001'::uuid a, '10.0.0.1/8'::inet b, '(1,2)'::point c, B'101'::bit(3) d, 'a & b'::tsquery e, '1/2'::pg_lsn f, 'a:1'::tsvector g]]
	both('select $1::int a, $2::text b, $3::float8 c, $4::bool d, $5::numeric e', 7, 'hällo', 0.1, true, 2.5)
	both('select $1::bytea a, $2::text b, $3::int[] c, $4::jsonb d', 'a\\b', 'a\\b', {1, 2, 3}, {x = 1})
	both('select $1 + 1 a, $2 || $3 b', spi.execute('select 41::int2 as v')[1].v, 'a', 'b')
	both('select $1::timestamptz a, $2::date b', spi.execute("select '2020-01-02 03:04:05.678901+01'::timestamptz as v")[1].v, '2020-02-03')
	both('select $1::text is null a, $2::int is null b', nil, nil)
	both('select $1::bytea a, $2::bytea b, $3::bytea c', '\0\\x', '', nil)
	s:exec([[set datestyle = 'SQL, DMY'; set intervalstyle = 'sql_standard']])
	print(s:exec([[select '2020-02-03'::date = $1 a, '2020-02-03'::date b, '-1 day -02:03'::interval c, $2::interval = '-1 day -02:03' d]], spi.execute([[select '2020-02-03'::date v]])[1].v, spi.execute([[select '-1 day -02:03'::interval v]])[1].v)[1])
	s:exec([[set datestyle = 'ISO, MDY'; set intervalstyle = 'postgres']])
	print(pcall(s.prepare, s, 'select nothing'))
	local st = s:prepare('select $1::int * 2 as a, $2::text as b')
	print(st:exec(21, 'x')[1], st:exec('4', 5)[1], st:exec(nil, nil)[1])
	local bytes = s:prepare([[select $1 = '\x005c27'::bytea as a, length($2::bytea) as b]])
	print(bytes:exec('\0\\\'', ('\\'):rep(100000))[1], bytes:exec('', nil)[1])
	bytes:close()
	print(pcall(st.exec, st, 1))
	st:close()
	print(s:exec('select count(*) from pg_prepared_statements').value)
	for _, c in ipairs(s:exec([[select 'glad'::mood a, 't'::regclass b, row(1, 2) c, 1::int4 d, pg_class c2 from pg_class limit 1]]).columns) do print(c.name, c.type) end
	print(s:exec([[select 'glad'::mood]]).value, pcall(s.exec, s, 'select $1::int', 'x'))
LUA
my $text = lua($values);
is($text, <<'TEXT' =~ s/\n\z//r, 'values');
(t,2020-02-03,"-1 days -02:03:00",t)
false	ERROR: 42703 column "nothing" does not exist
(42,x)	(8,5)	(,)
(t,100000)	(f,)
false	ERROR: 42601 wrong number of parameters: expected 2, got 1
0
a	public.mood
b	text
c	text
d	integer
c2	text
glad	false	ERROR: 22P02 invalid input syntax for type integer: "x"
TEXT

# Commands.
$text = lua(<<'LUA');
	local s <close> = bg.launch{server = 'far', name = 'commands'}
	print(s:exec("select 1; select 2 as x; insert into t values (1, 'one'), (2, 'two')").tag)
	local f = s:run("select 1; select 2")
	for _, r in ipairs(f:all()) do print(r.value) end
	s:run('select 10') s:run('select 20') print(s:result().value, s:result().value, s:result())
	s:begin() print(s:status().transaction) s:exec("insert into t values (3, 'three')")
	print(pcall(s.exec, s, 'select 1/0')) print(s:status().transaction) s:rollback()
	print(s:exec('select count(*) from t').value, s:status().transaction)
	print(pcall(s.atomic, s, function(s) s:exec("insert into t values (4, 'four')") error('no') end))
	s:atomic(function(s) s:exec("insert into t values (5, 'five')") end)
	print(s:exec('select array_agg(a order by a) from t').value)
	local n = 0 for row in s:rows('select g, repeat(\'x\', 100) from generate_series(1, 100000) g') do n = n + row.g end print(n)
	n = 0 for row in s:rows('select g from generate_series(1, 10000000) g') do n = n + 1 if n == 10 then break end end
	print(n, s:exec('select 1').value)
	print(s:exec([[do 'begin raise notice ''hi''; raise warning ''oh'' using detail = ''d''; end']]).tag)
	s:exec('listen ch') s:exec("notify ch, 'pay'") print(s:notification(60).payload)
	spi.execute('select 1')
	local c = s:exec('copy (values (1, null), (2, $$x$$)) to stdout') print(c.n, c[1].copy, c[2].copy, c.tag)
	print(pcall(s.exec, s, 'copy t from stdin'))
	print(s:exec('create temp table v ()').tag and s:exec('vacuum v').tag, s:exec('').n, s:exec('set work_mem = 100').tag)
	print(pcall(s.exec, s, 'select 1; select 2', 1))
	print(bg.map({1, 2, 3, 4}, 'select $1::int', {server = 'far', workers = 2})[4].value)
LUA
is($text, <<'TEXT' =~ s/\n\z//r, 'commands');
INSERT 0 2
1
2
20	10	nil
T
false	ERROR: 22012 division by zero
E
2	I
false	DO:9: no
{1,2,5}
5000050000
10	1
NOTICE:  hi
WARNING:  oh
DETAIL:  d
DO
pay
2	1	\N	2	x	COPY 2
false	ERROR: 0A000 COPY FROM STDIN is not possible in a background session
VACUUM	0	SET
false	ERROR: 42601 cannot insert multiple commands into a prepared statement
4
TEXT

# Errors, with all of their fields.
is( lua(<<'LUA'), <<'TEXT' =~ s/\n\z//r, 'fields of an error');
	local s <close> = bg.launch{server = 'far'}
	local ok, e = pcall(s.exec, s, "insert into t values (9, 'bad')")
	print(e.sqlstate, e.message, e.table, e.constraint, e.schema)
	print(e.detail)
	print((e.context:gsub('pid %d+', 'pid N')))
	ok, e = pcall(s.exec, s, 'select nothing from t')
	print(e.sqlstate, e.position)
	ok, e = pcall(s.exec, s, [[do 'begin raise sqlstate ''P0042'' using message = ''m'', detail = ''d'', hint = ''h''; end']])
	print(e.sqlstate, e.message, e.detail, e.hint)
LUA
23514	new row for relation "t" violates check constraint "t_b_check"	t	t_b_check	public
Failing row contains (9, bad).
remote server "far"
SQL statement "insert into t values (9, 'bad')"
background session, pid N
42703	8
P0042	m	d	h
TEXT

# Another session there notifies one that does nothing here.
is( lua(<<'LUA'), "ch\tfrom afar\nnil\ttimeout", 'a notification for an idle session');
	local a <close> = bg.launch{server = 'far'}
	local b <close> = bg.launch{server = 'far'}
	a:exec('listen ch')
	b:exec("notify ch, 'from afar'")
	local n = a:notification(60)
	print(n and n.channel, n and n.payload)
	print(a:notification(0))
LUA

# A value that cannot be one here fails the command, not the session.
is( lua(<<'LUA'), "22021\t1", 'a value that is no text here');
	local s <close> = bg.launch{server = 'far'}
	s:exec('set client_encoding = LATIN1')
	local ok, e = pcall(s.exec, s, 'select chr(228) from generate_series(1, 100000)')
	print(e.sqlstate, s:exec('select 1').value)
LUA

# Cancel, and the end.
is( lua(<<'LUA'), <<'TEXT' =~ s/\n\z//r, 'cancelled');
	local s <close> = bg.launch{server = 'far', name = 'c'}
	s:exec('select 1')
	local f = s:run('select pg_sleep(600)') -- workload
	s:cancel()
	print(f:try(60))
	print(s:exec('select 1').value)
	for i = 1, 20 do local f = s:run('select pg_sleep(600)') s:cancel() local ok, e = f:try(60) if e.sqlstate ~= '57014' then print(e) end end -- workload
	print(s:exec('select 2').value)
	print(s:run('select pg_sleep(600)'):wait(0.01)) -- workload
LUA
nil	ERROR: 57014 canceling statement due to user request
1
2
false
TEXT
my $there = q{SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name LIKE 'pllua_bg%'};
ok($far->poll_query_until('postgres', $there), 'what was closed ends there, too');
no_workers_left($node, 'what was closed');

# SIGTERM for the worker ends what it runs there.
my $psql = new_psql($node);
ask_later($psql, q{select bg.launch(server => 'far', name => 'terminated') as pid \gset
select bg.run(:pid, 'select pg_sleep(600)')}); # workload
ok($far->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'pllua_bg:terminated' AND state = 'active'}), 'a command runs there');
$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'terminated'});
ok($far->poll_query_until('postgres', $there), 'it ends when its worker is terminated');
$psql->quit;

# Nobody sees a password.
unlike($far->safe_psql('postgres', 'SELECT string_agg(query, $$ $$) FROM pg_stat_activity'), qr/\Q$password\E/, 'no password in pg_stat_activity');
unlike(slurp_file($node->logfile) =~ s/^.*CREATE USER MAPPING.*$//mgr =~ s/^.*STATEMENT:.*$//mgr, qr/\Q$password\E/, 'no password in the log');

server_log_is_clean($node);
server_log_is_clean($far);
done_testing();
