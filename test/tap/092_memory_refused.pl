# The operating system refuses memory (ulimit -v) while memory_limit does not: whatever of it Lua code holds, the statement fails
# with 53200, and the next ones work, in Lua, in SQL and in sessions, also where the code has kept what it had.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

my $node = new_node('refused', "shared_buffers = 16MB\njit = off\n");
$node->safe_psql('postgres', 'CREATE EXTENSION pllua_bg');
if (system('command -v prlimit >/dev/null') != 0)
{
	$node->stop;
	plan skip_all => 'no prlimit here';
}
# The backends and workers to come inherit it.
my ($postmaster) = split /\n/, slurp_file($node->data_dir . '/postmaster.pid');
my $megabytes = 200;
system_or_bail('prlimit', "--pid=$postmaster", '--as=' . $megabytes * 1024 * 1024);

# What fills the table T, or what sessions in it hold.
my $long = q{('1,'):rep(300)};
my %kinds = (
	'tables' => 'for i = 1, 1e9 do T[i] = {i} end',
	'strings' => q{for i = 1, 1e9 do T[i] = ('x'):rep(1000) .. i end},
	'a string' => q{T[1] = 'x' while true do T[1] = T[1] .. T[1] end},
	'coroutines' => 'for i = 1, 1e9 do T[i] = coroutine.create(function() end) end',
	'plans' => "for i = 1, 1e9 do T[i] = spi.prepare('select ' .. $long .. i) end",
	'cursors' => q{local p = spi.prepare('select generate_series(1, 100)') for i = 1, 1e9 do T[i] = p:getcursor() T[i]:fetch(1) end},
	'results' => q{for i = 1, 1e9 do T[i] = spi.execute('select i from generate_series(1, 1000) i') end},
	'a result' => q{T[1] = spi.execute([[select i, repeat('x', 2000) from generate_series(1, 1000000) i]])},
	'a row' => q{T[1] = spi.execute([[select repeat('x', 100000000), repeat('x', 100000000), repeat('x', 100000000)]])},
	'caught errors' => q{for i = 1, 1e9 do local _, e = pcall(spi.execute, 'select 1/0') if e.sqlstate == '53200' then error(e) end T[i] = e end},
	'commands' => q{T[1] = bg.launch() while true do T[1]:run('select 1') end},
	'futures' => q{T[1] = bg.launch() for i = 2, 1e9 do T[i] = T[1]:run('select 1') end},
	'commands that fail' => q{T[1] = bg.launch() while true do T[1]:run('select 1/0') end},
	'notices' => q{T[1] = bg.launch() while true do T[1]:run([[do $b$ begin raise notice '%', repeat('x', 10000); end $b$]]) end},
	'results of sessions' => q{T[1] = bg.launch() while true do T[1]:run([[select repeat('x', 10000)]]) end},
	'a result of a session' => q{T[1] = bg.launch() T[2] = T[1]:exec([[select i, repeat('x', 2000) from generate_series(1, 200000) i]])},
	'on_commit' => "while true do bg.on_commit('select ' .. $long .. '1') end",
	'statements of a session' => "T[1] = bg.launch() for i = 2, 1e9 do T[i] = T[1]:prepare('select ' .. $long .. i) end",
	'tables in a session' => q{T[1] = bg.launch() T[1]:exec('do language pllua_bg $b$ T = {} for i = 1, 1e9 do T[i] = {i} end $b$')},
	'plans in a session' => q{T[1] = bg.launch() T[1]:exec([[do language pllua_bg $b$ T = {} for i = 1, 1e9 do T[i] = spi.prepare('select ' .. ('1,'):rep(300) .. i) end $b$]])},
);

my $next = q{
DO LANGUAGE pllua_bg $x$ print('next', spi.execute('SELECT 1 AS n')[1].n) $x$;
SELECT 'sql', count(*) > 0 FROM pg_class;
DO LANGUAGE pllua_bg $x$ print('session', bg.autonomous('SELECT 2 AS n')[1].n) $x$;
DO LANGUAGE pllua_bg $x$ T = nil collectgarbage() for _, s in ipairs(bg.sessions()) do s:close() end
	print('let go', bg.autonomous('SELECT 3 AS n')[1].n) $x$;
SELECT 'alive', pg_backend_pid();
};

# Runs a script in a connection without limits of ours; what was said.
sub told
{
	my ($script) = @_;
	my (undef, $out, $err) = $node->psql('postgres', q{
LOAD 'pllua_bg';
SET pllua_bg.memory_limit = 0;
SET pllua_bg.max_queued = 0;
SELECT 'born', pg_backend_pid();
} . $script, on_error_stop => 0);
	$out =~ s/^(born\|\d+)$//m;
	my $born = $1 // '';
	(my $alive = $born) =~ s/born/alive/;
	$out =~ s/^\Q$alive\E$/alive/m if $born;
	$out =~ s/^\n//mg;
	my @said = map { s/^psql:<stdin>:\d+: //r } grep { /INFO: |ERROR: |FATAL: |PANIC: |server closed/ } split /\n/, $err;
	return ($out, map { s/\t//gr } @said);
}

my @expected = ('INFO:  next1', 'INFO:  session2', 'INFO:  let go3');
# What sessions bring stays until it is fetched, or they are closed; meanwhile others bring nothing more.
my %fills_queues = map { $_ => 1 } 'commands that fail', 'notices', 'results of sessions';
for my $kind (sort keys %kinds)
{
	my $code = $kinds{$kind};
	for my $way ('let go', 'kept', 'caught')
	{
		my $holder = $way eq 'kept' ? 'T = {}' : 'local T = {}';
		my $do = $way eq 'caught'
		  ? qq{DO LANGUAGE pllua_bg \$x\$ local T = {} local ok, e = pcall(function() $code end) T = nil print(ok, e.sqlstate)
			print(spi.execute('select 4 as n')[1].n) \$x\$;}
		  : qq{DO LANGUAGE pllua_bg \$x\$ $holder $code \$x\$;};
		my ($out, @said) = told("\\set VERBOSITY sqlstate\n$do\n\\set VERBOSITY terse\n$next");
		my @first = $way eq 'caught' ? ('INFO:  00000', 'INFO:  00000') : ('ERROR:  53200');
		$said[-2] = 'INFO:  session2' if $fills_queues{$kind} && $said[-2] eq 'ERROR:  memory limit exceeded';
		is_deeply([ $out, @said ], [ "sql|t\nalive", @first, @expected ], "$kind, $way: the statements after 53200 work")
		  or diag(join "\n", $out, @said);
	}
}

$node->stop;
done_testing();
