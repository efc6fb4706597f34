# Nothing of ours lies in what belongs to another role, and nothing another role has made is taken for ours.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

my $node = new_node('foreign');
$node->safe_psql('postgres', 'CREATE ROLE bob LOGIN; CREATE ROLE app LOGIN; CREATE ROLE root SUPERUSER LOGIN; CREATE ROLE rich LOGIN CREATEROLE CREATEDB');

my $database = 0;

# A new database with what is in the script.
sub fresh
{
	$database++;
	$node->safe_psql('postgres', "CREATE DATABASE d$database");
	$node->safe_psql("d$database", $_[0]) if $_[0];
}

# What a script says in the newest database, as a superuser or as another role.
sub out_of
{
	my ($script, $role) = @_;
	my ($code, $out, $err) = $node->psql("d$database", $script, connstr => $node->connstr("d$database") . ($role ? " user=$role" : ''), extra_params => ['-v', 'VERBOSITY=verbose']);
	return $code == 0 ? $out : $err;
}

my $extensions = q{SELECT string_agg(extname::text, ',' ORDER BY extname) FROM pg_extension WHERE starts_with(extname::text, 'pllua')};

# The schema is there already.
for my $owner ('bob', 'root')
{
	fresh("CREATE SCHEMA bg AUTHORIZATION $owner; GRANT CREATE, USAGE ON SCHEMA bg TO bob");
	like(out_of('CREATE EXTENSION pllua_bg'), qr/ERROR:  42P06: schema "bg" already exists.*DETAIL:  It belongs to $owner.*HINT:  Rename it or drop it/s,
		"a schema bg of $owner is not taken over");
	like(out_of('CREATE EXTENSION pllua_pg_background CASCADE'), qr/ERROR:  42P06/, 'neither by way of CASCADE');
	is(out_of($extensions), '', 'nothing is installed');
	is(out_of(q{SELECT count(*) FROM pg_language WHERE lanname = 'pllua_bg'}), '0', 'not even the language');
}
like(out_of('CREATE EXTENSION pllua_bg SCHEMA bg'), qr/ERROR:  0A000: extension "pllua_bg" must be installed in schema "pg_catalog"/, 'nor by naming it');
out_of('ALTER SCHEMA bg RENAME TO old');
is(out_of('CREATE EXTENSION pllua_bg', 'root'), '', 'once it has gone, the extension makes its own');
is(out_of(q{SELECT pg_get_userbyid(nspowner), has_schema_privilege('bob', 'bg', 'USAGE'), has_schema_privilege('bob', 'bg', 'CREATE') FROM pg_namespace WHERE nspname = 'bg'}),
	'root|f|f', 'it belongs to whoever installs, and nobody else has rights on it');
is(out_of(q{SELECT deptype FROM pg_depend WHERE classid = 'pg_namespace'::regclass AND objid = 'bg'::regnamespace AND refclassid = 'pg_extension'::regclass}), 'e',
	'it is a member of the extension');
like(out_of($_), qr/ERROR:  2BP01: cannot drop schema bg because extension pllua_bg requires it/, "$_ is refused") foreach 'DROP SCHEMA bg', 'DROP SCHEMA bg CASCADE';
like(out_of($_, 'bob'), qr/ERROR:  42501/, "$_ as another role is refused")
  foreach 'DROP SCHEMA bg CASCADE', 'CREATE FUNCTION bg.run(int, text, int) RETURNS bigint LANGUAGE sql AS $$ SELECT 1 $$', 'CREATE TABLE bg.sessions2 ()', 'GRANT USAGE ON SCHEMA bg TO PUBLIC',
  'ALTER SCHEMA bg OWNER TO bob', 'ALTER SCHEMA bg RENAME TO mine', 'ALTER EXTENSION pllua_bg DROP SCHEMA bg', 'CREATE OR REPLACE VIEW bg.stat AS SELECT 1', 'DROP EXTENSION pllua_bg CASCADE',
  q{CREATE OR REPLACE FUNCTION bg.detach(pid int) RETURNS void LANGUAGE sql AS ''}, 'DROP SCHEMA pg_catalog CASCADE';
# The owner of the database owns schema public, too.
$node->safe_psql('postgres', "ALTER DATABASE d$database OWNER TO bob");
out_of('DROP SCHEMA public CASCADE', 'bob');
is(out_of($extensions), 'pllua_bg', 'who drops schema public does not drop the extension');
like(out_of('DROP EXTENSION pllua_bg', 'bob'), qr/42501/, 'the owner of the database cannot drop it');
is(out_of('DROP EXTENSION pllua_bg'), '', 'it can be dropped');
is(out_of(q{SELECT count(*) FROM pg_namespace WHERE nspname = 'bg'}), '0', 'with its schema');
is(out_of('CREATE EXTENSION pllua_bg'), '', 'and made again');
out_of('CREATE TABLE bg.mine ()');
like(out_of('DROP EXTENSION pllua_bg'), qr/ERROR:  2BP01: cannot drop extension pllua_bg because other objects depend on it/, 'a table of a user in the schema is not dropped with it');
like(out_of('CREATE EXTENSION pllua_bg; SELECT bg.launch()', 'rich'), qr/42501|42710/, 'only superusers install it');

# Default privileges of the installing role.
fresh('ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO PUBLIC, bob; ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC; CREATE EXTENSION pllua_bg');
is(out_of(q{SELECT has_schema_privilege('bob', 'bg', 'USAGE'), has_schema_privilege('bob', 'bg', 'CREATE')}), 'f|f', 'default privileges do not open the schema');
is(out_of(q{SELECT string_agg(oid::regprocedure::text, ' ' ORDER BY proname) FROM pg_proc WHERE pronamespace = 'bg'::regnamespace AND NOT has_function_privilege('bob', oid, 'EXECUTE')}),
	'bg.connect_anywhere() bg.stat_reset()', 'nor do they close its functions to those who may use it');

# Objects that have the names of ours.
my %planted = (
	'a language' => 'CREATE FUNCTION pg_catalog.x() RETURNS language_handler LANGUAGE c AS $$$libdir/plpgsql$$, $$plpgsql_call_handler$$; CREATE LANGUAGE pllua_bg HANDLER pg_catalog.x; ALTER LANGUAGE pllua_bg OWNER TO bob',
	'a function' => 'CREATE FUNCTION pg_catalog.pllua_bg_validator(oid) RETURNS void LANGUAGE sql AS $$ $$; ALTER FUNCTION pg_catalog.pllua_bg_validator(oid) OWNER TO bob');
for my $what (sort keys %planted)
{
	fresh($planted{$what});
	like(out_of('CREATE EXTENSION pllua_bg'), qr/ERROR:  (42710|42723): .* already exists/, "$what that is there already is not taken over");
	is(out_of($extensions), '', 'nothing is installed');
}
fresh('CREATE EXTENSION pllua_bg; CREATE FUNCTION pg_catalog.pllua_bg_untrusted_validator(oid) RETURNS void LANGUAGE sql AS $$ $$');
like(out_of('CREATE EXTENSION pllua_bgu'), qr/ERROR:  42723/, 'nor a function for pllua_bgu');

# The functions of pg_background.
fresh('CREATE EXTENSION pllua_bg; CREATE SCHEMA bobs AUTHORIZATION bob');
like(out_of("$_ CREATE EXTENSION pllua_pg_background" . ($_ ? '' : ' SCHEMA bobs')),
	qr/ERROR:  42501: schema "bobs" belongs to bob, who could replace the functions of pllua_pg_background\s.*HINT:  Install it into a schema of your own/s, 'pg_background in the schema of another: refused')
  foreach '', 'SET search_path = bobs, public;';
is(out_of($extensions), 'pllua_bg', 'nothing is installed');
out_of('CREATE FUNCTION public.pg_background_launch() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$; GRANT ALL ON SCHEMA public TO bob; ALTER FUNCTION public.pg_background_launch() OWNER TO bob');
like(out_of('CREATE EXTENSION pllua_pg_background'), qr/ERROR:  42723: function "pg_background_launch" already exists with same argument types/, 'a function that is there already is not taken over');
is(out_of('CREATE SCHEMA ours; CREATE EXTENSION pllua_pg_background SCHEMA ours', 'root'), '', 'in a schema of the installing role it is fine');
fresh('CREATE EXTENSION pllua_pg_background CASCADE');
is(out_of($extensions), 'pllua_bg,pllua_pg_background', 'and in public');
is(out_of('CREATE SCHEMA moved; ALTER EXTENSION pllua_pg_background SET SCHEMA moved; SELECT completed FROM moved.pg_background_run($$SELECT 1$$)'), 't', 'it can be moved');

# Operators and functions that any role may plant: none of ours runs them, with any search_path.
fresh(q{
CREATE TABLE trap (what text); GRANT ALL ON trap TO PUBLIC;
GRANT CREATE ON SCHEMA public TO bob;
CREATE TABLE numbers AS SELECT n::smallint AS s, n AS i, n::bigint AS b, date '2020-01-01' + n AS d, timestamp '2020-01-01' + n * interval '1 hour' AS t, timestamptz '2020-01-01' + n * interval '1 hour' AS z FROM generate_series(1, 1000) n;
ANALYZE numbers;});
my @types = ('oid', 'regclass', 'name', 'text', '"char"', 'smallint', 'integer', 'bigint', 'numeric', 'double precision', 'date', 'timestamp', 'timestamptz', 'interval', 'boolean', 'regnamespace', 'regproc');
my $plant = '';
my %results = map { $_ => 'boolean' } ('=', '<>', '<', '>', '<=', '>=', '~', '!~');
my %hooks;
for my $left (@types)
{
	for my $right (@types)
	{
		for my $operator ('=', '<>', '<', '>', '>=', '<=', '~', '!~', '+', '-', '*', '/', '||')
		{
			my $result = $results{$operator} // $left;
			(my $name = "f_${left}_${right}_$result") =~ s/\W//g;
			$plant .= qq{CREATE FUNCTION public.$name($left, $right) RETURNS $result LANGUAGE plpgsql AS 'BEGIN INSERT INTO public.trap VALUES (''operator $left $right''); RETURN NULL; END';\n} unless $hooks{$name}++;
			$plant .= "CREATE OPERATOR public.$operator (leftarg = $left, rightarg = $right, function = public.$name);\n";
		}
	}
}
for my $function ('min(anyelement)', 'max(anyelement)', 'floor(numeric)', 'floor(double precision)', 'isfinite(date)', 'isfinite(timestamp)', 'isfinite(timestamptz)', 'quote_ident(text)', 'textlike(text, text)',
	'pg_relation_size(oid)', 'current_setting(text)', 'generate_series(bigint, bigint)', 'format_type(oid, integer)', 'current_schema()', 'pg_get_userbyid(oid)', 'backend_sessions()', 'now()')
{
	$plant .= qq{CREATE FUNCTION public.$function RETURNS text LANGUAGE plpgsql AS 'BEGIN INSERT INTO public.trap VALUES (''function $function''); RETURN NULL; END';\n} unless $function =~ /anyelement/;
}
$plant .= "CREATE VIEW public.$_ AS SELECT 1 AS oid;\n" foreach qw(pg_class pg_namespace pg_roles pg_attribute pg_inherits pg_depend pg_proc pg_extension pg_stat_activity);
my ($code, $out, $err) = $node->psql("d$database", $plant, connstr => $node->connstr("d$database") . ' user=bob', on_error_stop => 1);
is($err, '', 'a role has planted what it can');
my $hostile = 'SET search_path = public, pg_catalog;';
isnt(out_of("$hostile SELECT 1::int + 1::int"), '2', 'it works for who is not careful');
is(out_of('SELECT count(*) > 0 FROM trap'), 't', 'and leaves a trace');
out_of('TRUNCATE trap');
out_of("$hostile CREATE EXTENSION pllua_bg; CREATE EXTENSION pllua_bgu; CREATE EXTENSION pllua_pg_background;");
is(out_of($extensions), 'pllua_bg,pllua_bgu,pllua_pg_background', 'the extensions are installed');
like(out_of("$hostile CREATE SCHEMA bobs AUTHORIZATION bob; CREATE SCHEMA ours; SELECT 1"), qr/1/, 'schemas');
out_of("$hostile SELECT grant_pg_background_privileges('app'), revoke_pg_background_privileges('app')");
for my $key ("by = 'ctid', rows = 100", map { ("by = '$_', size = 100", "by = '$_', rows = 100") } qw(s i b d t z))
{
	my $chunks = out_of("$hostile " . 'DO LANGUAGE pllua_bg $$ local n, sum = 0, 0 for c in bg.chunks("public.numbers", {' . $key . '}) do n = c.n end spi.execute("select pg_catalog.set_config($1, $2, false)", "t.n", tostring(n)) $$; SELECT pg_catalog.current_setting($$t.n$$)');
	cmp_ok($chunks, '>', 3, "bg.chunks with $key");
}
my $everything = q{
SELECT bg.launch(name => 'x') AS pid \gset
SELECT bg.run(:pid, 'SELECT $1', 5), bg.wait(:pid);
SELECT * FROM bg.result(:pid) AS (a int);
SELECT pid, state FROM bg.sessions;
SELECT * FROM bg.stat;
SELECT bg.close(:pid);
SELECT pid, cookie FROM pg_background_launch_v2('SELECT 5', 0, 'l') AS h \gset
SELECT pg_background_wait(:pid, :cookie), pg_background_cancel_by_label('l%');
SELECT * FROM pg_background_list; SELECT * FROM pg_background_activity;
SELECT * FROM pg_background_result(:pid, :cookie) AS (a int);
SELECT pg_background_run('SELECT 5');
SELECT pg_background_stats();
DO LANGUAGE pllua_bg $$ do local s <close> = bg.launch() s:atomic(function() s:exec('select 1') end) end bg.map({1, 2}, function(i, s) return i end) bg.autonomous('select 1') $$;
SELECT 'done';
};
like(out_of("$hostile $everything"), qr/done$/, 'all kinds of functions run');
is(out_of('SELECT string_agg(DISTINCT what, $$, $$) FROM trap'), '', 'nothing planted was run by what is ours');

# Dump and restore.
fresh(q{CREATE EXTENSION pllua_bg; CREATE EXTENSION pllua_bgu; CREATE EXTENSION pllua_pg_background;
GRANT USAGE ON SCHEMA bg TO app; GRANT EXECUTE ON FUNCTION bg.stat_reset() TO app; SELECT grant_pg_background_privileges('bob');
CREATE FUNCTION five() RETURNS int LANGUAGE pllua_bg AS 'return bg.autonomous("select 5").value'});
my $dump = $node->basedir . '/dump.sql';
$node->command_ok([ 'pg_dump', '-f', $dump, '-d', "d$database" ], 'pg_dump');
fresh();
$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', $dump, '-d', "d$database" ], 'the dump is restored');
is(out_of($extensions), 'pllua_bg,pllua_bgu,pllua_pg_background', 'with its extensions');
is(out_of('SELECT five()', 'app'), '5', 'with the rights on schema bg');
is(out_of(q{SELECT has_function_privilege('app', 'bg.stat_reset()', 'EXECUTE'), has_schema_privilege('bob', 'bg', 'USAGE'), has_schema_privilege('bob', 'bg', 'CREATE'),
	has_function_privilege('bob', 'pg_background_purge()', 'EXECUTE')}), 't|t|f|t', 'and those on its functions');
is(out_of(q{SELECT count(*) FROM pg_depend WHERE classid = 'pg_namespace'::regclass AND objid = 'bg'::regnamespace AND deptype = 'e'}), '1', 'the schema is a member again');

$node->stop;
done_testing();
