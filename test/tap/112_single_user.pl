# In single-user mode nobody starts workers: a launch says so at once.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

my $node = new_node('single_user');
$node->safe_psql('postgres', 'CREATE EXTENSION pllua_bg');
$node->stop;

# What the server says to each of the statements, each on a line of its own.
sub single
{
	my @statements = @_;
	my ($out, $err) = ('', '');
	my $in = join('', map { "$_\n" } @statements);
	IPC::Run::run([ 'postgres', '--single', '-D', $node->data_dir, 'postgres' ], '<', \$in, '>', \$out, '2>', \$err)
		or die "postgres --single: $err";
	return "$out$err";
}

for my $call (
	'bg.launch()', 'bg.launch{wait = 60}', 'bg.launch{snapshot = true}', 'bg.autonomous("select 1")', 'bg.on_commit("select 1")',
	'bg.map({1}, "select $1")')
{
	my $said = single("do language pllua_bg \$x\$ local _, e = pcall(function() return $call end) spi.warning(table.concat({e.sqlstate, e.message, tostring(e.hint)}, [[ | ]])) \$x\$");
	like($said, qr/0A000 \| background sessions are not possible in single-user mode \| nil/, $call);
}
like(single('select bg.launch()'), qr/ERROR:  background sessions are not possible in single-user mode/, 'SQL');
like(single('do language pllua_bg $x$ spi.warning("one is " .. spi.execute("select 1 as one").value + #bg.sessions()) $x$'), qr/WARNING:  one is 1/, 'the language works');

done_testing();
