# Sessions in another database of the cluster: who may have one, whose settings it has, and who has to make room for whom.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

my $node = new_node('other', <<'CONF');
shared_preload_libraries = 'pllua_bg'
max_worker_processes = 16
pllua_bg.jobs = off
pllua_bg.pool_lifetime = 600
pllua_bg.pool_age = 3600
deadlock_timeout = 50ms
allow_in_place_tablespaces = on
CONF
my $server_version = $node->safe_psql('postgres', 'SHOW server_version_num');

$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION pllua_bg;
CREATE ROLE app LOGIN;
CREATE DATABASE there;
CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0;
REVOKE CONNECT ON DATABASE there FROM PUBLIC;
CREATE FUNCTION ask(place text, query text) RETURNS text LANGUAGE pllua_bg AS $$
	local s <close> = bg.launch{database = place}
	return tostring(s:exec(query).value)
$$;
CREATE FUNCTION ask_as_definer(place text, query text) RETURNS text SECURITY DEFINER LANGUAGE pllua_bg AS $$
	local s <close> = bg.launch{database = place}
	return tostring(s:exec(query).value)
$$;
SQL

# What a query gives, or its SQLSTATE and message.
sub answer
{
	my ($role, $query, $database) = @_;
	my (undef, $out, $error) = $node->psql($database // 'postgres', "\\set VERBOSITY verbose\n$query", extra_params => [ '-U', $role ]);
	return $error =~ /ERROR:\s+(.*)/ ? $1 : $out;
}

sub asks
{
	my ($role, $query, $expected, $test) = @_;
	$query =~ s/'/''/g;
	my $got = answer($role, "SELECT ask('there', '$query')");
	return ref $expected ? like($got, $expected, $test) : is($got, $expected, $test);
}

my $owner = $node->safe_psql('postgres', 'SELECT current_user');

# Who may, step by step.
asks('app', 'select 1', qr/^42501: permission denied for background sessions/, 'no USAGE here');
$node->safe_psql('postgres', 'GRANT USAGE ON SCHEMA bg TO app');
asks('app', 'select 1', qr/^42501: permission denied for database "there"/, 'no CONNECT there');
$node->safe_psql('postgres', 'GRANT CONNECT, CREATE ON DATABASE there TO app');
asks('app', 'select 1', qr/^3F000: database "there" has no background sessions/, 'no extension there');
asks($owner, 'select 1', qr/^3F000: /, 'nor has a superuser sessions where the extension is not');
$node->safe_psql('there', 'CREATE SCHEMA bg; GRANT USAGE ON SCHEMA bg TO PUBLIC', extra_params => [ '-U', 'app' ]);
asks('app', 'select 1', qr/^3F000: /, 'a schema of that name is not enough');
$node->safe_psql('there', 'DROP SCHEMA bg; CREATE EXTENSION pllua_bg');
asks('app', 'select 1', qr/^42501: permission denied for background sessions in database "there"/, 'no USAGE there');
like(answer('app', "SELECT bg.launch(database => 'there') AS pid \\gset\nSELECT bg.run(:pid, 'select 1');\nSELECT * FROM bg.result(:pid) AS (n int)"),
	qr/^42501: permission denied for background sessions in database "there"/, 'SQL says the same');
$node->safe_psql('there', 'GRANT USAGE ON SCHEMA bg TO app');
asks('app', q{select current_database() || ' ' || current_user || ' ' || session_user}, 'there app app', 'all rights: a session, as the same role');
is(answer('app', "SELECT bg.launch(database => 'there') AS pid \\gset\nSELECT bg.run(:pid, 'select current_database()::text') IS NULL;\nSELECT * FROM bg.result(:pid) AS (name text)"),
	"f\nthere", 'and in SQL');
asks('app', 'set role none; set session authorization default; reset role; select current_user::text', 'app', 'it stays that role');
asks('app', 'set role ' . $owner, qr/^42501: /, 'it becomes no other');
is(answer('app', "SELECT ask_as_definer('there', 'select current_user::text')"), $owner, 'in a function with the rights of its owner it is the owner');
is(answer($owner, "SET ROLE app; SELECT ask('there', 'select session_user::text')"), 'app', 'after SET ROLE it is that role');
asks('app', 'select count(*) from pg_authid', qr/^42501: permission denied for table pg_authid/, 'what the role may not do as a client it may not do here');
like(answer($owner, <<'SQL'), qr/^42501: cannot use background sessions within security-restricted operation/, 'none within a security-restricted operation');
CREATE TABLE indexed (x int);
INSERT INTO indexed VALUES (1);
CREATE FUNCTION sneak(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN PERFORM public.ask(''there'', ''select 1''); RETURN $1; END';
CREATE INDEX ON indexed (sneak(x));
SQL

# What else a client would be told.
is(answer('app', "SELECT ask('nowhere', 'select 1')"), '3D000: database "nowhere" does not exist', 'no such database');
is(answer('app', "SELECT ask('', 'select 1')"), '3D000: database "" does not exist', 'no name');
is(answer('app', "SELECT ask(repeat('x', 64), 'select 1')"), '42622: option database must have less than 64 bytes', 'too long for a name');
is(answer('app', "SELECT ask('latin', 'select 1')"), '0A000: a background session cannot be in a database with another encoding', 'another encoding');
is(answer('app', "DO LANGUAGE pllua_bg \$\$ bg.launch{database = 1} \$\$"), '22023: option database must be a string, not 1', 'no string');
is(answer('app', "DO LANGUAGE pllua_bg \$\$ bg.launch{database = 'there', snapshot = true} \$\$"),
	'0A000: a background session in another database cannot have this snapshot', 'a snapshot of here means nothing there');
is(answer('app', "SELECT bg.launch(snapshot => true, database => 'there')"),
	'0A000: a background session in another database cannot have this snapshot', 'nor in SQL');
is(answer('app', "DO LANGUAGE pllua_bg \$\$ local s <close> = bg.launch{database = 'postgres', snapshot = true} assert(s:exec('select 1').value == 1) \$\$"),
	'', 'this database, by its name, is no other');
$node->safe_psql('postgres', 'ALTER DATABASE there ALLOW_CONNECTIONS false');
asks('app', 'select 1', '55000: database "there" is not currently accepting connections', 'no connections allowed');
$node->safe_psql('postgres', 'ALTER DATABASE there ALLOW_CONNECTIONS true CONNECTION LIMIT 0');
asks('app', 'select 1', '53300: too many connections for database "there"', 'no room for one more client');
asks($owner, 'select 1', '1', 'which superusers need not have');
$node->safe_psql('postgres', 'ALTER DATABASE there CONNECTION LIMIT 1');
asks('app', 'select 1', '1', 'room for one');
$node->safe_psql('postgres', 'ALTER DATABASE there CONNECTION LIMIT -1');
$node->safe_psql('postgres', 'CREATE ROLE quiet; GRANT USAGE ON SCHEMA bg TO quiet; GRANT CONNECT ON DATABASE there TO quiet');
$node->safe_psql('there', 'GRANT USAGE ON SCHEMA bg TO quiet');
like(answer($owner, "SET ROLE quiet; SELECT ask('there', 'select session_user::text')"),
	$server_version >= 170000 ? qr/^quiet$/ : qr/^28000: role "quiet" is not permitted to log in/, 'a role without LOGIN');

# Settings: those of that database and of the role in it, and over them what this session has set.
$node->safe_psql('postgres', <<'SQL');
ALTER DATABASE postgres SET work_mem = '1MB';
ALTER DATABASE postgres SET log_min_duration_statement = 5000;
ALTER ROLE app IN DATABASE postgres SET enable_seqscan = off;
ALTER DATABASE there SET work_mem = '2MB';
ALTER DATABASE there SET log_min_duration_statement = 6000;
ALTER ROLE app SET lock_timeout = '5s';
ALTER ROLE app IN DATABASE there SET enable_hashjoin = off;
SQL
sub settings
{
	my ($before, $names) = @_;
	my $query = join q{ || '' '' || }, map { "current_setting(''$_'')" } split / /, $names;
	return answer('app', "$before; SELECT ask('there', 'select $query')");
}
is(settings('SELECT WHERE false', 'work_mem log_min_duration_statement lock_timeout enable_hashjoin enable_seqscan'), '2MB 6s 5s off on',
	'those of that database, of the role and of the role there, and none of this database');
is(settings("SET work_mem = '3MB'; SET search_path = public, elsewhere; SET my.own = 'x'", 'work_mem search_path my.own'), '3MB public, elsewhere x', 'what the session has set goes along');
is(answer('app', "SET default_transaction_read_only = on; SELECT ask('there', 'create table t (x int)')"),
	'25006: cannot execute CREATE TABLE in a read-only transaction', 'a read-only session has read-only sessions there');
is(answer('app', "DO LANGUAGE pllua_bg \$\$ local s <close> = bg.launch{database = 'there', settings = {work_mem = '4MB'}} assert(s:exec('show work_mem').value == '4MB') \$\$"),
	'', 'settings of the launch go over all');
is(answer($owner, "SET log_min_duration_statement = 7000; SET ROLE app; SELECT ask('there', 'show log_min_duration_statement'); RESET ROLE; RESET log_min_duration_statement; SET ROLE app; SELECT ask('there', 'show log_min_duration_statement')"),
	"7s\n6s", 'what was imposed on one use is not there in the next');

# The pool: a session goes back to its database and role only, and is asked for its rights again.
is(answer('app', <<'SQL'), "t\nt\nf", 'a session is used again, in its database');
SELECT ask('there', 'select pg_backend_pid()') AS one \gset
SELECT ask('postgres', 'select pg_backend_pid()') AS here \gset
SELECT ask('there', 'select pg_backend_pid()') = :'one';
SELECT ask('postgres', 'select pg_backend_pid()') = :'here';
SELECT :'one' = :'here';
SQL
{
	my $psql = new_psql($node, 'postgres', '-U', 'app', '-v', 'VERBOSITY=verbose');
	my $ask = "SELECT ask('there', 'select 1')";
	is($psql->query_safe($ask), '1', 'a session is in the pool');
	$node->safe_psql('there', 'REVOKE USAGE ON SCHEMA bg FROM app');
	$psql->query($ask);
	like($psql->{stderr}, qr/42501: permission denied for background sessions in database "there"/, 'its right was revoked: the pool gives none');
	$psql->{stderr} = '';
	$node->safe_psql('there', 'GRANT USAGE ON SCHEMA bg TO app');
	is($psql->query_safe($ask), '1', 'granted again: it does');
	$node->safe_psql('postgres', 'REVOKE CONNECT ON DATABASE there FROM app');
	$psql->query($ask);
	like($psql->{stderr}, qr/42501: permission denied for database "there"/, 'nor without CONNECT');
	$psql->{stderr} = '';
	$node->safe_psql('postgres', 'GRANT CONNECT ON DATABASE there TO app');
	is($psql->query_safe($ask), '1', 'and again');
	$psql->quit;
}

# Whoever wants the database for himself.
{
	$node->safe_psql('postgres', 'CREATE DATABASE short TEMPLATE there');
	my $psql = new_psql($node);
	my $ask = sub { my ($database) = @_; return $psql->query_safe("SELECT ask('$database', 'select current_database()::text')") };
	my $does = sub {
		my ($command, $test) = @_;
		is(answer($owner, $command), '', $test);
	};
	is($ask->('short'), 'short', 'a session in the pool');
	$does->('ALTER DATABASE short RENAME TO brief', 'the database is renamed all the same');
	is($ask->('brief'), 'brief', 'and by its new name it has sessions');
	$does->('CREATE DATABASE copy TEMPLATE brief', 'it is copied');
	is($ask->('brief'), 'brief', 'again one in the pool');
	$does->("ALTER DATABASE brief SET TABLESPACE pg_default", 'it is moved');
	is($ask->('brief'), 'brief', 'again');
	is($psql->query_safe('DROP DATABASE brief'), '', 'the backend whose pool it is drops the database');
	is($ask->('copy'), 'copy', 'one in another database');
	$does->('DROP DATABASE copy', 'and another backend');
	$node->safe_psql('postgres', 'CREATE DATABASE held TEMPLATE there');
	my $pid = $psql->query_safe("SELECT bg.launch(database => 'held')");
	ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM bg.sessions WHERE state = 'idle' AND database = 'held'"), 'bg.sessions shows its database');
	is($psql->query_safe('SELECT database FROM bg.sessions'), 'held', 'also to the backend that has it');
	is(answer($owner, 'DROP DATABASE held'), '55006: database "held" is being accessed by other users', 'one that somebody has is in the way, as a client is');
	$does->('DROP DATABASE held WITH (FORCE)', 'but for who uses force');
	$psql->query("SELECT bg.run($pid, 'select 1'); SELECT * FROM bg.result($pid) AS (n int)");
	like($psql->{stderr}, qr/background session has ended|background session was lost/, 'then it is lost');
	$psql->{stderr} = '';
	$psql->quit;
}

# Types of users have other OIDs there: what is of them goes as text, and is what has the same name.
for my $database ('postgres', 'there')
{
	$node->safe_psql($database, "CREATE TABLE only_in_$database (x int)");
	$node->safe_psql($database, 'CREATE EXTENSION hstore; SELECT lo_create(0) FROM generate_series(1, 7)') if $database eq 'there'; # OIDs go on
	$node->safe_psql($database, <<"SQL");
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE TYPE pair AS (n int, m mood);
CREATE DOMAIN small AS int CHECK (value < 10);
CREATE DOMAIN low AS mood;
CREATE TYPE boxed AS (s small);
CREATE TYPE moods AS RANGE (subtype = mood);
CREATE TYPE "Odd [name].x" AS ENUM ('odd');
CREATE SCHEMA hidden;
CREATE TYPE hidden.kind AS ENUM ('good');
CREATE TYPE only_in_${database}_t AS ENUM ('a');
GRANT USAGE ON SCHEMA hidden TO app;
SQL
	$node->safe_psql($database, 'CREATE EXTENSION hstore') if $database eq 'postgres';
}
$node->safe_psql('postgres', 'REVOKE USAGE ON SCHEMA hidden FROM app; CREATE TYPE uneven AS (a int)');
$node->safe_psql('postgres', <<'SQL');
CREATE FUNCTION sprung(text) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''sprung''; END';
CREATE DOMAIN trap AS text CHECK (sprung(value));
CREATE DOMAIN snare AS text CHECK (sprung(value));
SQL
$node->safe_psql('there', q{CREATE DOMAIN trap AS text; CREATE TYPE snare AS ENUM ('x')});
$node->safe_psql('there', 'CREATE TYPE uneven AS (a int, b int); CREATE TABLE kept (m mood, p pair, s small, ms mood[], h hstore, j jsonb, r regclass); GRANT ALL ON kept TO app');

# What Lua code prints that has a session there, `s`; or its error.
sub prints
{
	my ($role, $code, $expected, $test) = @_;
	my (undef, undef, $error) = $node->psql('postgres', "\\set VERBOSITY verbose\nDO LANGUAGE pllua_bg \$lua\$ local s <close> = bg.launch{database = 'there'}\n$code \$lua\$",
		extra_params => [ '-U', $role ]);
	my $got = join "\n", $error =~ /^(?:psql:\S+ )?(?:INFO:  00000: |(?=ERROR:))(.*)$/mg;
	$got =~ s/^ERROR:\s+//;
	return is($got, $expected, $test);
}
my $show = 'local function show(query, ...) local r = s:exec(query, ...) local c = r.columns[1] print(tostring(r.value), c.type, c.oid == spi.execute("select $1::regtype::oid as o", c.type)[1].o) end';
prints('app', "$show show([[select 'happy'::mood]])", "happy\tpublic.mood\ttrue", 'an enum');
prints('app', "$show show([=[select array['happy', 'sad']::mood[]]=])", "{happy,sad}\tpublic.mood[]\ttrue", 'an array of them');
prints('app', "$show show([[select (1, 'sad')::pair]])", "(1,sad)\tpublic.pair\ttrue", 'a row type');
prints('app', q{print(s:exec([[select (1, 'sad')::pair]]).value.m, s:exec([=[select array[(1, 'sad')::pair]]=]).value[1].n)}, "sad\t1", 'whose fields have names');
prints('app', "$show show('select 9::small')", "9\tinteger\ttrue", 'a domain is what it is over');
prints('app', "$show show([[select 'sad'::low]])", "sad\tpublic.mood\ttrue", 'also over a type of users');
prints('app', q{local r = s:exec('select row(9)::boxed') print(r.value, r.columns[1].type, r.columns[1].oid)}, "(9)\tpublic.boxed\t25", 'one within a type here: text, no constraint is run');
prints('app', q{local r = s:exec([[select 'x'::trap]]) print(r.value, r.columns[1].type)}, "x\ttext", 'that database cannot have a domain of here run its constraints');
prints('app', q{local r = s:exec([[select 'x'::snare]]) print(r.value, r.columns[1].oid)}, "x\t25", 'nor where it calls another type so');
prints('app', "$show show([[select moods('sad', 'happy')]])", "[sad,happy)\tpublic.moods\ttrue", 'a range');
prints('app', "$show show([[select 'a=>1'::hstore]])", "\"a\"=>\"1\"\tpublic.hstore\ttrue", 'a type of an extension');
prints('app', "$show show([[select 'odd'::\"Odd [name].x\"]])", "odd\tpublic.\"Odd [name].x\"\ttrue", 'a name that has to be quoted');
prints('app', q{local r = s:exec([[select 'a'::only_in_there_t]]) print(r.value, r.columns[1].type, r.columns[1].oid)}, "a\tpublic.only_in_there_t\t25", 'one that is not here: text');
prints('app', q{local r = s:exec([[select 'good'::hidden.kind]]) print(r.value, r.columns[1].type, r.columns[1].oid)}, "good\thidden.kind\t25", 'nor is one in a schema the role may not use');
prints($owner, q{local r = s:exec([[select 'good'::hidden.kind]]) print(r.value, r.columns[1].oid == 25)}, "good\tfalse", 'who may has it');
prints('app', q{local r = s:exec([[select 'only_in_there'::regclass]]) print(r.value, r.columns[1].type, r.columns[1].oid)}, "only_in_there\tregclass\t25", 'what names an object of that database is its name');
prints('app', q{print(s:exec([=[select array['only_in_there'::regclass]]=]).value)}, '{only_in_there}', 'also in an array');
prints('app', q{print(s:exec([[select t.typinput from pg_type t where typname = 'mood']]).value, (s:exec([[select t from pg_type t where typname = 'mood']]).value:match('enum_in')))}, "enum_in\tenum_in", 'also in a row of a catalog');
prints('app', q{s:exec([[select (1, 2)::uneven]])}, '22P02: malformed record literal: "(1,2)"', 'a type of the same name that is another one says so');
prints('app', q{local r = s:exec([[select row(1, 'x'::mood), 1.5::numeric, '{1}'::int[], null::mood]]) print(r[1][1], r[1][2], r[1][3][1])},
	'22P02: invalid input value for enum mood: "x"', 'errors come whole');
prints('app', q{local r = s:exec([[select row(1, 'sad'::mood), 1.5::numeric, '{1}'::int[], null::mood]]) print(r[1][1], r[1][2], r[1][3][1], r[1][4])}, "(1,sad)\t1.5\t1\tnil", 'types of the server are what they are');
prints('app', q{for row in s:rows([[select i, 'happy'::mood m from generate_series(1, 3) i]]) do print(row.i, row.m) end}, "1\thappy\n2\thappy\n3\thappy", 'rows that are read while they come');
is(answer('app', <<'SQL'), "happy|(1,sad)|only_in_there\nhappy", 'in SQL');
SELECT bg.launch(database => 'there') AS pid \gset
SELECT bg.run(:pid, $$ select 'happy'::mood, (1, 'sad')::pair, 'only_in_there'::regclass $$) IS NULL AS no \gset
SELECT * FROM bg.result(:pid) AS (m mood, p pair, r text);
SELECT bg.run(:pid, $$ select 'happy'::mood $$) IS NULL AS no \gset
SELECT * FROM bg.result(:pid) AS (m text);
SQL
like(answer('app', <<'SQL'), qr/^42804: result rowtype does not match/, 'and as nothing else');
SELECT bg.launch(database => 'there') AS pid \gset
SELECT bg.run(:pid, $$ select 'happy'::mood $$) IS NULL AS no \gset
SELECT * FROM bg.result(:pid) AS (m hstore);
SQL

# Parameters of such types, too.
prints('app', <<'LUA', "happy\t(2,sad)\t3\t{sad,happy}\t\"a\"=>\"1\"", 'parameters');
local r = spi.execute([[select 'happy'::mood m, (2, 'sad')::pair p, 3::small s, '{sad,happy}'::mood[] ms, 'a=>1'::hstore h]])[1]
s:exec('insert into kept values ($1, $2, $3, $4, $5)', r.m, r.p, r.s, r.ms, r.h)
local k = s:exec('select * from kept')[1]
print(k.m, k.p, k.s, k.ms, k.h)
LUA
is(answer('app', <<'SQL'), "1\nsad|(1,happy)", 'parameters in SQL');
SELECT bg.launch(database => 'there') AS pid \gset
SELECT bg.run(:pid, 'select $1::mood, $2::pair', 'sad'::mood, (1, 'happy')::pair);
SELECT * FROM bg.result(:pid) AS (m mood, p pair);
SQL
prints('app', q{local st = s:prepare('insert into kept (m, ms) values ($1, $2)', {'mood', 'mood[]'}) print(st:exec('sad', {'happy'}).tag, st:exec(nil, nil).tag)}, "INSERT 0 1\tINSERT 0 1", 'prepared with types');
prints('app', q{print(s:exec('select $1::regclass', spi.execute("select 'kept_here'::regclass r")[1].r).value)}, '42P01: relation "kept_here" does not exist', 'an object that is not here');
prints('app', q{print(s:exec('select $1::regclass', spi.execute("select 'only_in_postgres'::regclass r")[1].r).value)}, '42P01: relation "only_in_postgres" does not exist', 'an object of here is not one of there');
prints('app', q{print(s:exec('select $1', spi.execute("select 'a=>1'::hstore h")[1].h).columns[1].type)}, 'text', 'where nothing asks for a type it is text');
prints('app', q{print(s:exec('select ($1::pair).m', spi.execute("select p from (select 1 n, 'sad'::mood m) p")[1].p).value)}, 'sad', 'a record');
prints('app', <<'LUA', "(5,happy)\t{\"h\": \"\\\"a\\\"=>\\\"1\\\"\", \"p\": {\"m\": \"sad\", \"n\": 2}}\t{happy,sad}", 'tables, with such values in them');
local r = spi.execute([[select 'happy'::mood m, (2, 'sad')::pair p, 'a=>1'::hstore h]])[1]
print(s:exec('select $1::pair', {n = 5, m = r.m}).value, s:exec('select $1::jsonb::text', {p = r.p, h = r.h}).value, s:exec('select $1::mood[]', {r.m, 'sad'}).value)
LUA
prints('app', q{print(s:exec('select ($1::pair[])[2].m', {{n = 1, m = 'sad'}, spi.execute("select (2, 'happy')::pair p")[1].p}).value)}, 'happy', 'rows in tables');
prints('app', q{local t = bg.map({'sad', 'happy'}, 'select $1::mood', {database = 'there', args = function(i) return spi.execute('select $1::mood m', i)[1].m end}) print(t[1].value, t[2].value)}, "sad\thappy", 'bg.map');

# Locks over databases.
$node->safe_psql('there', 'CREATE TABLE t (id int PRIMARY KEY, x int); INSERT INTO t VALUES (1, 0), (2, 0); GRANT ALL ON t TO app');
$node->safe_psql('postgres', 'CREATE TABLE here (x int); GRANT ALL ON here TO app');
like(answer($owner, <<'SQL'), qr/^40P01: deadlock detected/, 'a wait for a lock that another session there holds, which nobody but us could end');
DO LANGUAGE pllua_bg $$
	local a <close> = bg.launch{database = 'there'}
	local b <close> = bg.launch{database = 'there'}
	a:exec('begin')
	a:exec('update t set x = 1')
	b:exec('update t set x = 2')
	a:exec('select 1')
$$;
SQL
like(answer($owner, <<'SQL'), qr/^40P01: deadlock detected/, 'a session there whose session here waits for us');
BEGIN;
LOCK here;
SELECT ask('there', $$ do language pllua_bg $x$ local s <close> = bg.launch{database = 'postgres'} s:exec('select * from here') $x$ $$);
SQL
is(answer($owner, <<'SQL'), '08006: background session could not be started', 'a session cannot connect to a database we have locked, and says so');
CREATE DATABASE locked TEMPLATE there;
BEGIN;
ALTER DATABASE locked RENAME TO free;
SELECT ask('free', 'select 1');
SQL

# What launches sessions passes it on.
is(answer('app', <<'SQL'), '10', 'bg.map');
CREATE FUNCTION pg_temp.total() RETURNS int LANGUAGE pllua_bg AS $$
	local sum = 0
	for r in bg.each({1, 2, 3, 4}, "select $1 * (current_database() = 'there')::int", {database = 'there', workers = 2}) do sum = sum + r.value end
	return sum
$$;
SELECT pg_temp.total()
SQL
like(answer('app', "DO LANGUAGE pllua_bg \$\$ bg.map({1, 2}, 'select \$1', {database = 'nowhere'}) \$\$"), qr/^3D000: /, 'to nowhere');
is(answer('app', <<'SQL'), "1\n0", 'DISCARD ALL ends them');
SELECT bg.launch(database => 'there') > 0 AS launched \gset
SELECT count(*) FROM bg.sessions WHERE launcher = pg_backend_pid();
DISCARD ALL;
SELECT count(*) FROM bg.sessions WHERE launcher = pg_backend_pid();
SQL
is(answer('app', <<'SQL'), 'hello', 'notifications of that database');
CREATE FUNCTION pg_temp.heard() RETURNS text LANGUAGE pllua_bg AS $$
	local a <close> = bg.launch{database = 'there'}
	local b <close> = bg.launch{database = 'there'}
	a:exec('listen news')
	b:exec("notify news, 'hello'")
	return a:notification(60).payload
$$;
SELECT pg_temp.heard()
SQL

no_workers_left($node, 'in the end');
server_log_is_clean($node);
$node->stop;
done_testing();
