# Work on several servers: the list of them, items that may be done anywhere or belong somewhere, a statement on all, and the shards of Citus. Of Citus only its catalogs are
# there, made by hand: the extension is in no distribution.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

my @far = map { new_node("far$_") } 1, 2;
my $node = new_node('near', "shared_preload_libraries = 'pllua_bg'\nmax_worker_processes = 6\npllua_bg.jobs = off\npllua_bg.launch_wait = '200ms'\nallow_system_table_mods = on\n");

$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION pllua_bg;
CREATE EXTENSION postgres_fdw;
CREATE EXTENSION file_fdw;
CREATE ROLE app LOGIN;
GRANT USAGE ON SCHEMA bg TO app;
CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
CREATE USER MAPPING FOR PUBLIC SERVER files;
CREATE TABLE local_t (id int);
SQL
my ($place, $shard) = (0, 0);
for my $far (@far)
{
	$far->safe_psql('postgres', "CREATE DATABASE shard_$_") for 2 * $place, 2 * $place + 1;
	for my $n (2 * $place, 2 * $place + 1)
	{
		$far->safe_psql("shard_$n", "CREATE TABLE t (id int); INSERT INTO t SELECT i FROM generate_series(1, 1000) i WHERE i % 4 = $n");
		$node->safe_psql('postgres', sprintf(q{CREATE SERVER shard_%d FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '%s', port '%s', dbname 'shard_%d'); CREATE USER MAPPING FOR CURRENT_USER SERVER shard_%d},
			$n, $far->host, $far->port, $n, $n));
	}
	$place++;
}

# What Lua code prints, or the error.
sub lua
{
	my ($code, $role) = @_;
	my (undef, undef, $error) = $node->psql('postgres', "\\set VERBOSITY verbose\n\\set SHOW_CONTEXT never\ndo language pllua_bg \$lua\$ $code \$lua\$", $role ? (extra_params => [ '-U', $role ]) : ());
	$error =~ s/^psql:<stdin>:\d+: //mg;
	$error =~ s/^INFO:  \S+: //mg;
	$error =~ s/^LOCATION:.*\n?//mg;
	return $error;
}

# Which servers there are.
is(lua('print(table.concat(bg.nodes(), " "))'), 'shard_0 shard_1 shard_2 shard_3', 'all servers that sessions can be on');
is(lua('local n = bg.nodes("%2") print(n.n, n[1])'), "1\tshard_2", 'those of a pattern');
is(lua('local n = bg.nodes("nothing%") print(n.n, #n)'), "0\t0", 'none');
is(lua('print(table.concat(bg.nodes{"shard_3", "shard_1"}, " "))'), 'shard_3 shard_1', 'a list');
is(lua('bg.nodes{"shard_1", "no_such"}'), "ERROR:  42704: server \"no_such\" does not exist\nHINT:  bg.nodes() has the names of those that there are for sessions.", 'a name that is none');
is(lua('bg.nodes{"files"}'), "ERROR:  42704: server \"files\" does not exist\nHINT:  bg.nodes() has the names of those that there are for sessions.", 'a server of another wrapper');
is(lua('print(bg.nodes().n)', 'app'), '0', 'those that the role may use');
is(lua('bg.nodes{"shard_1"}', 'app'), 'ERROR:  42501: permission denied for foreign server shard_1', 'one that it may not');
like(lua('bg.nodes(1)'), qr/^ERROR:  22023: the pattern of bg.nodes, unless it is a list, must be a string, not 1/, 'neither');
$node->safe_psql('postgres', <<'SQL');
CREATE SCHEMA trap;
CREATE FUNCTION trap.like_text(text, text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'trapped'; END $$;
CREATE OPERATOR trap.~~ (leftarg = text, rightarg = text, function = trap.like_text);
SQL
is(lua('spi.execute("set local search_path = trap, pg_catalog") print(bg.nodes("shard_0")[1])'), 'shard_0', 'operators of others are not called');

# Everybody who may know what a session does sees where it is.
$node->safe_psql('postgres', 'CREATE DATABASE beside');
$node->safe_psql('beside', 'CREATE EXTENSION pllua_bg');
my $psql = new_psql($node);
my $seen = q{SELECT name, database, server FROM bg.sessions ORDER BY name};
my $where = "a|postgres|shard_1\nb|beside|\nc|postgres|";
$psql->query_safe("SELECT FROM bg.launch(name => 'a', server => 'shard_1'); SELECT FROM bg.launch(name => 'b', database => 'beside'); SELECT FROM bg.launch(name => 'c')");
is($psql->query_safe($seen), $where, 'where the own sessions are');
ok($node->poll_query_until('postgres', 'SELECT count(*) = 3 FROM bg.sessions WHERE pid IS NOT NULL'), 'three sessions');
is($node->safe_psql('postgres', $seen), $where, 'where those of another backend are');
is($node->safe_psql('postgres', 'SELECT count(*), count(server) FROM bg.sessions', extra_params => [ '-U', 'app' ]), '3|0', 'who may not know what they do does not see it');
$psql->quit;
ok($node->poll_query_until('postgres', 'SELECT count(*) = 0 FROM bg.sessions'), 'they have ended');

# A statement on all of them.
is(lua('local r = bg.on_all(bg.nodes(), "select current_database()::text, count(*)::int as n from t where id > $1", 500)
	for i = 1, r.n do print(r[i][1].current_database, r[i][1].n) end'),
	"shard_0\t125\nshard_1\t125\nshard_2\t125\nshard_3\t125", 'a statement on all');
like(lua('bg.on_all({"shard_0", "shard_1"}, "select 1 / (current_database() = $1)::int", "shard_0")'), qr/^ERROR:  22012: division by zero/, 'an error');
like(lua('bg.on_all({"shard_0", "no_such"}, "select 1")'), qr/^ERROR:  42704: server "no_such" does not exist/, 'a server that is none');

# Items that may be done anywhere, with so many sessions on each; items that belong to a server.
is(lua('local r = bg.map({1, 2, 3, 4, 5, 6, 7, 8}, "select $1::int * 10", {server = {"shard_0", "shard_1"}, workers = 2})
	local t = {} for i = 1, r.n do t[i] = r[i].value end print(table.concat(t, " "))'), '10 20 30 40 50 60 70 80', 'items on any server, a statement');
my $by_server = q{
	local items = {}
	for i = 1, 40 do items[i] = i end
	local function home(i) return 'shard_' .. i % 4 end
	local function look(s, i) return s:exec("select count(*)::int from t where id = $1", i).value end
	local r = bg.map(items, look, {server = home, workers = %d})
	local found = 0
	for i = 1, r.n do found = found + r[i] end
	local st = bg.map(items, "select count(*)::int from t where id = $1", {server = home, workers = %d})
	for i = 1, st.n do found = found + st[i].value end
	print(r.n, found)
	for r in bg.each(items, look, {server = home, workers = 1}) do found = found + r end
	print(found)};
is(lua(sprintf($by_server, 1, 2)), "40\t80\n120", 'items that belong to a server find what is there');
is(lua(sprintf($by_server, 4, 4)), "40\t80\n120", 'with more sessions than there are slots, too');
like(lua('local r, e = bg.map({"shard_0", "no_such", "shard_1"}, "select 1", {server = function(name) return name end, errors = "collect"})'),
	qr/^ERROR:  42704: server "no_such" does not exist/, 'a server that there is not is an error of the call');
$far[1]->stop;
is(lua('local r, e = bg.map({0, 1, 2, 3}, function(s, i) return s:exec("select current_database()::text").value end, {server = function(i) return "shard_" .. i end, errors = "collect"})
	print(r[1], r[2], r[3], r[4], e.n, e[3].sqlstate, e[4].sqlstate)'), "shard_0\tshard_1\tnil\tnil\t2\t08001\t08001", 'one that does not answer is an error of its items');
$far[1]->start;

# One state of a server for all sessions there, however much is written meanwhile: each item writes a row, none sees another's.
my $one_state = q{
	local items = {1, 2, 3, 4, 5, 6}
	local writer = {shard_0 = bg.launch{server = 'shard_0'}, shard_1 = bg.launch{server = 'shard_1'}}
	for _, s in pairs(writer) do s:exec('create table seen (item int)') end
	local function look(s, i)
		local n = s:exec('select count(*)::int from seen').value
		for _, w in pairs(writer) do w:exec('insert into seen values ($1)', i) end
		return n
	end
	local function total(r) local sum = 0 for i = 1, r.n do sum = sum + (type(r[i]) == 'number' and r[i] or r[i].value) end return sum end
	local before = writer.shard_0:exec('select count(*)::int from seen').value
	print(total(bg.map(items, look, {server = 'shard_0', workers = 2, snapshot = true})), writer.shard_0:exec('select count(*)::int from seen').value)
	print(total(bg.map(items, 'select count(*)::int from seen where $1::int > 0', {server = 'shard_0', workers = 2, snapshot = true})))
	local first = {}
	local r = bg.map(items, function(s, i) return {look(s, i), s:exec('select current_database()::text').value} end, {server = {'shard_0', 'shard_1'}, workers = 1, snapshot = true})
	for i = 1, r.n do first[r[i][2]] = first[r[i][2]] or r[i][1] if first[r[i][2]] ~= r[i][1] then print('not one state', r[i][2]) end end
	local r, e = bg.map(items, function(s, i) if i == 2 then s:exec('select 1/0') end return look(s, i) end, {server = 'shard_0', workers = 1, snapshot = true, errors = 'collect'})
	print(r[1] == r[6], r[2], e.n)
	for _, s in pairs(writer) do s:exec('drop table seen') s:close() end};
is(lua($one_state), "0\t6\n36\ntrue\tnil\t1", 'bg.map with one state of each server');
is(lua(q{
	local a <close> = bg.launch{server = 'shard_0'}
	local function try(options) local ok, e = pcall(bg.launch, options) print(ok or e.sqlstate, ok or e.message) end
	try{server = 'shard_0', snapshot = a}
	a:begin{isolation = 'repeatable read'}
	a:exec('select 1')
	local w <close> = bg.launch{server = 'shard_0'}
	w:exec('insert into t values (5000)')
	local b <close> = bg.launch{server = 'shard_0', snapshot = a}
	print(b:status().transaction, b:exec('select count(*)::int from t').value, w:exec('delete from t where id = 5000').tag)
	try{server = 'shard_1', snapshot = a}
	try{server = 'shard_0', snapshot = 1}
	pcall(a.exec, a, 'select 1/0')
	try{server = 'shard_0', snapshot = a}
	print(#bg.sessions())}), <<'TEXT' =~ s/\n\z//r, 'a session with the snapshot of another one');
25P01	the session whose snapshot is to be shared is in no transaction
T	250	DELETE 1
0A000	cannot import a snapshot from a different database
22023	option snapshot must be true, false or a session, not 1
25P01	the session whose snapshot is to be shared is in no transaction
3
TEXT

# The shards of Citus.
like(lua('bg.citus.nodes()'), qr/^ERROR:  55000: this database has no nodes of Citus/, 'no Citus');
like(lua('bg.citus.shards("local_t")'), qr/^ERROR:  55000: /, 'no shards');
my @address = map { [ $_->host, $_->port ] } @far;
$node->safe_psql('postgres', <<"SQL");
CREATE TABLE pg_catalog.pg_dist_node (nodeid int, groupid int, nodename text, nodeport int, noderole text, isactive boolean, shouldhaveshards boolean);
INSERT INTO pg_dist_node VALUES (1, 1, '$address[0][0]', $address[0][1], 'primary', true, true), (2, 2, '$address[1][0]', $address[1][1], 'primary', true, false), (3, 3, 'elsewhere', 5432, 'primary', false, true);
CREATE TABLE "Distributed" (id int);
CREATE TABLE lost (id int);
CREATE TABLE pg_catalog.shards_there (table_name regclass, shardid bigint, shard_name text, citus_table_type text, nodename text, nodeport int, shard_size bigint);
CREATE VIEW pg_catalog.citus_shards AS TABLE shards_there;
INSERT INTO shards_there VALUES ('"Distributed"', 11, 'public."Distributed_11"', 'distributed', '$address[0][0]', $address[0][1], 8192), ('"Distributed"', 12, 'public."Distributed_12"', 'distributed', '$address[1][0]', $address[1][1], 8192),
	('"Distributed"', 13, 'public."Distributed_13"', 'distributed', '$address[0][0]', $address[0][1], 8192), ('lost', 21, 'public.lost_21', 'distributed', 'elsewhere', 5432, 0);
SQL
$far[0]->safe_psql('shard_0', 'CREATE TABLE "Distributed_11" AS SELECT generate_series(1, 10) id; CREATE TABLE "Distributed_13" AS SELECT generate_series(1, 30) id');
$far[1]->safe_psql('shard_2', 'CREATE TABLE "Distributed_12" AS SELECT generate_series(1, 20) id');
is(lua('for _, n in ipairs(bg.citus.nodes()) do print(n.id, n.role, n.active, n.has_shards, n.server) end'), "1\tprimary\ttrue\ttrue\tshard_0\n2\tprimary\ttrue\tfalse\tshard_2\n3\tprimary\tfalse\ttrue\tnil", 'nodes');
is(lua(q{for _, s in ipairs(bg.citus.shards('"Distributed"')) do print(s.id, s.name, s.size, s.server) end}),
	"11\tpublic.\"Distributed_11\"\t8192\tshard_0\n12\tpublic.\"Distributed_12\"\t8192\tshard_2\n13\tpublic.\"Distributed_13\"\t8192\tshard_0", 'shards');
is(lua(q{local r, e, shards = bg.citus.map('"Distributed"', "select count(*)::int, %L::regclass::text as name from %I where 7 %% 2 = 1", {per_node = 2})
	for i = 1, r.n do print(shards[i].id, r[i][1].count, r[i][1].name) end}), "11\t10\t\"Distributed_11\"\n12\t20\t\"Distributed_12\"\n13\t30\t\"Distributed_13\"", 'a statement on each shard');
is(lua(q{print(bg.citus.map('"Distributed"', 'vacuum %I').n)}), '3', 'one that cannot be in a transaction');
like(lua(q{bg.citus.map('"Distributed"', 'vacuum %x')}), qr/^ERROR:  22023: "%x" in the statement of bg.citus.map is none of %I, %L and %%/, 'a placeholder that is none');
like(lua(q{bg.citus.map('lost', 'vacuum %I')}), qr/^ERROR:  42704: there is no foreign server for node elsewhere:5432\nHINT:  CREATE SERVER/, 'a node without a server');
like(lua(q{bg.citus.shards('no_such_table')}), qr/^ERROR:  42P01: relation "no_such_table" does not exist/, 'no such table');

is($node->safe_psql('postgres', q{SELECT count(*) FROM bg.sessions}), 0, 'no session is left');
server_log_is_clean($node);
$_->stop for $node, @far;
done_testing();
