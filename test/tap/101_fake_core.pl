# The fake core of test/lua takes and gives what the real one does, for all that lua/ calls (test/lua/core_calls.lua).
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

my $top = "$FindBin::RealBin/../..";
my $node = new_node('core', "max_worker_processes = 8\npllua_bg.pool_size = 0\n");
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION pllua_bg;
CREATE EXTENSION pllua_bgu;
CREATE FUNCTION core_calls(path text) RETURNS text LANGUAGE pllua_bgu AS $$
	local core
	for i = 1, 10 do
		local name, value = debug.getupvalue(bg.status, i)
		if name == 'core' then core = value end
	end
	local lines = dofile(path)(core, {ok = "select '1' as v", failing = "do 'begin raise exception $x$no$x$; end'",
		slow = 'select pg_sleep(1000)', -- workload
		several = "select '1' as v; select '2' as v", parameter = 'select $1::text as v'})
	return table.concat(lines, '\n')
$$;
SQL
my $real = $node->safe_psql('postgres', "SELECT core_calls('$top/test/lua/core_calls.lua')");
my $fake = do { local $ENV{LUA_PATH} = "$top/test/lua/?.lua;;"; `lua5.4 '$top/test/lua/core_calls_test.lua' print` };
my @differences;
my @real = split /\n/, $real;
my @fake = split /\n/, $fake;
for my $i (0 .. (@real > @fake ? $#real : $#fake))
{
	my ($line, $other) = map { $_ // 'nothing' } $real[$i], $fake[$i];
	push @differences, "real: $line\nfake: $other" if $line ne $other;
}
cmp_ok(scalar @real, '>', 100, 'the real core was called');
is(join("\n", @differences), '', 'the fake core takes and gives the same');
$node->stop;
done_testing();
