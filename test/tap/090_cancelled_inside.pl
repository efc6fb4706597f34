# A cancel that arrives while something is made for Lua code (a state, a thread, a function, arguments, an error) is a cancel:
# it comes out as 57014, and what was being made works at the next use.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

my $node = new_node('cancelled_inside', "pllua_bg.on_common_init = 'started = (started or 0) + 1'\n");
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION pllua_bg;
CREATE FUNCTION twice(x int) RETURNS int LANGUAGE pllua_bg AS $$ return x * 2 $$;
CREATE FUNCTION nested(x int) RETURNS int LANGUAGE pllua_bg AS $$ return spi.execute('SELECT twice($1) AS x', x)[1].x $$;
CREATE FUNCTION caught(x int) RETURNS int LANGUAGE pllua_bg AS $$
    local ok, result = pcall(spi.execute, 'SELECT twice($1) AS x', x)
    return ok and result[1].x or -1
$$;
CREATE FUNCTION rows(n int) RETURNS SETOF int LANGUAGE pllua_bg AS $$ for i = 1, n do coroutine.yield(i) end $$;
CREATE FUNCTION fails() RETURNS int LANGUAGE pllua_bg AS $$ error(setmetatable({}, {__tostring = function() return 'its text' end})) $$;
SQL
unless (has_fault_points($node))
{
	$node->stop;
	plan skip_all => 'built without fault points';
}

my %statements = (
	'DO' => ['DO LANGUAGE pllua_bg $$ assert(_G.started == 1) $$', ''],
	'a function' => ['SELECT twice(21)', '42'],
	'a nested function' => ['SELECT nested(21)', '42'],
	'a nested function whose errors are caught' => ['SELECT caught(21)', '42'],
	'a set' => ['SELECT count(*) FROM rows(3)', '3'],
	'a set row by row' => ['SELECT count(*) FROM (SELECT rows(3)) r', '3'],
	'an error' => [ 'DO $$ BEGIN PERFORM fails(); RAISE \'no error\'; EXCEPTION WHEN external_routine_exception THEN END $$', '' ],
);

my $cancelled = 'ERROR:  57014: canceling statement due to user request';
for my $point ('prepare-state', 'open-execution', 'make-thread', 'compile', 'push-arguments', 'take-result', 'take-error', 'close-execution')
{
	for my $used (0, 1)
	{
		my $prepare = $used ? 'SELECT twice(1), nested(1), caught(1); DO LANGUAGE pllua_bg $$ coroutine.wrap(collectgarbage)() $$;' : q{LOAD 'pllua_bg';};
		for my $name (sort keys %statements)
		{
			my ($statement, $result) = @{ $statements{$name} };
			my ($code, $out, $err) = $node->psql('postgres',
				"\\set VERBOSITY verbose\n$prepare\n\\echo ---\nSET pllua_bg.fault = '$point=cancel';\n$statement;\nRESET pllua_bg.fault;\n"
				. "\\echo ---\n$statement;\n\\echo alive", on_error_stop => 0);
			my (undef, $first, $second) = split /---\n?/, $out;
			my @errors = $err =~ /^\S*\s*(ERROR:  .*|FATAL:  .*)$/mg;
			my $is_right = (@errors == 0 && $first =~ /^\Q$result\E\s*$/) || (@errors == 1 && $errors[0] eq $cancelled && $first eq '');
			ok($is_right, "$point, $name, " . ($used ? 'used before' : 'first use') . ': the result or the cancel')
			  or diag("out: $out\nerr: $err");
			like($second, qr/^(\Q$result\E\n)?alive$/, "$point, $name: all is well afterwards");
		}
	}
}

# Where a thread is made there is no doubt.
my ($code, $out, $err) = $node->psql('postgres',
	"\\set VERBOSITY sqlstate\nLOAD 'pllua_bg'; SET pllua_bg.fault = 'make-thread=cancel'; SELECT twice(1)", on_error_stop => 0);
like($err, qr/57014/, 'a cancel while a thread is made is one');

$node->stop;
done_testing();
