# A backend that ends while it shows the deadlock detector what it waits for: the timer that is running then finds its segment gone.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

my $node = new_node('waiting', "max_worker_processes = 8\ndeadlock_timeout = 10ms\n");
$node->safe_psql('postgres', 'CREATE EXTENSION pllua_bg; CREATE TABLE gate (x int)');
my $postmaster = slurp_file($node->data_dir . '/postmaster.pid');
my $psql = new_psql($node);
plan skip_all => 'built without fault points' unless has_fault_points($node);

my $holder = new_psql($node);
$holder->query_safe('BEGIN; LOCK TABLE gate');
set_fault($node, 'deadlock-slice=exit,sessions-ended=wait');
my $launcher = new_psql($node);
my $pid = $launcher->query_safe('SELECT pg_backend_pid()');
my $worker = $launcher->query_safe("SELECT bg.launch(on_exit => 'cancel')");
ask_later($launcher, "DO LANGUAGE pllua_bg \$\$ bg.session($worker):exec('begin; lock table gate') \$\$");
my $here = "(SELECT count(*) FROM pg_stat_activity WHERE pid = $pid)";
my $its_worker = "(SELECT count(*) FROM pg_stat_activity WHERE pid = $worker)";
ok(wait_until(sub { $psql->query_safe("SELECT $here, $its_worker") eq '1|0' }), 'it ends in the middle of a slice: its session has gone first');
set_fault($node, '');
ok(wait_until(sub { $psql->query_safe("SELECT $here") eq '0' }), 'it has ended');
$holder->query_safe('COMMIT');
eval { $launcher->quit };
$_->quit for $holder, $psql;
is(slurp_file($node->data_dir . '/postmaster.pid'), $postmaster, 'the server has not started anew');
server_log_is_clean($node);
$node->stop;
done_testing();
