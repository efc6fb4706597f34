# The table of all sessions of a cluster whose databases have different encodings: names, commands, errors and progress are shown
# converted, or escaped where that cannot be, so that nobody can make the view useless to others.
use strict;
use warnings;

use Encode ();
use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

my $node = new_node('encodings_of_others', "shared_preload_libraries = 'pllua_bg'\nmax_worker_processes = 32\n", extra => [ '--encoding=UTF8', '--locale=C' ]);

# What Perl calls the encodings, and a word in each; SQL_ASCII has any bytes.
my %perl = (UTF8 => 'UTF-8', LATIN1 => 'iso-8859-1', LATIN9 => 'iso-8859-15', WIN1252 => 'cp1252', EUC_JP => 'euc-jp', SQL_ASCII => undef);
my %word = (
	UTF8 => Encode::encode('UTF-8', "\x{e4}b\x{20ac}\x{65e5}\x{672c}\x{1f600}"),
	LATIN1 => "b\xe4\xf6\xfc",
	LATIN9 => "\xe4b\xa4",
	WIN1252 => "\xe4\x80\x93b",
	EUC_JP => "\xc6\xfc\xcb\xdcb",
	SQL_ASCII => "\xe4b\xff\xe6\x97\xa5");

sub escaped { return join '', map { sprintf '\\x%02x', ord } split //, $_[0] }

# The text that bytes are in one of Perl's encodings; undef when they are none, be it for their end.
sub decoded
{
	my ($encoding, $bytes) = @_;
	my $text = eval { Encode::decode($encoding, $bytes, Encode::FB_CROAK) };
	return $bytes eq '' ? $text : undef;
}

sub encoded
{
	my ($encoding, $text) = @_;
	return eval { Encode::encode($encoding, $text, Encode::FB_CROAK) };
}

# The bytes that database `to` shows for bytes of database `from`, character by character. What has no conversion of its own goes by
# way of UTF8, and what cannot go further is shown as that.
sub shown
{
	my ($bytes, $from, $to) = @_;
	return $bytes =~ s/([\x80-\xff])/escaped($1)/ger if $to eq 'SQL_ASCII';
	my $out = '';
	while ($bytes ne '')
	{
		my ($character, $taken);
		for my $length (1 .. 4)
		{
			$taken = substr $bytes, 0, $length;
			$character = decoded($perl{$from} // $perl{$to}, $taken);
			last if defined $character;
		}
		$taken = substr $bytes, 0, 1 unless defined $character;
		my $escaped = escaped($from =~ /LATIN9|LATIN1|WIN1252|EUC_JP/ && defined $character ? encoded('UTF-8', $character) : $taken);
		$out .= (defined $character ? encoded($perl{$to}, $character) : undef) // $escaped;
		substr $bytes, 0, length $taken, '';
	}
	return $out;
}

# As many whole characters as fit.
sub clipped
{
	my ($bytes, $encoding, $limit) = @_;
	my $kept = substr $bytes, 0, $limit;
	$kept = substr $kept, 0, -1 while $perl{$encoding} && !defined decoded($perl{$encoding}, $kept);
	return $kept;
}

my %launcher;
my @encodings = sort keys %word;
for my $encoding (@encodings)
{
	my $database = lc "in_$encoding";
	$node->safe_psql('postgres', "CREATE DATABASE $database ENCODING '$encoding' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
	$node->safe_psql($database, <<'SQL');
CREATE EXTENSION pllua_bg;
CREATE FUNCTION unhex(hex text) RETURNS text LANGUAGE pllua_bg AS $$ return (hex:gsub('..', function(b) return string.char(tonumber(b, 16)) end)) $$;
-- All that a session shows has the word in it, and is longer than the room for it.
CREATE FUNCTION hold(word text) RETURNS int LANGUAGE pllua_bg AS $$
	do local earlier <close> = bg.launch() earlier:exec('select 1') end
	local long = word:rep(400)
	local s = bg.session(spi.execute('select bg.launch(name => $1)', long)[1][1])
	pcall(s.exec, s, "do $d$ begin raise '%', '" .. long .. "'; end $d$")
	s:exec('select bg.progress(1, 2, $1)', long)
	s:run('/*' .. long .. '*/ select pg_advisory_lock(1)')
	return s.pid
$$;
SQL
	my $psql = $launcher{$encoding} = new_psql($node, $database);
	$psql->query_safe('SELECT pg_advisory_lock(1)');
	$psql->query_safe("SELECT hold(unhex('" . unpack('H*', $word{$encoding}) . "'))");
}

# A database and a role whose names are in an encoding that most others cannot read.
my $odd = "d\xe9\xff";
$node->safe_psql('in_latin1', q{SELECT format('CREATE DATABASE %I ENCODING ''LATIN1'' LC_COLLATE ''C'' LC_CTYPE ''C'' TEMPLATE template0', unhex('64e9ff')) \gexec});
$node->safe_psql('in_latin1', q{SELECT format('CREATE ROLE %I LOGIN', unhex('64e9ff')) \gexec});
my $guest = $launcher{odd} = new_psql($node, $odd);
$guest->query_safe('CREATE EXTENSION pllua_bg; GRANT USAGE ON SCHEMA bg TO PUBLIC');
$guest->query_safe(q{SELECT format('SET ROLE %I', rolname) FROM pg_roles WHERE rolname ~ '^d' \gexec});
$guest->query_safe('SELECT bg.launch()');

# Every session of every database, as each of them shows it.
my $bytes = sub { my ($column) = @_; return "coalesce(encode(convert_to($column, getdatabaseencoding()::text), 'hex'), '')" };
for my $to (@encodings)
{
	my $reader = new_psql($node, lc "in_$to");
	wait_until(sub { $reader->query_safe(q{SELECT count(*) FROM bg.sessions WHERE state = 'busy'}) eq scalar @encodings }) or die 'not all are busy';
	for my $from (@encodings)
	{
		my $database = lc "in_$from";
		my $word = $word{$from};
		my %want = (
			name => clipped($word x 400, $from, 63),
			error => clipped($word x 400, $from, 255),
			sql => clipped('/*' . $word x 400, $from, 1023),
			progress_message => clipped($word x 400, $from, 255));
		my @columns = sort keys %want;
		my $got = $reader->query_safe('SELECT ' . join(" || '|' || ", map { $bytes->($_) } @columns) . " FROM bg.sessions WHERE database = '$database' AND state = 'busy'");
		is(join('|', map { pack 'H*', $_ } split /\|/, $got), join('|', map { shown($want{$_}, $from, $to) } @columns), "a session of $from, seen from $to");
	}
	my $database = $to =~ /LATIN|WIN/ ? $odd : 'd' . escaped("\xe9\xff");
	my $role = $to =~ /LATIN|WIN/ ? "\"$odd\"" : '';
	is(pack('H*', $reader->query_safe('SELECT ' . $bytes->('database') . " FROM bg.sessions WHERE name IS NULL AND state = 'idle'")), $database, "$to: the name of a database of another encoding");
	is(pack('H*', $reader->query_safe('SELECT ' . $bytes->('role::text') . " FROM bg.sessions WHERE name IS NULL AND state = 'idle'")), $role, "$to: the name of a role of another encoding");
	is($reader->query_safe('SELECT count(*) FROM bg.sessions AS s WHERE length(upper(s::text)) > 0'), '7', "$to: every row is text");
	$reader->query_safe("SET client_encoding = 'UTF8'; SELECT * FROM bg.sessions");
	is($reader->{stderr}, '', "$to: and can be sent to a client");

	# What a session says of such names.
	$reader->query_safe('RESET client_encoding');
	$reader->query(q{DO LANGUAGE pllua_bg $$ local s <close> = bg.launch{on_notice = function(n) spi.elog('info', n.message) end}
		s:exec("do $d$ begin raise notice '%', (select rolname from pg_roles where rolname ~ '^d'); end $d$")
		local ok, e = pcall(s.exec, s, "do $d$ begin raise '%', (select rolname from pg_roles where rolname ~ '^d'); end $d$")
		spi.elog('info', 'error: ' .. spi.execute('select lower($1::text)', e.message)[1][1]) $$});
	my $said = $to =~ /LATIN|WIN|ASCII/ ? qr/d\xe9\xff/ : qr/d\\xe9\\xff/;
	like($reader->{stderr}, qr/INFO: +$said\n.*INFO: +error: $said$/s, "$to: notices and errors that name such a role are text");
	$reader->{stderr} = '';
	$reader->quit;
}
$_->quit for values %launcher;

no_workers_left($node, 'at the end');
$node->stop;
server_log_is_clean($node);
done_testing();
