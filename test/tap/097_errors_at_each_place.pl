# An error in the middle of entering, leaving or undoing: where SPI is connected, where a subtransaction begins, commits or is rolled back. Whoever
# catches it, the backend is as it was, and nothing is left of the connections and subtransactions.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

my $node = new_node('places', "max_worker_processes = 8\n");
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION pllua_bg;
CREATE TABLE t (x int);
-- In Lua: one level, two levels, an entry inside an entry, one inside plpgsql inside Lua, a set, an error after the work.
CREATE FUNCTION plain() RETURNS int LANGUAGE pllua_bg AS $$ return spi.execute('select 1 as x')[1].x $$;
CREATE FUNCTION writes() RETURNS int LANGUAGE pllua_bg AS $$ spi.execute('insert into t values (1)') return 1 $$;
CREATE FUNCTION catches() RETURNS text LANGUAGE pllua_bg AS $$
	local ok, e = pcall(function() return spi.execute('select writes() as x')[1].x end)
	return ok and 'good' or e.sqlstate
$$;
CREATE FUNCTION catches_deep() RETURNS text LANGUAGE pllua_bg AS $$
	local ok, e = pcall(function() local good, inner = pcall(function() spi.execute('select writes()') error('inner') end) return spi.execute('select writes() as x')[1].x end)
	return ok and 'good' or tostring(e.sqlstate)
$$;
CREATE FUNCTION in_sql() RETURNS int LANGUAGE plpgsql AS $$ BEGIN PERFORM plain(); RETURN writes(); END $$;
CREATE FUNCTION calls_sql() RETURNS int LANGUAGE pllua_bg AS $$ spi.execute('select 1') return spi.execute('select in_sql() as x')[1].x $$;
CREATE FUNCTION sql_catches() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM plain();
	BEGIN
		PERFORM calls_sql();
	EXCEPTION WHEN OTHERS THEN
		PERFORM plain();
		RETURN sqlstate;
	END;
	RETURN 'good';
END $$;
CREATE FUNCTION rows_of() RETURNS SETOF int LANGUAGE pllua_bg AS $$
	for i = 1, 3 do coroutine.yield(select(2, pcall(function() return spi.execute('select writes() as x')[1].x end)) and i) end
$$;
CREATE FUNCTION pure_in_pcall() RETURNS text LANGUAGE pllua_bg AS $$
	local ok, e = pcall(function() return tostring(pgtype.numeric(1):tonumber()) .. tostring(pgtype.date('2020-01-01')) end)
	return ok and 'good' or tostring(e.sqlstate or e)
$$;
CREATE FUNCTION fails_inside() RETURNS text LANGUAGE pllua_bg AS $$
	local ok, e = pcall(function() spi.execute('select writes()') spi.execute('select 1/0') end)
	return e.sqlstate
$$;
CREATE PROCEDURE commits() LANGUAGE pllua_bg AS $$ spi.execute('insert into t values (1)') spi.commit() pcall(function() spi.execute('insert into t values (1)') end) spi.commit() $$;
SQL
unless (has_fault_points($node))
{
	$node->stop;
	plan skip_all => 'built without fault points';
}

my @statements = (
	'SELECT plain()', 'SELECT writes()', 'SELECT catches()', 'SELECT catches_deep()', 'SELECT calls_sql()', 'SELECT sql_catches()',
	'SELECT rows_of()', 'SELECT * FROM rows_of()', 'SELECT pure_in_pcall()', 'SELECT fails_inside()', 'CALL commits()',
	'DO LANGUAGE pllua_bg $$ for i = 1, 3 do pcall(function() local n = server.execute("select writes()") end) end $$');
my @faults = map { ("$_=once", $_ eq 'subxact-abort' ? () : "$_=error") } qw(spi-connect spi-connected subxact-start subxact-commit subxact-abort);

# What each statement gives, and the rows it leaves, when nothing goes wrong.
my $check = join "\n", map { "$_;" } ('SELECT plain(), writes(), catches(), catches_deep(), calls_sql(), sql_catches(), pure_in_pcall(), fails_inside()', 'SELECT count(*) FROM rows_of()');
my $right = $node->safe_psql('postgres', $check);

# Newer servers let nobody survive a subtransaction that cannot be begun: the session ends, and nothing else does.
my (undef, undef, $begun) = $node->psql('postgres', "SET pllua_bg.fault = 'subxact-start=once'; SELECT catches();");
if ($begun =~ /FATAL/) {
	ok($node->safe_psql('postgres', 'SHOW server_version_num') >= 160000, 'an error at the begin of a subtransaction is one for good in newer servers only');
	@faults = grep { !/subxact-start/ } @faults;
	for my $statement (@statements) {
		my ($code, $out, $err) = $node->psql('postgres', "SET pllua_bg.fault = 'subxact-start=once'; $statement;");
		ok($code == 0 || $err =~ /^(psql:\S+ )?FATAL:  fault point "subxact-start"/m, "$statement ends the session at most") or diag($err);
		is($node->safe_psql('postgres', $check), $right, 'and another is as it was');
	}
}

for my $fault (@faults)
{
	for my $way ('', 'BEGIN', 'SAVEPOINT')
	{
		my $script = "LOAD 'pllua_bg';\nSELECT pg_backend_pid() AS first \\gset\n";
		for my $statement (@statements)
		{
			next if $way ne '' && $statement =~ /^CALL/;
			$script .= "BEGIN;\n" if $way ne '';
			$script .= "SAVEPOINT a;\n" if $way eq 'SAVEPOINT';
			$script .= "SET pllua_bg.fault = '$fault';\n$statement;\n";
			$script .= "ROLLBACK TO a;\n" if $way eq 'SAVEPOINT';
			$script .= $way eq '' ? "SET pllua_bg.fault = '';\n" : "ROLLBACK;\nSET pllua_bg.fault = '';\n";
			$script .= "SELECT 'after', pg_backend_pid() = :first, txid_current_if_assigned() IS NULL;\n$check\n";
		}
		my ($code, $out, $err) = $node->psql('postgres', $script, on_error_stop => 0);
		my $count = () = $out =~ /^after\|t\|t\n\Q$right\E$/mg;
		is($count, scalar(grep { $way eq '' || !/^CALL/ } @statements), "$fault $way: the backend is as it was after each statement")
			or diag("$out\n$err");
		note($err);
	}
}

# What fails while a query is aborted does not let interrupts in for ever, nor keep them out.
my $aborted = <<'SQL';
CREATE FUNCTION pg_temp.closes() RETURNS SETOF int LANGUAGE pllua_bg AS $$
	local c <close> = setmetatable({}, {__close = function() for i = 1, 3 do pcall(pgtype.numeric, 'x') pcall(pgtype.date, 'y') pcall(spi.execute, 'select 1') end end})
	for i = 1, 10 do coroutine.yield(i) end
$$;
SELECT 1 / (3 - pg_temp.closes());
SELECT 1 / (3 - pg_temp.closes());
SET statement_timeout = '100ms';
SELECT pg_sleep(60); -- workload
RESET statement_timeout;
SELECT 'lives';
SQL
my ($code, $out, $err) = $node->psql('postgres', $aborted, on_error_stop => 0, timeout => 30);
like($out, qr/lives/, 'a query that is aborted while its functions fail to close');
like($err, qr/canceling statement due to statement timeout/, 'can be cancelled afterwards');

# A library that could not be loaded to the end is loaded the next time.
($code, $out, $err) = $node->psql('postgres', <<'SQL', on_error_stop => 0);
SET pllua_bg.fault = 'load=once';
SELECT plain();
SELECT 'then ' || plain(), catches(), count(*) FROM pg_settings WHERE name LIKE 'pllua\_bg.%' AND name <> 'pllua_bg.fault';
SQL
like($err, qr/fault point "load"/, 'the library cannot be loaded');
like($out, qr/^then 1\|good\|\d\d$/m, 'it can the next time');

# No memory to copy an error: the one that takes its place is caught as others are, and the memory of those that were begun goes.
($code, $out, $err) = $node->psql('postgres', <<'SQL', on_error_stop => 0);
LOAD 'pllua_bg';
SELECT fails_inside();
SET pllua_bg.fault = 'copy-error=error';
DO LANGUAGE pllua_bg $$ for i = 1, 20 do assert(select(2, pcall(spi.execute, 'select 1/0')).sqlstate == '53200') end $$;
SELECT fails_inside();
DO LANGUAGE pllua_bg $$ spi.execute('select 1/0') $$;
SET pllua_bg.fault = '';
SELECT 'copied', fails_inside(), count(*) FROM pg_backend_memory_contexts WHERE name = 'pllua_bg error';
SQL
like($out, qr/^53200\ncopied\|22012\|[01]$/m, 'errors that cannot be copied leave nothing');
like($err, qr/out of memory/, 'and are raised as out of memory');

unlike(slurp_file($node->logfile), qr/TRAP|PANIC|FATAL(?!:  fault point "subxact-start")|terminated by signal|non-empty SPI stack|leak|unexpected state/, 'the server log is clean');

# No memory to tell of a session's death: what is open ends with an error all the same, and the next session works.
($code, $out, $err) = $node->psql('postgres', <<'SQL', on_error_stop => 0, timeout => 30);
LOAD 'pllua_bg';
CREATE FUNCTION pg_temp.dies() RETURNS text LANGUAGE pllua_bg AS $$
	local s <close> = bg.launch()
	local _, e = pcall(function() for r in s:rows('select pg_terminate_backend(pg_backend_pid()) from generate_series(1, 100000)') do end end)
	return e.sqlstate .. ' ' .. e.message
$$;
SET pllua_bg.fault = 'tell-death=once';
SELECT 'once', pg_temp.dies();
SET pllua_bg.fault = 'tell-death=error';
SELECT 'always', pg_temp.dies();
SET pllua_bg.fault = '';
DO LANGUAGE pllua_bg $$ local s <close> = bg.launch() assert(s:exec('select 1 as x')[1].x == 1) print('next') $$;
SQL
is($out, join("\n", map { "$_|08006 background session was lost" } qw(once always)), 'a death that there is no memory to tell of ends the command');
like($err, qr/next/, 'and the next session works');

# No memory for the columns of a result: whoever reads it afterwards sees all of it or its loss, not a half. What is short is kept as it came.
# The session waits for a lock until the fault is set.
($code, $out, $err) = $node->psql('postgres', <<'SQL', on_error_stop => 0, timeout => 30);
\set VERBOSITY sqlstate
SELECT bg.launch() AS s \gset
SELECT string_agg(format('%s as c%s', i, i), ', ') AS list, string_agg(format('c%s int', i), ', ') AS columns FROM generate_series(1, 60) i \gset
SELECT pg_advisory_lock(97) AS held \gset
SELECT bg.run(:s, 'do ''begin perform pg_advisory_xact_lock(97); end''') AS waits \gset
SELECT 'sent', bg.run(:s, 'select ' || :'list');
SET pllua_bg.fault = 'take-columns=once';
SELECT pg_advisory_unlock(97) AS freed \gset
SELECT tag FROM bg.result(:s) AS (tag text);
SELECT 'first', c60 FROM bg.result(:s) AS (:columns);
SET pllua_bg.fault = '';
SELECT 'second', c60 FROM bg.result(:s) AS (:columns);
SQL
is($out, 'sent|2', 'of columns that there was no memory for nothing is seen');
like($err, qr/ERROR:  XX000\n.*ERROR:  08006\b/s, 'but that they are lost');
($code, $out, $err) = $node->psql('postgres', <<'SQL', on_error_stop => 0, timeout => 30);
LOAD 'pllua_bg';
CREATE FUNCTION pg_temp.reads_twice() RETURNS text LANGUAGE pllua_bg AS $$
	local s <close> = bg.launch()
	spi.execute('select pg_advisory_lock(97)')
	s:run("do 'begin perform pg_advisory_xact_lock(97); end'")
	local f = s:run('select 42 as x')
	spi.execute("set pllua_bg.fault = 'take-columns=once'")
	spi.execute('select pg_advisory_unlock(97)')
	local good = pcall(function() return f:get() end)
	return tostring(good) .. ' ' .. f:get()[1].x
$$;
SELECT pg_temp.reads_twice();
SQL
is($out, 'false 42', 'a short result can be read again');
unlike(slurp_file($node->logfile), qr/TRAP|PANIC|terminated by signal/, 'the server log is clean');
$node->stop;
done_testing();
