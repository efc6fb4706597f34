# The commands of tools/gdb, each called in the worker of a session and in its launcher; where gdb may attach to no process, in one that it starts.
# GDB_ATTACH=0 does as if it were so.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

plan skip_all => 'no gdb here' if system('gdb --version >/dev/null 2>&1') != 0;

my $node = new_node('gdb', "max_worker_processes = 8\n");
$node->safe_psql('postgres', 'CREATE EXTENSION pllua_bg');
session_functions($node, '{name = option}');

# What gdb says to each of the commands, errors among it. `$process` are the arguments that tell which process, `@program` what it starts.
sub gdb
{
	my ($commands, $process, @program) = @_;
	my @each = map { ('-ex', "echo \\n== $_\\n", '-ex', $_) } @$commands;
	my $out = '';
	IPC::Run::run([ 'gdb', '-nx', '-batch', '-x', "$FindBin::RealBin/../../tools/gdb", @$process, @each, @program ], '>&', \$out, '<', \undef);
	note($out);
	my (undef, @parts) = split /^== /m, $out;
	return map { /\A(.*?)\n(.*)\z/s } @parts;
}

my $launcher = new_psql($node);
my $own = $launcher->query_safe('SELECT pg_backend_pid()');
my $pid = $launcher->query_safe(q{SELECT session_open('looked at')});
my $work = q{DO LANGUAGE pllua_bg 'local function innermost() spi.execute([[select pg_sleep(1000)]]) end innermost()'};    # workload
$launcher->query_safe("SELECT session_send($pid, \$\$$work\$\$)");
$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE pid = $pid AND wait_event = 'PgSleep'")
  or die 'the worker never came to its work';

# In a process that runs Lua code.
my %running = (
	'help pllua' => qr/^pllua tree -- /m,
	'pllua memory' => qr/^ *\d{6,} TopMemoryContext\n.*^ *\d+ +CacheMemoryContext/ms,
	'pllua memory TopMemoryContext 1000000000' => qr/^\s*\z/,
	'pllua lua' => qr/stack traceback:.*in .*innermost/s,
	'pllua list ActivePortal->stmts' => qr/^List of 1\n +0: 0x[0-9a-f]+ PlannedStmt$/m,
	'pllua node ActivePortal->stmts' => qr/^List of 1$/m,
	'pllua tree ActivePortal->stmts' => qr/PLANNEDSTMT/,
	'pllua linked' => qr/^pllua linked LIST/m);
# What is static in the server, which has no symbols everywhere.
my %static = (
	'pllua errors' => qr/^none$/m,
	'pllua dlist &saved_plan_list CachedPlanSource node query_string' => qr/\A(0x[0-9a-f]+ query_string=.*\n|\s)*\z/);

sub try_running
{
	my ($name, @how) = @_;
	my %said = gdb([ 'print errordata_stack_depth', sort(keys %running, keys %static) ], @how);
	return 0 unless ($said{'pllua memory'} // '') =~ /^ *\d+ TopMemoryContext/m;
	my $symbols = $said{'print errordata_stack_depth'} =~ /^\$/m;
	like($said{$_}, $running{$_}, "$name: $_") for sort keys %running;
	like($said{$_}, $symbols ? $static{$_} : qr/No symbol "/, "$name: $_") for sort keys %static;
	return 1;
}

my $attached = ($ENV{GDB_ATTACH} // 1) && try_running('worker', [ '-p', $pid ]);
if ($attached)
{
	my %of_launcher = (
		'pllua linked pllua_bg::session::sessions pid name' => qr/^0x[0-9a-f]+ pid=$pid name="looked at"\n1 elements$/m,
		'pllua linked pllua_bg::session::sessions.first->commands id' => qr/^0x[0-9a-f]+ id=1\n1 elements$/m,
		'pllua lua' => qr/^no Lua code runs$/m);
	my %said = gdb([ sort keys %of_launcher ], [ '-p', $own ]);
	like($said{$_}, $of_launcher{$_}, "launcher: $_") for sort keys %of_launcher;
	my %in_worker = gdb([ 'print pllua_bg::session::worker.running' ], [ '-p', $pid ]);
	like($in_worker{'print pllua_bg::session::worker.running'}, qr/^\$\d+ = [1-9]/m, 'worker: its command');
}
is($launcher->query_safe("SELECT bg.cancel($pid), bg.wait($pid)"), '|t', 'both are there');
$launcher->quit;
no_workers_left($node, 'at the end');
server_log_is_clean($node);
$node->stop;

unless ($attached)
{
	my $input = PostgreSQL::Test::Utils::tempdir . '/input';
	append_to_file($input, "$work\n");
	my $arguments = "--single -D '" . $node->data_dir . "' postgres";
	ok(try_running('a server by itself', [ '-ex', 'break pg_sleep', '-ex', "run $arguments <'$input'" ], $node->config_data('--bindir') . '/postgres'), 'gdb looks into a process of its own');
}
done_testing();
