# What examples/monitoring asks and warns of: every query of queries.yaml runs as a role that may read all statistics, has the columns
# that it lists and shows what there is; every metric that alerts.yaml and docs/monitoring.md name is one of them.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use CPAN::Meta::YAML;
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

my $folder = "$FindBin::RealBin/../../examples/monitoring";
my $text = slurp_file("$folder/queries.yaml");
my ($queries) = @{ CPAN::Meta::YAML->read_string($text) };
my ($alerts) = @{ CPAN::Meta::YAML->read_string(slurp_file("$folder/alerts.yaml")) };

my $node = new_node('monitoring', "shared_preload_libraries = 'pllua_bg'\nmax_worker_processes = 16\n");
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION pllua_bg;
CREATE EXTENSION pllua_bg_jobs;
CREATE ROLE monitor LOGIN IN ROLE pg_monitor;
GRANT USAGE ON SCHEMA bg TO monitor;
CREATE ROLE app LOGIN;
GRANT USAGE ON SCHEMA bg TO app;
SQL

# The rows of a query, as the monitoring role sees them: a list of tables by column.
sub rows
{
	my ($name) = @_;
	my @lines = split /\n/, $node->safe_psql('postgres', "COPY ($queries->{$name}{query}) TO STDOUT WITH (FORMAT csv, HEADER)", extra_params => [ '-U', 'monitor' ]);
	my @columns = split /,/, shift @lines;
	return [ map { my %row; @row{@columns} = split /,/, $_, -1; \%row } @lines ], @columns;
}

# Something of everything: a session in a transaction, one that is lost, an error after a commit, jobs that wait, that are done, that fail.
my $app = $node->background_psql('postgres', on_error_stop => 0, extra_params => [ '-U', 'app' ]);
my $pid = $app->query_safe('SELECT bg.launch()');
$app->query_safe("SELECT bg.run($pid, 'BEGIN'), bg.wait($pid)");
$node->safe_psql('postgres', q{SELECT bg.on_commit('select 1/0')});
$node->safe_psql('postgres', q{DO LANGUAGE pllua_bg $$ local s <close> = bg.launch() s:run('select pg_terminate_backend(pg_backend_pid())'):wait() repeat until s:status().state == 'gone' $$});
$node->safe_psql('postgres', q{SELECT bg.queue('later', paused => true); SELECT bg.submit('select 1', options => '{"queue": "later"}')});
my ($done, $failed) = map { $node->safe_psql('postgres', "SELECT bg.submit('$_', options => '{\"attempts\": 1}')") } 'select 1', 'select 1/0';
$node->safe_psql('postgres', "SELECT bg.wait_job($_)") for $done, $failed;
ok($node->poll_query_until('postgres', 'SELECT commit_errors = 1 FROM bg.stat'), 'an error after a commit is counted');

my %metrics;
foreach my $name (sort keys %$queries)
{
	my ($rows, @columns) = rows($name);
	my @listed = map { keys %$_ } @{ $queries->{$name}{metrics} };
	is("@columns", "@listed", "$name: the columns are those listed");
	my %usage = map { my ($column) = keys %$_; ($column => $_->{$column}{usage}) } @{ $queries->{$name}{metrics} };
	ok(@$rows > 0, "$name: there are rows");
	my @no_numbers;
	foreach my $column (grep { $usage{$_} ne 'LABEL' } @columns)
	{
		push @no_numbers, $column if grep { ($_->{$column} // '') !~ /^-?\d+(\.\d+)?$/ } @$rows;
		$metrics{"${name}_$column"} = 1;
	}
	is("@no_numbers", '', "$name: what is no label is a number");
}

my ($stat) = @{ (rows('pllua_bg_stat'))[0] };
is("$stat->{commit_errors} $stat->{lost}", '1 1', 'bg.stat is that of the cluster');
my ($slots) = @{ (rows('pllua_bg_slots'))[0] };
is("$slots->{max} $slots->{launchers} $slots->{schedulers}", '16 1 1', 'worker slots, and who has them');
my $used = $node->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type ~ '^(pllua_bg|logical replication|parallel)'});
is($slots->{used}, $used, 'all who have a slot are counted, nobody else');
my ($session) = grep { $_->{transaction_seconds} > 0 } @{ (rows('pllua_bg_sessions'))[0] };
ok($session->{current} >= 1, 'a session of another role, with its transaction'); # sessions of jobs may be there, too
my ($later) = grep { $_->{queue} eq 'later' } @{ (rows('pllua_bg_queues'))[0] };
is("$later->{paused} $later->{held}", '1 1', 'a queue of another role');
my %runs = map { $_->{state} => $_->{last_5_minutes} } @{ (rows('pllua_bg_job_runs'))[0] };
is("$runs{done} $runs{failed}", '1 1', 'jobs that are done, and that have failed');
$app->quit;

# What is warned of there is.
my $named = 0;
foreach my $rule (map { @{ $_->{rules} } } @{ $alerts->{groups} })
{
	my @used = $rule->{expr} =~ /(pllua_bg_\w+)/g;
	$named += @used;
	is(join(' ', grep { !$metrics{$_} } @used), '', "$rule->{alert}: its metrics");
	like(slurp_file("$FindBin::RealBin/../../docs/monitoring.md"), qr/^\| `$rule->{alert}` \|/m, "$rule->{alert}: docs/monitoring.md says what to do");
}
ok($named > 5, 'metrics are found in the alerts');

# Without preloading there is nothing to be shown, and no error.
$node->append_conf('postgresql.conf', "shared_preload_libraries = ''");
$node->restart;
foreach my $name ('pllua_bg_slots', 'pllua_bg_sessions', 'pllua_bg_queues')
{
	my ($rows) = rows($name);
	ok(ref $rows, "$name: runs without preloading");
}
is(scalar @{ (rows('pllua_bg_stat'))[0] }, $node->safe_psql('postgres', q{SELECT count(*) FROM bg.stat WHERE scope = 'cluster'}), 'counts of the exporter itself are none of the cluster');

server_log_is_clean($node);
$node->stop;
done_testing();
