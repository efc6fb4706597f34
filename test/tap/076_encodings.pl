# Sessions in databases of another encoding than UTF8: text arrives as it was sent, and bytes that are no text of the database are refused.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

my $node = new_node('encodings', "max_worker_processes = 8\n");

# The text "äöü €" as the database has it; LATIN1 has no euro sign.
my %text = (
	UTF8 => 'c3a4c3b6c3bc20e282ac',
	LATIN1 => 'e4f6fc',
	LATIN9 => 'e4f6fc20a4',
	EUC_JP => 'c6fccbdc',
	SQL_ASCII => 'e4f6fcff');
# Bytes that are no text there; none are refused in the encodings of single bytes.
my %invalid = (UTF8 => 'e4f6', EUC_JP => 'c6');

for my $encoding (sort keys %text)
{
	(my $database = lc "in_$encoding") =~ s/\W//g;
	$node->safe_psql('postgres', "CREATE DATABASE $database ENCODING '$encoding' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
	$node->safe_psql($database, <<'SQL');
CREATE EXTENSION pllua_bg;
CREATE FUNCTION unhex(hex text) RETURNS text LANGUAGE pllua_bg AS $$ return (hex:gsub('..', function(b) return string.char(tonumber(b, 16)) end)) $$;
-- The text goes every way there is and back; what does not come back as it went is told.
CREATE FUNCTION each_way(hex text) RETURNS SETOF text LANGUAGE pllua_bg AS $$
	local word = hex:gsub('..', function(b) return string.char(tonumber(b, 16)) end)
	local said = {}
	local s <close> = bg.launch{name = word, settings = {['myapp.word'] = word}, on_notice = function(n) said[#said + 1] = n.message end}
	local function check(way, got)
		if got ~= word then coroutine.yield(way .. ': ' .. tostring(got):gsub('.', function(c) return ('%02x'):format(c:byte()) end)) end
	end
	check('parameter', s:exec('select $1::text', word).value)
	check('text of the command', s:exec("select '" .. word .. "'").value)
	check('array', s:exec('select (array[$1::text, $1])[2]', word).value)
	check('record', tostring(s:exec('select row($1::text)', word).value):gsub('^%("?', ''):gsub('"?%)$', ''))
	check('column', s:exec('select 1 as "' .. word .. '"').columns[1].name)
	check('setting', s:exec("select current_setting('myapp.word')").value)
	check('client_encoding', s:exec('show client_encoding').value == s:exec('show server_encoding').value and word)
	for row in s:rows('select $1::text as t', word) do check('row', row.t) end
	local statement <close> = s:prepare("select $1::text || '" .. word .. "'")
	check('prepared', statement:exec('').value)
	s:exec("do $d$ begin raise notice '%', '" .. word .. "'; end $d$")
	check('notice', said[1])
	local ok, e = pcall(s.exec, s, "do $d$ begin raise '%', '" .. word .. "' using detail = '" .. word .. "', hint = '" .. word .. "'; end $d$")
	check('message', e.message)
	check('detail', e.detail)
	check('hint', e.hint)
	s:exec('create table "' .. word .. '" (x int check (x > 0))')
	ok, e = pcall(s.exec, s, 'insert into "' .. word .. '" values (0)')
	check('table', e.table)
	s:exec('copy (select $c$' .. word .. "$c$) to '/dev/null'")
	local copied = s:exec("copy (select '" .. word .. "') to stdout")
	check('COPY', copied[1][1])
	check('name', s.name)
	check('status', s:status().name)
	local long = string.rep(word .. ' ', 5000)
	check('long text', s:exec('select $1::text', long).value == long and word)
	bg.on_commit('create table "' .. word .. ' later" ()')
	bg.on_commit('create table "parameter later" as select $1::text as word', word)
$$;
CREATE FUNCTION refused(hex text) RETURNS text LANGUAGE pllua_bg AS $$
	local word = hex:gsub('..', function(b) return string.char(tonumber(b, 16)) end)
	local s <close> = bg.launch()
	local out = {}
	for _, f in ipairs{function() s:exec('select $1::text', word) end, function() s:exec("select '" .. word .. "'") end,
		function() bg.launch{name = word} end, function() s:exec('select $1', 'zero \0 byte') end, function() s:run('select \0 1') end,
		function() bg.on_commit(word) end} do
		local ok, e = pcall(f)
		out[#out + 1] = ok and 'taken' or e.sqlstate
	end
	out[#out + 1] = tostring(s:exec('select 42').value)
	return table.concat(out, ' ')
$$;
SQL
	is($node->safe_psql($database, "SELECT each_way('$text{$encoding}')"), '', "$encoding: text comes as it was sent");
	ok( $node->poll_query_until($database, q{SELECT count(*) = 1 FROM pg_class WHERE relname = 'parameter later'}), "$encoding: on_commit");
	is($node->safe_psql($database, q{SELECT word = unhex('} . $text{$encoding} . q{') FROM "parameter later"}), 't', "$encoding: its parameter");
	ok($node->poll_query_until($database, qq{SELECT count(*) = 1 FROM pg_class WHERE relname = unhex('$text{$encoding}') || ' later'}), "$encoding: its command");
	my $bad = $invalid{$encoding};
	is($node->safe_psql($database, "SELECT refused('$bad')"), '22021 22021 22021 22021 22021 22021 42', "$encoding: what is no text is refused") if $bad;

	# A syntax error after a line that ends in the text, or in the middle of it.
	for my $hex ($text{$encoding}, $bad // $text{$encoding})
	{
		my ($code, $out, $err) = $node->psql($database,
			qq{DO \$d\$ BEGIN EXECUTE 'DO LANGUAGE pllua_bg ' || quote_literal('if true then --' || convert_from('\\x$text{$encoding}', '$encoding') || chr(10)); END \$d\$;
			DO LANGUAGE pllua_bg \$\$ assert(load('--' .. ('$hex'):gsub('..', function(b) return string.char(tonumber(b, 16)) end) .. '\\n=', ('$hex'):gsub('..', function(b) return string.char(tonumber(b, 16)) end))) \$\$;
			DO LANGUAGE pllua_bg \$\$ print('lives') \$\$}, on_error_stop => 0);
		like($err, qr/DO:2: 'end' expected.*^LINE 1: if true then --.*unexpected symbol near '='.*INFO:  lives/ms, "$encoding: a syntax error after $hex");
	}

	# The client's encoding is its own affair.
	my ($code, $out, $err) = $node->psql($database,
		q{SET client_encoding = 'UTF8'; DO LANGUAGE pllua_bg $$ local s <close> = bg.launch() s:exec([[do 'begin raise notice ''%'', chr(228); end']]) $$});
	like($err, qr/NOTICE:  \xc3\xa4$/m, "$encoding: a message is converted for the client") if $encoding =~ /LATIN|UTF8/;
}
$node->safe_psql('in_latin1', "SET client_encoding = 'UTF8'; CREATE TABLE t AS SELECT 'ä'::text AS x");
is( $node->safe_psql('in_latin1', q{SET client_encoding = 'UTF8'; SELECT bg.launch() AS pid \gset
	SELECT bg.run(:pid, 'select x, ''ö'' from t') \g /dev/null
	SELECT * FROM bg.result(:pid) AS (x text, y text)}), 'ä|ö', 'in SQL: a client of another encoding than the database');

no_workers_left($node, 'at the end');
server_log_is_clean($node);
$node->stop;
done_testing();
