# What the gate of the benchmarks lets through, and what not. The measuring itself is no test: make bench-gate.
use strict;
use warnings;

use FindBin;
use PostgreSQL::Test::Utils;
use Test::More;

my $compare = "$FindBin::RealBin/../../bench/compare";
my $folder = PostgreSQL::Test::Utils::tempdir;

# [exit status, output] of a comparison; a measurement is a list of part, what, ratio.
sub compare
{
	my ($released, @measured) = @_;
	my $n = 0;
	my @files = map {
		my $file = "$folder/" . $n++;
		unlink $file;
		append_to_file($file, "# a comment\n" . join '', map { join("\t", @$_) . "\n" } @$_);
		$file;
	} ($released, @measured);
	my $out = `'$compare' @files 2>&1`;
	return ($? >> 8, $out);
}

my @released = ([ 'rows', 'count of a / count of b', 0.5 ], [ 'map', 'a / b', 2 ]);
sub with { my ($first, $second) = @_; return [ [ @{ $released[0] }[ 0, 1 ], $first ], [ @{ $released[1] }[ 0, 1 ], $second ] ]; }

for my $case (
	[ 'the same', [ with(0.5, 2) ], 0, qr/^good .*count of a.*\ngood .*map +a/ ],
	[ 'a little worse', [ with(0.59, 2.39) ], 0, qr/\+18\.0 %/ ],
	[ 'one is worse', [ with(0.5, 2.41) ], 1, qr/^good .*\nWORSE .*2\.4100 released +2\.0000 +\+20\.5 % +map +a \/ b/ ],
	[ 'better', [ with(0.1, 0.2) ], 0, qr/-80\.0 %.*\n.*-90\.0 %/ ],
	[ 'worse once, but not the second time', [ with(0.9, 2), with(0.5, 3) ], 0, qr/^good .*\ngood / ],
	[ 'worse each time', [ with(0.9, 2), with(0.7, 2) ], 1, qr/^WORSE  +0\.7000/ ],
	[ 'something is not measured any more', [ [ with(0.5, 2)->[0] ] ], 1, qr/^NOT MEASURED +map +a/m ],
	[ 'something is new', [ [ @{ with(0.5, 2) }, [ 'map', 'c / d', 1 ] ] ], 0, qr/^new +1\.0000 +map +c/m ],
	[ 'nothing was measured', [ [] ], 1, qr/^NOT MEASURED/ ])
{
	my ($name, $measured, $expected, $text) = @$case;
	my ($status, $out) = compare(\@released, @$measured);
	is($status, $expected, "$name: " . ($expected ? 'refused' : 'let through'));
	like($out, $text, "$name: said so");
}
my ($status, $out) = compare([], with(1, 1));
is($status, 1, 'nothing to compare with: refused');
{
	local $ENV{LIMIT} = 100;
	is((compare(\@released, with(0.9, 2)))[0], 0, 'LIMIT');
}
done_testing();
