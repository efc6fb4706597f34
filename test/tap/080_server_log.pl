# What sessions write to the server log.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

my $node = new_node('log', "log_line_prefix = '%p '\n");
$node->safe_psql('postgres', 'CREATE EXTENSION pllua_bg');

# Runs a script in one backend; what the client was told and what the server log has of it.
sub outcome
{
	my ($script) = @_;
	my $start = -s $node->logfile;
	my ($code, $out, $err) = $node->psql('postgres', $script);
	is($code, 0, 'the script runs') or diag($err);
	return ($out, $err, slurp_file($node->logfile, $start));
}

sub occurrences
{
	my ($text, $pattern) = @_;
	return scalar(() = $text =~ /$pattern/g);
}

# A message of a worker is written once, by the worker, and reaches the client once.
my %scripts = (
	'SQL' => q{SELECT bg.launch() AS pid \gset
SELECT bg.run(:pid, 'DO ''BEGIN RAISE WARNING $m$take care$m$; RAISE LOG $m$for the log$m$; END''');
SELECT * FROM bg.result(:pid) AS (tag text);
DO $$ BEGIN RAISE WARNING 'of the launcher'; END $$;
SELECT pg_backend_pid() AS launcher, :pid AS worker;},
	'Lua' => q{DO LANGUAGE pllua_bg $$
	local s = bg.launch()
	s:exec("do 'begin raise warning $m$take care$m$; raise log $m$for the log$m$; end'")
	spi.execute("do 'begin raise warning $m$of the launcher$m$; end'")
	spi.execute("select set_config('t.pid', $1, false)", tostring(s.pid))
$$;
SELECT pg_backend_pid(), current_setting('t.pid');});
for my $way (sort keys %scripts)
{
	my ($out, $err, $log) = outcome($scripts{$way});
	my ($launcher, $worker) = $out =~ /(\d+)\|(\d+)\s*\z/;
	is(occurrences($err, qr/WARNING:  take care$/m), 1, "$way: the client is warned once");
	is(occurrences($log, qr/WARNING:  take care$/m), 1, "$way: the server log has the warning once");
	is(occurrences($log, qr/^$worker WARNING:  take care$/m), 1, "$way: from the worker");
	is(occurrences($log, qr/LOG:  for the log$/m), 1, "$way: a LOG message is there once too");
	is(occurrences($log, qr/^$launcher WARNING:  of the launcher$/m), 1, "$way: the launcher's own warnings are still written");
}


# Statements of a session are logged as those of a client are.
my ($told, $said, $logged) = outcome(q{SELECT bg.launch(settings => '{log_statement=ddl}') AS pid \gset
SELECT bg.run(:pid, 'CREATE TABLE logged ()'), bg.run(:pid, 'SELECT 41'), bg.run(:pid, 'SET log_min_duration_statement = 0'), bg.run(:pid, 'SELECT 42'), bg.wait(:pid);
SELECT :pid;});
my ($session) = $told =~ /(\d+)\s*\z/;
is(occurrences($logged, qr/^$session LOG:  statement: CREATE TABLE logged \(\)$/m), 1, 'log_statement = ddl: a CREATE TABLE is logged');
is(occurrences($logged, qr/^$session LOG:  .*SELECT 41/m), 0, 'log_statement = ddl: a SELECT is not');
is(occurrences($logged, qr/^$session LOG:  duration: [\d.]+ ms  statement: SELECT 42$/m), 1, 'log_min_duration_statement: statements with their duration');

# What has parameters, or is prepared, as those of the extended protocol.
sub in_session
{
	my ($settings, $code) = @_;
	my ($told, $said, $all) = outcome(<<"SQL");
DO LANGUAGE pllua_bg \$\$
	local s <close> = bg.launch{settings = {log_statement = 'none', $settings}}
	spi.execute("select set_config('t.pid', \$1, false)", tostring(s.pid))
	$code
\$\$;
SELECT current_setting('t.pid');
SQL
	my ($worker) = $told =~ /(\d+)\s*\z/;
	return join("\n", map { s/duration: [\d.]+ ms/duration: N ms/r =~ s/bg_\d+/bg_N/r } grep { s/^$worker // } split(/\n/, $all)) . "\n";
}
my $with_parameters = q{s:exec('select $1::int + $2', 20, 22) s:exec('select $1, $2', 'a text', nil)
	local st = s:prepare('select $1::int, 5') st:exec(6) st:exec(7) s:exec('select 8')};
is(in_session(q{log_statement = 'all'}, $with_parameters), <<'LOG', 'log_statement = all');
LOG:  execute <unnamed>: select $1::int + $2
DETAIL:  parameters: $1 = '20', $2 = '22'
LOG:  execute <unnamed>: select $1, $2
DETAIL:  parameters: $1 = 'a text', $2 = NULL
LOG:  execute bg_N: select $1::int, 5
DETAIL:  parameters: $1 = '6'
LOG:  execute bg_N: select $1::int, 5
DETAIL:  parameters: $1 = '7'
LOG:  statement: select 8
LOG
is(in_session(q{log_min_duration_statement = 0}, $with_parameters), <<'LOG', 'log_min_duration_statement = 0: an analysis is no execution');
LOG:  duration: N ms  execute <unnamed>: select $1::int + $2
DETAIL:  parameters: $1 = '20', $2 = '22'
LOG:  duration: N ms  execute <unnamed>: select $1, $2
DETAIL:  parameters: $1 = 'a text', $2 = NULL
LOG:  duration: N ms  parse bg_N: select $1::int, 5
LOG:  duration: N ms  execute bg_N: select $1::int, 5
DETAIL:  parameters: $1 = '6'
LOG:  duration: N ms  execute bg_N: select $1::int, 5
DETAIL:  parameters: $1 = '7'
LOG:  duration: N ms  statement: select 8
LOG
is(in_session(q{log_duration = true, log_statement = 'all'}, q{s:exec('select $1', 1) s:exec('select 2')}), <<'LOG', 'log_duration: a statement that is there already');
LOG:  execute <unnamed>: select $1
DETAIL:  parameters: $1 = '1'
LOG:  duration: N ms
LOG:  statement: select 2
LOG:  duration: N ms
LOG
is(in_session(q{log_duration = true}, q{s:prepare('select $1'):exec(1)}), "LOG:  duration: N ms\n" x 2, 'log_duration alone');
is(in_session(q{log_statement = 'ddl'}, q{s:exec('select $1', 1) s:exec('create temp table x as select $1 as a', 1)}), <<'LOG', 'log_statement = ddl');
LOG:  execute <unnamed>: create temp table x as select $1 as a
DETAIL:  parameters: $1 = '1'
LOG
is(in_session(q{log_statement = 'all', log_parameter_max_length = 3}, q{s:exec('select $1, $2::text[]', 'abcdef', {'x'})}), <<'LOG', 'log_parameter_max_length');
LOG:  execute <unnamed>: select $1, $2::text[]
DETAIL:  parameters: $1 = 'abc...', $2 = '{x}'
LOG
is(in_session(q{log_statement = 'all', log_parameter_max_length = 0}, q{s:exec('select $1', 'abcdef')}), "LOG:  execute <unnamed>: select \$1\n", 'log_parameter_max_length = 0');
my $failing = q{print(select(2, pcall(s.exec, s, 'select 1 / $1', 0)).context)
	local st = s:prepare('select 1 / $1::int') pcall(st.exec, st, 0)};
unlike(in_session('', $failing), qr/parameters/, 'errors are without parameters');
is(in_session(q{log_parameter_max_length_on_error = -1}, $failing), <<'LOG', 'log_parameter_max_length_on_error');
ERROR:  division by zero
CONTEXT:  unnamed portal with parameters: $1 = '0'
STATEMENT:  select 1 / $1
ERROR:  division by zero
CONTEXT:  unnamed portal with parameters: $1 = '0'
STATEMENT:  select 1 / $1::int
LOG
is(in_session(q{log_min_duration_statement = 0}, q{
	s:exec('create temp table kept (a int unique deferrable initially deferred)')
	pcall(s.exec, s, 'insert into kept values ($1), ($1)', 1) s:begin() s:exec('insert into kept values ($1)', 2) s:commit()}), <<'LOG', 'before the commit');
LOG:  duration: N ms  statement: create temp table kept (a int unique deferrable initially deferred)
LOG:  duration: N ms  execute <unnamed>: insert into kept values ($1), ($1)
DETAIL:  parameters: $1 = '1'
ERROR:  duplicate key value violates unique constraint "kept_a_key"
DETAIL:  Key (a)=(1) already exists.
STATEMENT:  insert into kept values ($1), ($1)
LOG:  duration: N ms  statement: begin
LOG:  duration: N ms  execute <unnamed>: insert into kept values ($1)
DETAIL:  parameters: $1 = '2'
LOG:  duration: N ms  statement: commit
LOG

# The life of a session, for who looks for it: at DEBUG1 only.
my $lives = q{SELECT bg.launch(name => 'mine') AS pid \gset
SELECT bg.run(:pid, 'SELECT 1'), bg.wait(:pid), bg.close(:pid);
DO LANGUAGE pllua_bg $$
	-- a launch takes what is in the pool once it is ready
	local pid
	repeat
		local s <close> = bg.launch{name = 'again'}
		s:exec('select 1')
		local reused = s.pid == pid
		pid = s.pid
	until reused
	local busy = bg.launch{name = 'busy'}
	spi.execute('select pg_advisory_xact_lock(1)')
	busy:run('select pg_advisory_xact_lock(1)')
	busy:detach()
	local cut = bg.launch{name = 'cut'}
	cut:exec('begin')
	cut:close()
	local killed = bg.launch{name = 'killed'}
	killed:run('select pg_terminate_backend(pg_backend_pid())'):wait()
	repeat until killed:status().state == 'gone'
$$;
BEGIN; SELECT bg.on_commit('SELECT 1'); COMMIT;
SELECT bg.launch(name => 'idler', idle_timeout => 0.001) AS pid \gset
DO LANGUAGE pllua_bg 'repeat until bg.sessions()[2]:status().state == "gone"';
DO LANGUAGE pllua_bg $$ bg.autonomous('select 1') $$;
SET pllua_bg.pool_size = 0;
SELECT pg_backend_pid();};
my $quiet = (outcome($lives))[2];
unlike($quiet, qr/DEBUG|background session \S*\s*\(PID/, 'ordinarily nothing is written');
$node->append_conf('postgresql.conf', 'log_min_messages = debug1');
$node->reload;
$node->poll_query_until('postgres', q{SELECT current_setting('log_min_messages') = 'debug1'}) or die;
my ($out, $err, $log) = outcome($lives);
unlike($err, qr/DEBUG/, 'the client hears nothing of it');
my ($launcher) = $out =~ /(\d+)\s*\z/;
$node->poll_query_until('postgres', q{SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'pllua_bg session')}) or die;
my $all = slurp_file($node->logfile);
like($log, qr/^$launcher DEBUG:  background session $_/m, "launcher: $_")
  foreach 'mine \(PID \d+\) is launched', 'mine \(PID \d+\) is ready', 'mine \(PID \d+\) is put into the pool', 'again \(PID \d+\) is taken from the pool',
  'busy \(PID \d+\) is let go, with work to finish', 'cut \(PID \d+\) is closed', 'killed \(PID \d+\) has ended: terminating background worker',
  'idler \(PID \d+\) has ended: The session ended because it was idle', '\(PID \d+\) is taken from the pool and ended', 'on_commit \(PID \d+\) is launched for work after the commit';
like($all, qr/^\d+ DEBUG:  background session ends: $_$/m, "worker: $_")
  foreach 'its launcher has closed it', 'it was idle for too long', 'its launcher has gone|its launcher has let it go';

# What a process waits for.
my $waiting = new_psql($node);
my $pid = $waiting->query_safe('SELECT bg.launch()');
my @names = $node->pg_version >= 17 ? ('Extension:PlluaBgCommand', 'Extension:PlluaBgResult') : ('Client:ClientRead', 'IPC:MessageQueueReceive');
ok($node->poll_query_until('postgres', "SELECT wait_event_type || ':' || wait_event = '$names[0]' FROM pg_stat_activity WHERE pid = $pid"), "an idle session: $names[0]");
my $backend = $waiting->query_safe('SELECT pg_backend_pid()');
$waiting->query_until(qr/begun/, "\\echo begun\nSELECT bg.run($pid, 'SELECT pg_sleep(1000)'), bg.wait($pid);\n");    # workload
ok($node->poll_query_until('postgres', "SELECT wait_event_type || ':' || wait_event = '$names[1]' FROM pg_stat_activity WHERE pid = $backend"), "who waits for it: $names[1]");
$node->safe_psql('postgres', "SELECT bg.terminate($pid)");
eval { $waiting->quit };

$node->stop;
done_testing();
