# Values of types of users from another server: which type they have here, whatever was made or renamed there meanwhile, and what is text.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

my $far = new_node('far', "log_statement = all\n");
my $node = new_node('near', "max_worker_processes = 16\n");
$far->safe_psql('postgres', 'CREATE EXTENSION hstore; SELECT lo_create(0) FROM generate_series(1, 7)'); # OIDs are others there
for my $server ($far, $node)
{
	$server->safe_psql('postgres', <<'SQL');
CREATE ROLE app LOGIN SUPERUSER;
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE TYPE pair AS (n int, m mood);
CREATE DOMAIN small AS int CHECK (value < 10);
CREATE DOMAIN low AS mood;
CREATE TYPE boxed AS (s small);
CREATE TYPE moods AS RANGE (subtype = mood);
CREATE TYPE "Odd [name].x" AS ENUM ('odd');
CREATE SCHEMA hidden;
CREATE TYPE hidden.kind AS ENUM ('good');
CREATE TABLE event (id int, m mood);
SQL
}
$far->safe_psql('postgres', <<'SQL');
CREATE TYPE only_there AS ENUM ('a');
CREATE TYPE later AS ENUM ('x');
CREATE TYPE uneven AS (a int, b int);
CREATE TYPE wider AS ENUM ('known', 'other');
CREATE TYPE snare AS ENUM ('x');
CREATE TABLE t AS SELECT i, CASE WHEN i % 2 = 0 THEN 'sad' ELSE 'happy' END::mood m FROM generate_series(1, 10000) i;
SQL
my ($host, $port) = ($far->host, $far->port);
$node->safe_psql('postgres', <<"SQL");
ALTER ROLE app NOSUPERUSER;
CREATE EXTENSION hstore;
CREATE EXTENSION pllua_bg;
CREATE EXTENSION postgres_fdw;
CREATE TYPE uneven AS (a int);
CREATE TYPE wider AS ENUM ('known');
CREATE FUNCTION sprung(text) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''sprung''; END';
CREATE DOMAIN snare AS text CHECK (sprung(value));
GRANT USAGE ON SCHEMA bg TO app;
CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '$host', port '$port', dbname 'postgres');
GRANT USAGE ON FOREIGN SERVER far TO app;
CREATE USER MAPPING FOR PUBLIC SERVER far OPTIONS (user 'app', password_required 'false');
SQL

# What Lua code prints that has a session there, `s`; or its error.
sub prints
{
	my ($code, $expected, $test, $role) = @_;
	my (undef, undef, $error) = $node->psql('postgres', "\\set VERBOSITY verbose\nDO LANGUAGE pllua_bg \$lua\$ local s <close> = bg.launch{server = 'far'}\n$code \$lua\$",
		extra_params => [ '-U', $role // 'app' ]);
	my $got = join "\n", $error =~ /^(?:psql:\S+ )?(?:INFO:  00000: |(?=ERROR:))(.*)$/mg;
	$got =~ s/^ERROR:\s+//;
	return is($got, $expected, $test);
}

# What a value is, what its type is called, and whether it has that type here.
my $show = 'local function show(query, ...) local r = s:exec(query, ...) local c = r.columns[1] print(tostring(r.value), c.type, c.oid == 25 and "text" or c.oid == spi.execute("select $1::regtype::oid as o", c.type)[1].o) end';
prints("$show show([[select 'happy'::mood]])", "happy\tpublic.mood\ttrue", 'an enum');
prints("$show show([=[select array['happy', 'sad']::mood[]]=])", "{happy,sad}\tpublic.mood[]\ttrue", 'an array of them');
prints("$show show([[select (1, 'sad')::pair]])", "(1,sad)\tpublic.pair\ttrue", 'a row type');
prints(q{print(s:exec([[select (1, 'sad')::pair]]).value.m, s:exec([=[select array[(1, 'sad')::pair]]=]).value[1].n)}, "sad\t1", 'whose fields have names');
prints("$show show('select 9::small')", "9\tinteger\ttrue", 'a domain is what it is over');
prints("$show show([[select 'sad'::low]])", "sad\tpublic.mood\ttrue", 'also over a type of users');
prints("$show show('select row(9)::boxed')", "(9)\tpublic.boxed\ttext", 'one within a type here: text, no constraint is run');
prints("$show show([[select 'x'::snare]])", "x\tpublic.snare\ttext", 'that server cannot have a domain of here run its constraints');
prints("$show show([[select moods('sad', 'happy')]])", "[sad,happy)\tpublic.moods\ttrue", 'a range');
prints("$show show([[select 'a=>1'::hstore]])", "\"a\"=>\"1\"\tpublic.hstore\ttrue", 'a type of an extension');
prints("$show show([[select 'odd'::\"Odd [name].x\"]])", "odd\tpublic.\"Odd [name].x\"\ttrue", 'a name that has to be quoted');
prints("$show show([[select 'a'::only_there]])", "a\tpublic.only_there\ttext", 'one that is not here: text');
prints("$show show([[select 'good'::hidden.kind]])", "good\thidden.kind\ttext", 'nor is one in a schema the role may not use');
prints("$show show([[select 'good'::hidden.kind]])", "good\thidden.kind\ttrue", 'who may has it', $node->safe_psql('postgres', 'SELECT current_user'));
prints("$show show([[select e from (values (1, 'sad'::mood)) e(id, m)]])", "(1,sad)\ttext\ttext", 'a record is text');
prints("$show show([[select null::event]])", "nil\ttext\ttext", 'and the row of a table');
prints("$show show([[select 'happy'::mood where \$1 = 1]], 1) local st = s:prepare([[select 'sad'::mood]]) print(st:exec().columns[1].type)", "happy\tpublic.mood\ttrue\npublic.mood", 'with parameters, and prepared');
prints(q{local n = 0 for row in s:rows([[select i, m from t]]) do n = n + 1 assert(tostring(row.m) == (row.i % 2 == 0 and 'sad' or 'happy')) end print(n)}, '10000', 'rows that are read while they come');
prints(q{local r = s:exec([[select m from t where m > $1 limit 1]], spi.execute([[select 'sad'::mood as m]])[1].m) print(r.value)}, 'happy', 'as parameter');

# What is another type here says so; the session goes on.
prints(q{local ok, e = pcall(s.exec, s, [[select 1 as a, 'known'::wider as w, 'other'::wider as v]]) if ok then ok, e = pcall(function() return e[1].v end) end
	print(e.sqlstate, e.message, (e.context:match('[^\n]*column[^\n]*'))) print(s:exec([[select 'other'::wider::text]]).value)},
	"22P02\tinvalid input value for enum wider: \"other\"\tcolumn \"v\" of type public.wider\nother", 'a label that is not here');
prints(q{print(s:exec([[select (1, 2)::uneven as u]])[1].u)}, '22P02: malformed record literal: "(1,2)"', 'a row type with other columns');

# Types made or renamed since, there and by the session itself.
prints(<<"LUA", "public.later\npublic.fresh\npublic.named\ntext\npublic.within\ntext\npublic.unseen", 'types that were made or renamed since');
print(s:exec([[select 'x'::later]]).columns[1].type)
s:exec([[create type fresh as enum ('f')]]) print(s:exec([[select 'f'::fresh]]).columns[1].type)
s:exec([[alter type fresh rename to named]]) print(s:exec([[select 'f'::named]]).columns[1].type)
s:begin() s:exec([[create type within as enum ('i')]]) print(s:exec([[select 'i'::within]]).columns[1].type) s:commit()
print(s:exec([[select 'i'::within]]).columns[1].type)
do local other <close> = bg.launch{server = 'far'} other:exec([[create type unseen as enum ('u')]]) end
print(s:exec([[select 'u'::unseen]]).columns[1].type)
print(s:exec([[select 'u'::unseen]]).columns[1].type)
LUA
# How often the names are read: what has none is asked for once.
sub readings { return scalar(() = slurp_file($far->logfile) =~ /statement: select .* from pg_catalog\.pg_type t /g) }
my $before = readings();
prints("for i = 1, 3 do print(s:exec('select null::event').columns[1].type) end", "text\ntext\ntext", 'what has no name');
is(readings() - $before, 2, 'is asked for once');

# In SQL.
is($node->safe_psql('postgres', <<'SQL'), "happy|(1,sad)|a\nhappy", 'in SQL');
SELECT bg.launch(server => 'far') AS pid \gset
SELECT bg.run(:pid, $$ select 'happy'::mood, (1, 'sad')::pair, 'a'::only_there $$) IS NULL AS no \gset
SELECT * FROM bg.result(:pid) AS (m mood, p pair, r text);
SELECT bg.run(:pid, $$ select 'happy'::mood $$) IS NULL AS no \gset
SELECT * FROM bg.result(:pid) AS (m text);
SQL

# Values that are read without their input functions are what these make of them, near every edge and anywhere.
my %values = (
	int2 => [ q{'-32768', '32767', '0', '-1'}, '(random() * 65535 - 32768)' ],
	int4 => [ q{'-2147483648', '2147483647', '0', '-1'}, '(random() * 4294967295 - 2147483648)' ],
	int8 => [ q{'-9223372036854775808', '9223372036854775807', '999999999999999999', '-999999999999999999', '1000000000000000000', '0'}, '((random() - 0.5) * 1e18)' ],
	float8 => [ q{'0', '-0', '1', '-1.5', '0.1', '1e300', '1e-300', 'NaN', 'Infinity', '-Infinity', '123456789012345', '1234567890123456', '99999999999999.9', '0.00001', '1e15', '0.1234567890123'},
		'round(((random() - 0.5) * 10 ^ (i % 12))::numeric, i % 7)' ],
	bool => [ q{'t', 'f'}, '(random() < 0.5)' ],
	varchar => [ q{'', 'ä', ' '}, 'chr(97 + i % 26)' ],
	bpchar => [ q{'', 'ä', 'x  '}, 'chr(97 + i % 26)' ],
	'char(3)' => [ q{'', 'ä', 'x  '}, 'chr(97 + i % 26)' ],
	date => [ q{'2000-01-01', '2000-02-29', '1900-02-28', '0001-01-01', '0001-12-31 BC', '9999-12-31', '10000-01-01', '4714-11-24 BC', 'infinity', '-infinity'}, q{('0001-01-01'::date + (random() * 3650000)::int)} ],
	timestamp => [ q{'2000-01-01', '2000-02-29 23:59:59.999999', '1999-12-31 23:59:59.000001', '2020-02-03 04:05:06.7', '0001-01-01', '0044-03-15 01:02:03 BC', '9999-12-31 23:59:59.5', '10000-01-01', 'infinity', '-infinity'},
		q{('0001-01-01'::timestamp + random() * interval '9990 years')} ],
	timestamptz => [ q{'2000-01-01', '2000-02-29 23:59:59.999999', '1999-12-31 23:59:59.000001', '2020-02-03 04:05:06.7', '0002-01-01', '0044-03-15 01:02:03 BC', '1880-01-01', '9999-12-31 23:59:59.5', '10000-01-01', 'infinity', '-infinity'},
		q{('0002-01-01'::timestamptz + random() * interval '9990 years')} ]);
for my $type (sort keys %values)
{
	my ($edges, $any) = @{ $values{$type} };
	for my $zone ($type eq 'timestamptz' ? ('UTC', 'Asia/Kolkata', 'America/St_Johns', 'Africa/Monrovia') : ('UTC'))
	{
		is($node->safe_psql('postgres', <<"SQL"), "t|1|0", "values of $type, $zone");
SET timezone = '$zone';
SELECT bg.launch(server => 'far') AS pid \\gset
SELECT bg.run(:pid, \$\$ select v, v::text from (select unnest(array[$edges, null])::$type v union all select $any\::$type from generate_series(1, 2000) i) x \$\$) IS NULL AS no \\gset
SELECT count(*) > 2000, sum((v IS NULL)::int), sum((v IS DISTINCT FROM t::$type OR v::text <> t)::int) FROM bg.result(:pid) AS (v $type, t text);
SQL
	}
}

# Whoever owns the search_path there has no say in it.
$far->safe_psql('postgres', <<'SQL');
CREATE SCHEMA evil;
CREATE FUNCTION evil.caught(oid, oid) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''caught''; END';
CREATE FUNCTION evil.quote_ident(name) RETURNS text LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''caught''; END';
CREATE OPERATOR evil.= (leftarg = oid, rightarg = oid, function = evil.caught);
CREATE OPERATOR evil.>= (leftarg = oid, rightarg = oid, function = evil.caught);
CREATE TABLE evil.pg_type ();
CREATE TABLE evil.pg_class ();
CREATE TABLE evil.pg_namespace ();
ALTER ROLE app SET search_path = evil, pg_catalog;
SQL
prints("$show show([[select 'happy'::public.mood]]) s:exec('create type public.made as enum ()') show([[select null::public.made]])", "happy\tpublic.mood\ttrue\nnil\tpublic.made\ttext", 'a search_path of somebody else');

server_log_is_clean($node);
server_log_is_clean($far);
done_testing();
