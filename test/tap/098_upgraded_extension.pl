# An extension that was upgraded is the one that CREATE EXTENSION makes: whatever pg_dump says of the database, members, rights and comments
# among it, is the same by every update script that is shipped. That a difference would be found is seen on planted scripts.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

# A copy of the server, into which scripts can be planted, with what is installed of ours.
my $pg_config = $ENV{PG_CONFIG} || 'pg_config';
my $copy = stdout_of("$FindBin::RealBin/../../tools/server", PostgreSQL::Test::Utils::tempdir . '/server');
for my $folder ('--pkglibdir', '--sharedir')
{
	my ($from, $to) = map { stdout_of($_, $folder) . ($folder eq '--sharedir' ? '/extension' : '') } $pg_config, $copy;
	symlink $_, "$to/" . ($_ =~ s,.*/,,r) or die "$_: $!" for glob "'$from'/pllua_*";
}
my $extensions = stdout_of($copy, '--sharedir') . '/extension';
my $node = PostgreSQL::Test::Cluster->new('upgraded', install_path => $copy =~ s,/bin/pg_config$,,r);
$node->init;
$node->append_conf('postgresql.conf', "fsync = off\n");
$node->start;

# What is in a database after some statements, item by item as pg_dump names them; or the error.
sub database_after
{
	my (@statements) = @_;
	$node->safe_psql('postgres', 'DROP DATABASE IF EXISTS one WITH (FORCE)');
	$node->safe_psql('postgres', 'CREATE DATABASE one TEMPLATE template0');
	my ($code, $out, $err) = $node->psql('one', join(";\n", @statements));
	return { error => $err } if $code != 0;
	# This mode tells what belongs to the extension.
	my ($dump, $errors) = run_command([ 'pg_dump', '--binary-upgrade', '--schema-only', '-d', $node->connstr('one') ]);
	die $errors if $errors ne '';
	$dump =~ s/^SELECT pg_catalog\.binary_upgrade_set_next_.*\n//mg;
	$dump =~ s/^\\(un)?restrict .*\n//mg;
	$dump =~ s/^UPDATE pg_catalog\.pg_class\nSET relfrozenxid = .*\nWHERE .*\n//mg;
	# Tables whose rows are dumped, by name.
	my %tables = map { split /=/ } split /\n/, $node->safe_psql('one', q{SELECT oid || '=' || oid::regclass FROM pg_class});
	$dump =~ s/(binary_upgrade_create_empty_extension\(.*, '\{)([\d,]+)(?=\}')/$1 . join(',', map { $tables{$_} } split m{,}, $2)/eg;
	my %items;
	for my $item (split /^--\n-- Name: /m, $dump)
	{
		my ($name, $text) = split /\n--\n/, $item, 2;
		$items{$name} .= $text // '';
	}
	return { items => \%items };
}

sub version_of
{
	my ($extension) = @_;
	return $node->safe_psql('postgres', "SELECT default_version FROM pg_available_extensions WHERE name = '$extension'");
}

# The ways to the newest version by the scripts that are there: [first version, step, ...]. Each older version with a script of its own begins
# one, and each update script.
sub ways
{
	my ($extension) = @_;
	my $newest = version_of($extension);
	my %ways;
	for my $file (sort map { s,.*/,,r } glob "'$extensions'/$extension--*.sql")
	{
		my (undef, $from, $to) = split /--/, $file =~ s/\.sql$//r;
		my @way = ($from, defined $to && $to ne $newest ? $to : (), $newest);
		$ways{"@way"} = \@way if defined $to || $from ne $newest;
	}
	return map { $ways{$_} } sort keys %ways;
}

# What is not as it should be, a line each.
sub problems
{
	my ($extension) = @_;
	my $fresh = database_after("CREATE EXTENSION $extension CASCADE");
	return "$extension: $fresh->{error}" if $fresh->{error};
	my @problems;
	for my $way (ways($extension))
	{
		my ($first, @steps) = @$way;
		my $upgraded = database_after("CREATE EXTENSION $extension VERSION '$first' CASCADE", map { "ALTER EXTENSION $extension UPDATE TO '$_'" } @steps);
		my $name = join ' -> ', $extension, @$way;
		push @problems, "$name: $upgraded->{error}" if $upgraded->{error};
		next if $upgraded->{error};
		my %names = map { $_ => 1 } map { keys %{ $_->{items} } } $fresh, $upgraded;
		for my $item (sort keys %names)
		{
			my ($new, $old) = map { $_->{items}{$item} // '(none)' } $fresh, $upgraded;
			push @problems, "$name: $item\nfresh: $new\nupgraded: $old" if $new ne $old;
		}
	}
	return @problems;
}

for my $extension (map { m,.*/(.*)\.control$, } glob "'$extensions'/pllua_*.control")
{
	my @ways = ways($extension);
	is(join("\n", problems($extension)), '', "$extension: upgraded as fresh, by " . scalar(@ways) . ' ways');
}

# Planted scripts.
my @planted;
sub plant
{
	my (%files) = @_;
	unlink splice @planted;
	for my $name (keys %files)
	{
		push @planted, "$extensions/$name";
		unlink $planted[-1];
		append_to_file($planted[-1], $files{$name});
	}
	return;
}

sub found
{
	my ($extension, $expected, $name) = @_;
	my $problems = join("\n", problems($extension));
	return $expected ? like($problems, $expected, $name) : is($problems, '', $name);
}

# Of our own extension: an older version that is today's.
my $newest = version_of('pllua_bg');
my ($oldest) = map { m,/pllua_bg--([^-]+)\.sql$, } glob "'$extensions'/pllua_bg--*.sql";
my $today = slurp_file("$extensions/pllua_bg--$oldest.sql");
my $more = "CREATE FUNCTION bg.planted() RETURNS int LANGUAGE sql AS 'SELECT 1';\n";
plant('pllua_bg--0.0.1.sql' => $today, "pllua_bg--0.0.1--$oldest.sql" => '');
found('pllua_bg', undef, 'an update that has nothing to do');
plant('pllua_bg--0.0.1.sql' => $today, "pllua_bg--0.0.1--$oldest.sql" => $more);
found('pllua_bg', qr/^pllua_bg -> 0\.0\.1 -> .*\Q$newest\E: planted\(\); Type: FUNCTION; .*\nfresh: \(none\)\n/, 'an update that does too much');
plant('pllua_bg--0.0.1.sql' => $today . $more, "pllua_bg--0.0.1--$oldest.sql" => '');
found('pllua_bg', qr/^pllua_bg -> 0\.0\.1 -> .*\Q$newest\E: planted\(\); Type: FUNCTION; .*\nfresh: \(none\)\n/, 'an update that leaves something');

# Of one that is made up: what an update can forget.
my $control = "default_version = '2'\nrelocatable = false\nschema = public\n";
my $function = 'CREATE FUNCTION f(int) RETURNS int LANGUAGE sql %s AS $$ SELECT $1 $$;';
my $first = "CREATE TYPE t AS (a int);\nCREATE FUNCTION gone() RETURNS int LANGUAGE sql AS 'SELECT 1';\n";
my %right = (
	function => sprintf($function, 'STABLE'),
	right => 'REVOKE ALL ON FUNCTION f(int) FROM PUBLIC;',
	comment => q{COMMENT ON FUNCTION f(int) IS 'one';},
	type => 'ALTER TYPE t ADD ATTRIBUTE b text;',
	view => 'CREATE VIEW v AS SELECT 1 AS a;',
	gone => 'DROP FUNCTION gone();');
my @order = qw(function right comment type view gone);
my $second = join "\n", 'CREATE TYPE t AS (a int, b text);', @right{qw(function right comment view)};
sub update { my %parts = (%right, @_); return join "\n", @parts{@order}; }
sub plant_update { return plant('planted.control' => $control, 'planted--1.sql' => $first, 'planted--2.sql' => $second, @_); }

for my $case (
	[ 'all of it', [], undef ],
	[ 'a function', [ function => '', right => '', comment => '' ], qr/: f\(integer\); Type: FUNCTION; .*\nfresh: .*\nupgraded: \(none\)/s ],
	[ 'a property', [ function => sprintf($function, 'VOLATILE') ], qr/: f\(integer\); Type: FUNCTION; /s ],
	[ 'a right', [ right => '' ], qr/: FUNCTION f\(.*\); Type: ACL; /s ],
	[ 'a comment', [ comment => q{COMMENT ON FUNCTION f(int) IS 'two';} ], qr/: FUNCTION f\(.*\); Type: COMMENT; /s ],
	[ 'an attribute', [ type => '' ], qr/: t; Type: TYPE; /s ],
	[ 'the text of a view', [ view => 'CREATE VIEW v AS SELECT 2 AS a;' ], qr/: v; Type: VIEW; /s ],
	[ 'to drop what is no longer a member', [ gone => 'ALTER EXTENSION planted DROP FUNCTION gone();' ], qr/: gone\(\); Type: FUNCTION; .*\nfresh: \(none\)/s ],
	[ 'that a member must become one', [ gone => $right{gone} . 'ALTER EXTENSION planted DROP VIEW v;' ], qr/: v; Type: VIEW; /s ])
{
	my ($name, $parts, $expected) = @$case;
	plant_update('planted--1--2.sql' => update(@$parts));
	found('planted', $expected, ($expected ? 'forgotten: ' : '') . $name);
}
plant_update('planted--1--1.1.sql' => $right{gone}, 'planted--1.1--2.sql' => update(gone => ''));
is_deeply([ ways('planted') ], [ [ '1', '1.1', '2' ], [ '1', '2' ], [ '1.1', '2' ] ], 'every script is on a way');
found('planted', undef, 'two steps');
plant_update('planted--1--2.sql' => update(), 'planted--1--1.1.sql' => $right{gone}, 'planted--1.1--2.sql' => '');
found('planted', qr/^planted -> 1 -> 1\.1 -> 2: /m, 'a way that the server would not take by itself');
plant_update('planted--1--1.1.sql' => '');
found('planted', qr/no update path from version "1\.1" to version "2"/, 'a way that ends too early');
plant_update('planted--0.9--2.sql' => update());
found('planted', qr/no installation script nor update path for version "0\.9"/, 'a way that begins nowhere');
plant('planted.control' => $control, 'planted--1.sql' => $first);
found('planted', qr/no installation script nor update path for version "2"/, 'the newest version cannot be made');

$node->stop;
done_testing();
