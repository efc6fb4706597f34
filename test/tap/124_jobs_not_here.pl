# Where jobs cannot run, bg.submit and its relatives say so, and what would help: without the extension, without preloading, with pllua_bg.jobs = off.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

my $node = new_node('here', "shared_preload_libraries = ''\n");
$node->safe_psql('postgres', 'CREATE EXTENSION pllua_bg');

# SQLSTATE, message and hint of a statement that has to fail.
sub error_of
{
	my ($sql) = @_;
	my ($code, $out, $error) = $node->psql('postgres', "\\set VERBOSITY verbose\n$sql");
	my ($state, $message) = $error =~ /ERROR:  (\w{5}): (.*)/;
	my ($hint) = $error =~ /HINT:  (.*)/;
	return join ' | ', $state // 'none', $message // $error, $hint // '';
}
my $lua = q{DO LANGUAGE pllua_bg $$ bg.submit('select 1') $$};
is(error_of($lua), '55000 | there are no jobs in this database | CREATE EXTENSION pllua_bg_jobs', 'without the extension');
is($node->safe_psql('postgres', q{DO LANGUAGE pllua_bg $$ assert(bg.self == nil and bg.cancelled() == false) $$}), '', 'what runs is no job');

$node->safe_psql('postgres', 'CREATE EXTENSION pllua_bg_jobs');
my @calls = ($lua, q{SELECT bg.submit('select 1')}, 'SELECT bg.wait_job(1)', 'SELECT bg.cancel_job(1)', 'SELECT bg.retry_job(1)', 'SELECT bg.run_job_now(1)',
	'SELECT bg.jobs_pause()', 'SELECT bg.jobs_resume()', 'SELECT bg.jobs_adopt()', q{SELECT bg.queue('q')}, q{DO LANGUAGE pllua_bg $$ bg.job(1):wait() $$});
is(error_of($_), '55000 | jobs do not run in this server | The library pllua_bg must be in shared_preload_libraries.', "not preloaded: $_") for @calls;
is($node->safe_psql('postgres', 'SELECT count(*) FROM bg.jobs; SELECT count(*) FROM bg.job_runs; SELECT count(*) FROM bg.job_plan(); SELECT count(*) FROM bg.queues'),
	"0\n0\n0\n1", 'looking is possible');
is(error_of('SELECT bg.job_result(1)'), '42704 | job 1 does not exist | ', 'also for one that there is not');

$node->append_conf('postgresql.conf', "shared_preload_libraries = 'pllua_bg'\npllua_bg.jobs = off\n");
$node->restart;
is(error_of($_), '55000 | jobs do not run in this server | The setting pllua_bg.jobs is off.', "switched off: $_") for @calls;
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type ~ '^pllua_bg'}), 0, 'and there is no process of them');

$node->append_conf('postgresql.conf', "pllua_bg.jobs = on\n");
$node->restart;
is($node->safe_psql('postgres', q{SELECT bg.submit('select 1'); SELECT bg.wait_job(1, 60)}), "1\ndone", 'switched on they run');
$node->stop;
done_testing();
