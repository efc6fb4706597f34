# Jobs in a physical backup: restored to a point in time, those that were done then stay done, those that waited run, each once, and none
# while pllua_bg.jobs is off.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

my $node = new_node('original', "shared_preload_libraries = 'pllua_bg'\nmax_worker_processes = 16\n", has_archiving => 1, allows_streaming => 1);
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION pllua_bg;
CREATE EXTENSION pllua_bg_jobs;
CREATE TABLE done (what text);
SELECT bg.queue('later', paused => true);
SQL
sub submit
{
	my ($what, $options) = @_;
	return $node->safe_psql('postgres', "SELECT bg.submit('insert into public.done values (''$what'')', options => '$options')");
}
my $before = submit('before the backup', '{}');
$node->safe_psql('postgres', "SELECT bg.wait_job($before)");
$node->backup('base');
my $between = submit('before the point', '{}');
$node->safe_psql('postgres', "SELECT bg.wait_job($between)");
my $waits = submit('waits at the point', '{"queue": "later"}');
$node->safe_psql('postgres', q{SELECT pg_create_restore_point('point')});
$node->safe_psql('postgres', "SELECT bg.queue('later', paused => false)");
$node->safe_psql('postgres', "SELECT bg.wait_job($waits)");
$node->safe_psql('postgres', q{SELECT pg_switch_wal()});
$node->stop;

my $copy = PostgreSQL::Test::Cluster->new('copy');
$copy->init_from_backup($node, 'base', has_restoring => 1);
$copy->append_conf('postgresql.conf', "recovery_target_name = 'point'\nrecovery_target_action = promote\npllua_bg.jobs = off\n");
$copy->start;
ok($copy->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()'), 'restored to a point in time');
my $done = q{SELECT string_agg(what, ', ' ORDER BY what) FROM done};
my $states = 'SELECT string_agg(state, \',\' ORDER BY id) FROM bg.jobs';
is($copy->safe_psql('postgres', $done), 'before the backup, before the point', 'as it was then');
is($copy->safe_psql('postgres', $states), 'done,done,held', 'the jobs, too');
is($copy->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type IN ('pllua_bg launcher', 'pllua_bg jobs')}), '0', 'none runs with pllua_bg.jobs = off');
$copy->append_conf('postgresql.conf', 'pllua_bg.jobs = on');
$copy->restart;
$copy->safe_psql('postgres', "SELECT bg.queue('later', paused => false)");
is($copy->safe_psql('postgres', "SELECT bg.wait_job($waits, 60)"), 'done', 'then it runs');
is($copy->safe_psql('postgres', $done), 'before the backup, before the point, waits at the point', 'each once');
$copy->stop;
done_testing();
