# A server that does not keep to the protocol, or lies: each command has its result or an error, the session ends when it is closed, and
# nothing here is harmed.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use FakeServer qw(message columns row tag ready report status digits);
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

my $fake = FakeServer->new;
my $node = new_node('near', "max_worker_processes = 16\n");
my $port = $fake->port;
$node->safe_psql('postgres', <<"SQL");
CREATE EXTENSION pllua_bg;
CREATE TYPE here AS ENUM ('x');
CREATE FUNCTION begin_lies(first text) RETURNS int LANGUAGE pllua_bg AS \$lua\$
	return bg.launch{server = {host = '127.0.0.1', port = '$port', dbname = first, user = 'nobody', sslmode = 'disable'}}.pid
\$lua\$;
CREATE FUNCTION hear_lies(pid int, answers text[]) RETURNS text LANGUAGE pllua_bg AS \$lua\$
	local outcomes = {}
	local sent, futures = pcall(function()
		local session, list = bg.session(pid), {}
		for i, answer in ipairs(answers) do list[i] = session:run("select '" .. answer .. "'") end
		return list
	end)
	if not sent then return futures.sqlstate .. ': it has ended' end
	for i, future in ipairs(futures) do
		local ok, result = pcall(future.get, future)
		if ok then
			local values = {}
			for _, row in ipairs(result) do
				for k = 1, #result.columns do table.insert(values, tostring(row[k])) end
			end
			outcomes[i] = (result.tag or '') .. ' ' .. table.concat(values, ',')
		else
			outcomes[i] = result.sqlstate .. ': ' .. (result.detail or result.message)
		end
	end
	return table.concat(outcomes, '|')
\$lua\$;
SQL
my $psql = new_psql($node);
sub ask { return $psql->query($_[0]) =~ s/\n\z//r }

# What comes of these answers. `$types`: what the session hears when it asks for the names of types.
sub lie
{
	my ($name, $expected, $types, @answers) = @_;
	my $pid = ask("SELECT begin_lies('" . digits($types) . "')");
	my $got = ask("SELECT hear_lies($pid, ARRAY[" . join(', ', map { "'" . digits($_) . "'" } @answers) . '])');
	ref $expected ? like($got, $expected, $name) : is($got, $expected, $name);
	ask("SELECT bg.close($pid)");
	process_is_gone($pid, $name);
	return;
}

# The same, alone and among others that are sent ahead. What comes of the others is their own unless another pattern says what is first.
my $one = columns(['a', 23]) . row('1') . tag('SELECT 1') . ready();
my $nothing = tag('SELECT 0') . ready();

sub lies
{
	my ($name, $expected, $answer, $others) = @_;
	lie($name, qr/^$expected\z/s, $nothing, $answer);
	$others //= qr/^SELECT 1 1\|$expected(?:\|SELECT 1 1){2}\z/s;
	lie("$name, ahead", $others, $nothing, $one, $answer, $one, $one);
	return;
}
my $lost = qr/08006: connection to server "127.0.0.1" was lost: .*/s;
my $all_lost = qr/^SELECT 1 1(?:\|$lost){3}\z/s;
lies('the truth', 'SELECT 1 1', $one);

# The names of types.
sub types { return columns((['a', 25]) x @{ $_[0] }) . row(@{ $_[0] }) . tag('SELECT 1') . ready() }
my $typed = columns(['a', 16400]) . row('x') . tag('SELECT 1') . ready();
lie('a type', 'SELECT 1 x', types([ 16400, 'public', 'here', 'f' ]), $typed);
lie('another value', qr/^SELECT 1 x$|^22P02/, types([ 16400, 'public', 'here', 't' ]), $typed);
lie("types: $_->[0]", 'SELECT 1 x', $_->[1], $typed)
  for ['nulls', types([ (undef) x 4 ])], ['few columns', types([16400])], ['no columns', types([])], ['one is null', types([ 16400, 'public', undef, 'f' ])], ['no rows', $nothing],
  ['a long name', types([ 16400, 'public', 'x' x 40000, 'f' ])], ['a longer name', types([ 16400, 'x' x 65600, 'x', 't' ])], ['a bad name', types([ 16400, "\xff", "\".'", 't' ])];
lie("types: $_->[0]", qr/^($lost|\w{5}: it has ended)\z/s, message($_->[1], pack 'Cn', 0, 0), $typed) for ['copy in', 'G'], ['copy out', 'H'], ['copy both', 'W'];

# Rows.
my $error = report('E', S => 'ERROR', V => 'ERROR', C => '22012', M => 'no');
my $wide = columns((['a', 25]) x 500) . row(('2') x 500) . tag('SELECT 1') . ready();
my $begun = columns(['a', 23]) . row('1');
lies('other columns', 'SELECT 1 ' . join(',', (2) x 500), $begun . $wide);
lies('other columns after an error', '22012: no', $begun . $error . $wide, qr/^SELECT 1 1\|22012: no(\|SELECT 1 1)*/);
lies('rows after an error', qr/22012: no/, $error . $begun . $wide, qr/^SELECT 1 1\|22012: no(\|SELECT 1 1)*/);
lies('fewer values', qr/08000: unexpected field count.*/, columns(['a', 23], ['b', 23]) . row('1') . tag('SELECT 1') . ready());
lies('more values', qr/08000: unexpected field count.*/, columns(['a', 23]) . row(('1') x 100) . tag('SELECT 1') . ready());
lies('rows without columns', qr/08000: .*/, row('1') . $one, qr/^SELECT 1 1\|08000/);
lies('too many columns', qr/54011: .*/, columns((['a', 25]) x 1700) . row((undef) x 1700) . tag('SELECT 1') . ready());
lies('a long value', qr/08000: .*/, columns(['a', 25]) . message('D', pack 'nN', 1, 0x7FFFFFFF) . tag('SELECT 1') . ready());
lies('binary', qr/22021: .*/, message('T', pack 'nZ*NnNnNn', 1, 'a', 0, 0, 25, 65535, 0, 1) . row("\0\0\0\1") . tag('SELECT 1') . ready());
lies('no text', qr/22021: .*/, columns(["\xff", 25]) . row("\xff") . tag("SELECT \xff") . ready());
lies('a tag that is no text', qr/SELECT \\xff x/, columns(['a', 25]) . row('x') . tag("SELECT \xff") . ready());
lies('long names', qr/X+ 1/, columns([ 'a' x 40000, 23 ]) . row('1') . tag('X' x 5000) . ready());
my @values = ('1', '', '{1,2}', "\xff", "a\0b", '(1,2)', 'x' x 1000);
for my $type (16 .. 30, 114, 600, 603, 650, 700, 701, 829, 1000, 1007, 1033, 1042, 1043, 1082, 1083, 1114, 1184, 1186, 1231, 1266, 1560, 1700, 2249, 2275, 2278, 2281, 2950, 3614, 3802, 3904, 4451, 16383, 4294967295)
{
	lie("type $type", qr/^((SELECT 1 .*|22...: .*|0A000: .*|XX000: invalid INTERVAL .*)(\||\z)){7}/s, $nothing, map { columns([ 'a', $type, length $_ ]) . row($_) . tag('SELECT 1') . ready() } @values);
}

# Copies that nobody asked for.
for my $type ('G', 'H', 'W')
{
	my $copy = message($type, pack 'Cn', 0, 0) . message('d', "1\n") . message('c') . tag('COPY 1') . ready();
	lies("copy $type", qr/COPY 1 1?/, $copy, $all_lost);
}
lies('a copy between rows', qr/SELECT 1 .*/, $begun . message('H', pack 'Cn', 0, 0) . message('d', "x\n") . message('c') . $one, $all_lost);

# Ends.
lies('many tags', 'SELECT 1 ', $begun . tag('SELECT 1') x 300 . ready());
lies('many ends', 'SELECT 1 1', $one . ready() x 300, qr/^SELECT 1 1\|SELECT 1 1\|.*$lost\z/s);
lies('many results', 'SELECT 1 1', $one x 300, qr/^SELECT 1 1\|SELECT 1 1\|.*/s);
lies('only an end', ' ', ready(), qr/^SELECT 1 1\| \|.*/s);

# What is no message, or has no place there.
lies("message $_->[0]", qr/08000: .*/, $_->[1] . $one) for ['unknown', message('y')], ['suspended', message('s')], ['function', message('V', pack 'N', 0)], ['authentication', message('R', pack 'N', 3)];
lies("length $_", $lost, "D" . pack('N', $_) . $one, qr/$lost\z/s) for 1, 0x80000004;

# Errors and notices.
sub fields { my ($type, %fields) = @_; return report($type, S => 'ERROR', V => 'ERROR', C => '22012', M => 'no', %fields) }
lies("error $_->[0] $_->[1]", qr/....?.?: no|22012: .*/, fields('E', @$_) . ready()) for ['C', '00000'], ['C', "\xff" x 5], ['C', '57014'], ['C', '53200'], ['V', 'LOG'], ['D', "\xff" x 5000];
for my $type ('E', 'N')
{
	lies("$type $_->[0] $_->[1]", $lost, fields($type, @$_) . $one, qr/$lost\z/s) for ['C', ''], ['C', '5700000'], ['V', ''], ['V', 'x'], ['P', 'x'], ['P', '99999999999'];
}
lies('error without fields', qr/08000: .*/, report('E') . ready());
lies("error $_", qr/08006: .*: no/, fields('E', S => $_, V => $_) . ready(), qr/$lost\z/s) for 'FATAL', 'PANIC';
lies("notice $_->[0] $_->[1]", 'SELECT 1 1', fields('N', @$_) . $one) for ['C', "\xff" x 5], ['V', 'ERROR'], ['M', "\xff" x 5000];
lies('many notices', 'SELECT 1 1', fields('N', S => 'NOTICE', V => 'NOTICE') x 3000 . $one);
lies('many notifications', 'SELECT 1 1', message('A', pack 'NZ*Z*', 1, 'x' x 1000, "\xff") x 3000 . $one);

# Settings.
lies("setting $_->[0]", 'SELECT 1 1', status(@$_) . $one) for ['standard_conforming_strings', 'off'], ['client_encoding', 'SQL_ASCII'], ['client_encoding', 'x'];
lies("setting $_->[0] $_->[1]", 'SELECT 1 1', status(@$_) . $one, qr/^SELECT 1 1\|.*\|22023: .*/s) for ['DateStyle', 'x' x 1000], ['DateStyle', "\xff"], ['IntervalStyle', '1'];
lies("transaction $_", 'SELECT 1 1', $begun . tag('SELECT 1') . ready($_)) for 'T', 'E', 'x', "\0";

$psql->quit;
server_log_is_clean($node);
done_testing();
