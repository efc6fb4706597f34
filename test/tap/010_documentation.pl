# Runs every example of every page and compares what it prints with what the page says. A page is any .md file of the tree but the forms
# in .github.
#
# A block marked ```sql is run by psql, all blocks of a page in one session of a database of their own. A block ```text right after it
# is the output, compared to the letter but for blanks at the end of lines and for lines of `...`, which stand for any lines. A block
# ```sql error must raise an error; without `error` it must not. Any other block is a mistake: what no test runs is indented instead.
#
# And docs/settings.md has every setting with unit, default and who may set it, as the server knows them; and every function has a comment.
use strict;
use warnings;

use File::Find;
use FindBin;
use lib "$FindBin::RealBin/lib";
use IPC::Run;
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

my @pages;
find({
		no_chdir => 1,
		wanted => sub
		{
			$File::Find::prune = 1 if m{^[.]/(?:[.]git|[.]github|build|tmp_check)$};
			push @pages, s{^[.]/}{}r if /[.]md$/;
		}
	},
	'.');

# The blocks of a page: [line, sql, expects error, expected output or undef]; and the lines of blocks that are no examples.
sub examples
{
	my ($page) = @_;
	my (@examples, @strange, $language, $text, $start, $adjacent);
	open my $file, '<', $page or die "$page: $!";
	while (my $line = <$file>)
	{
		if (defined $language && $line =~ /^```\s*$/)
		{
			if ($language =~ /^sql( error)?$/)
			{
				push @examples, [ $start, $text, defined $1, undef ];
				$adjacent = 1;
			}
			elsif ($language eq 'text' && $adjacent)
			{
				$examples[-1][3] = $text;
				$adjacent = 0;
			}
			else { push @strange, "$page:$start"; }
			undef $language;
		}
		elsif (defined $language) { $text .= $line; }
		elsif ($line =~ /^```(.*?)\s*$/)
		{
			($language, $text, $start) = ($1, '', $.);
		}
		elsif ($line =~ /^\s*(?:```|~~~)/) { push @strange, "$page:$."; }
		elsif ($line =~ /\S/) { $adjacent = 0; }
	}
	close $file;
	push @strange, "$page:$start" if defined $language;
	return (\@examples, \@strange);
}

sub tidy
{
	my ($text) = @_;
	$text =~ s/[ \t]+$//mg;
	$text =~ s/\A\n+|\n+\z//g;
	$text =~ s/^psql:<stdin>:\d+: //mg;
	return "$text\n";
}

# True when the output is the expected one, where a line `...` stands for any number of lines.
sub matches
{
	my ($output, $expected) = @_;
	my $pattern = join '', map { $_ eq "...\n" ? '(?:.*\n)*?' : quotemeta } $expected =~ /(.*\n)/g;
	return $output =~ /\A$pattern\z/;
}

# As a new user has it who lets jobs run: eight worker slots, the launcher of jobs, and a scheduler.
my $node = new_node('docs', "shared_preload_libraries = 'pllua_bg'\nmax_worker_processes = 16\n");

my @mistakes;
foreach my $page (sort @pages)
{
	my ($found, $strange) = examples($page);
	my @examples = @$found;
	push @mistakes, @$strange;
	next unless @examples;
	(my $database = lc "docs_$page") =~ s/\W+/_/g;
	$node->safe_psql('postgres', "CREATE DATABASE $database");
	my $script = "\\set VERBOSITY default\n\\pset pager off\n";
	$script .= "\\echo @@@ $_\n$examples[$_][1]\n" for 0 .. $#examples;
	my $output = '';
	IPC::Run::run([ 'psql', '-X', '-q', '-d', $node->connstr($database) ], '<', \$script, '>&', \$output);
	my @parts = split /^@@@ \d+\n/m, $output, -1;
	shift @parts;
	is(scalar @parts, scalar @examples, "$page: every example was run");
	for my $i (0 .. $#examples)
	{
		my ($line, undef, $wants_error, $expected) = @{ $examples[$i] };
		my $part = tidy($parts[$i] // '');
		my $failed = $part =~ /^(ERROR|FATAL|PANIC):/m || $part =~ /^\S*: error:/m;
		is($failed ? 1 : 0, $wants_error ? 1 : 0, "$page:$line: " . ($wants_error ? 'fails' : 'runs'))
		  or diag($part);
		next unless defined $expected;
		ok(matches($part, tidy($expected)), "$page:$line: prints what the page says")
		  or diag("--- expected\n" . tidy($expected) . "--- printed\n$part");
	}
}

is("@mistakes", '', 'every block is an example or its output');

# Those of pg_background are defined when one of its functions first runs. The test builds' own is for no user.
my @defined = split /\n/, $node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION pllua_pg_background CASCADE;
DO $$ BEGIN PERFORM pg_background_stats_v2(); END $$;
SELECT name, CASE unit WHEN 'B' THEN 'byte' ELSE unit END, boot_val, CASE context WHEN 'user' THEN 'everybody' ELSE context END FROM pg_settings
WHERE name ~ '^(pllua_bg|pg_background)[.]' AND name <> 'pllua_bg.fault';
SQL
my @rows = map { join '|', (split / *[|] */)[ 0 .. 3 ] } slurp_file('docs/settings.md') =~ /^[|] `((?:pllua_bg|pg_background)[.].* [|].*)/mg;
my @described = map { s/`//r =~ s/[|](\d+) GB[|]/'|' . $1 * 1024 * 1024 . '|'/er } @rows;
is(join("\n", sort @described), join("\n", sort @defined), 'docs/settings.md: every setting, as it is defined');

# The lists of settings that the code has are in the page, and the other way round.
for (['guc_transfer', 'kOfClient', qr/silent or lost: (.*?) [|]/], ['guc_imposed', 'kProtections', qr/switch a protection off: (.*?) with another/])
{
	my ($file, $list, $row) = @$_;
	my ($code) = slurp_file("src/session/shared/$file.cpp") =~ /\Q$list\E\[\] = [{](.*?)[}];/s;
	my ($page) = slurp_file('docs/settings.md') =~ $row;
	is(join(' ', $page =~ /`(\w+)`/g), join(' ', $code =~ /"(\w+)"/g), "docs/settings.md: $list");
}

# Those of a language are called by the server alone.
is($node->safe_psql('postgres', <<'SQL'), '', 'every function has a comment');
SELECT objid::regprocedure FROM pg_depend WHERE classid = 'pg_proc'::regclass AND deptype = 'e'
AND refobjid IN (SELECT oid FROM pg_extension WHERE extname ~ '^pllua_') AND obj_description(objid, 'pg_proc') IS NULL
AND NOT EXISTS (SELECT FROM pg_language WHERE objid IN (lanplcallfoid, laninline, lanvalidator));
SQL

$node->stop;
done_testing();
