# Durable jobs where there is no room for their processes, on a standby, and after its promotion.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

my $schema = 'CREATE EXTENSION pllua_bg; CREATE EXTENSION pllua_bg_jobs; CREATE TABLE done (what text)';

# Two slots are left beside the two launchers.
my $node = new_node('slots', "shared_preload_libraries = 'pllua_bg'\nmax_worker_processes = 4\npllua_bg.job_linger = 0\npllua_bg.job_idle = 1\n");
$node->safe_psql('postgres', $schema);
my $backend = new_psql($node);
my @taken = map { $backend->query_safe('SELECT bg.launch()') } 1 .. 2;
my $offset = -s $node->logfile;
my $id = $node->safe_psql('postgres', q{SELECT bg.submit('insert into done values (''late'')')});
ok(wait_until(sub { slurp_file($node->logfile, $offset) =~ /WARNING:  no free worker slot for the scheduler of jobs in database "postgres"\n.*DETAIL:.*\n.*HINT:.*max_worker_processes/ }), 'no slot for a scheduler: the log says so');
$backend->query_safe("SELECT bg.close($_)") for @taken;
is($node->safe_psql('postgres', "SELECT bg.wait_job($id)"), 'done', 'when there is one the job runs');
is(scalar(() = slurp_file($node->logfile, $offset) =~ /WARNING/g), 1, 'the log has it once');
ok($node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type IN ('pllua_bg jobs', 'pllua_bg session')}), 'all processes go');
@taken = ($backend->query_safe('SELECT bg.launch()'));
$offset = -s $node->logfile;
$id = $node->safe_psql('postgres', q{SELECT bg.submit('insert into done values (''later'')')});
ok(wait_until(sub { slurp_file($node->logfile, $offset) =~ /WARNING:/ }), 'no slot for a session: the log says so');
$backend->query_safe("SELECT bg.close($_)") for @taken;
is($node->safe_psql('postgres', "SELECT bg.wait_job($id)"), 'done', 'when there is one the job runs');
is(scalar(() = slurp_file($node->logfile, $offset) =~ /WARNING/g), 1, 'the log has it once');
$backend->quit;
server_log_is_clean($node);
$node->stop;

# No slot even for the launcher.
$node->append_conf('postgresql.conf', 'max_worker_processes = 1');
$node->start;
$id = $node->safe_psql('postgres', q{SELECT bg.submit('insert into done values (''next time'')')});
is($node->safe_psql('postgres', "SELECT bg.wait_job($id, 0)"), '', 'without a launcher a job waits');
$node->append_conf('postgresql.conf', 'max_worker_processes = 8');
$node->restart;
is($node->safe_psql('postgres', "SELECT bg.wait_job($id)"), 'done', 'for the next start of the server');
$node->stop;

# On a standby nothing is scheduled.
my $primary = new_node('primary', "shared_preload_libraries = 'pllua_bg'\nmax_worker_processes = 8\n", allows_streaming => 1);
$primary->safe_psql('postgres', $schema);
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;
my $before = $primary->safe_psql('postgres', q{SELECT bg.submit('insert into done values (''on the primary'')')});
is($primary->safe_psql('postgres', "SELECT bg.wait_job($before)"), 'done', 'a job runs on the primary');
$primary->safe_psql('postgres', 'SELECT bg.jobs_pause()');
$id = $primary->safe_psql('postgres', q{SELECT bg.submit('insert into done values (''on the new primary'')')});
$primary->wait_for_catchup($standby);
is($standby->safe_psql('postgres', q{SELECT string_agg(state, ' ' ORDER BY id) FROM bg.jobs}), 'done held', 'a standby shows jobs');
is($standby->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type IN ('pllua_bg launcher', 'pllua_bg jobs')}), '0', 'and has no process of theirs');
my (undef, undef, $error) = $standby->psql('postgres', q{\set VERBOSITY verbose
SELECT bg.submit('select 1')});
like($error, qr/25006: cannot execute INSERT in a read-only transaction/, 'no job is submitted to a standby');
$primary->stop;
$standby->promote;
ok($standby->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'pllua_bg jobs'}), 'after the promotion there is a scheduler');
$standby->safe_psql('postgres', 'SELECT bg.jobs_resume()');
is($standby->safe_psql('postgres', "SELECT bg.wait_job($id)"), 'done', 'and jobs run');
is($standby->safe_psql('postgres', q{SELECT count(*) FROM done}), '2', 'each once');
server_log_is_clean($standby);
$standby->stop;
done_testing();
