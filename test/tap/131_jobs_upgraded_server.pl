# pg_upgrade: jobs come along, with their history, and are held until they are adopted. From this server to itself; UPGRADE_FROM, the folder with the
# programs of another version that has the extension, makes it the old one.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

my $configuration = "fsync = off\nshared_preload_libraries = 'pllua_bg'\nmax_worker_processes = 16\n";
my ($new_bin) = run_command([ $ENV{PG_CONFIG} || 'pg_config', '--bindir' ]);
my $old_bin = $ENV{UPGRADE_FROM} || $new_bin;

sub cluster
{
	my ($name, $bin) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name, $bin eq $new_bin ? () : (install_path => $bin =~ s,/bin/?$,,r));
	$node->init(extra => [ '--locale=C', '--encoding=UTF8', '--data-checksums' ]);
	$node->append_conf('postgresql.conf', $configuration);
	return $node;
}

my $old = cluster('old', $old_bin);
$old->start;
$old->safe_psql('postgres', <<'SQL');
CREATE ROLE other LOGIN;
CREATE ROLE app LOGIN;
CREATE EXTENSION pllua_bg;
CREATE EXTENSION pllua_bg_jobs;
GRANT USAGE ON SCHEMA bg TO app;
CREATE TABLE ran (n int GENERATED ALWAYS AS IDENTITY, what text, who text DEFAULT current_user);
GRANT INSERT ON ran TO app;
SELECT bg.queue('slow', 1);
SQL
my $submit = 'SET ROLE app; SELECT bg.submit(\'insert into ran (what) values ($1)\', \'["%s"]\', \'%s\')';
my $done = $old->safe_psql('postgres', sprintf($submit, 'before', '{}'));
is($old->safe_psql('postgres', "SELECT bg.wait_job($done, 60)"), 'done', 'a job runs on the old server');
$old->safe_psql('postgres', 'SELECT bg.jobs_pause()');
my $first = $old->safe_psql('postgres', sprintf($submit, 'first', '{"queue": "slow"}'));
my $after = $old->safe_psql('postgres', sprintf($submit, 'after', "{\"after\": [$first]}"));
my $daily = $old->safe_psql('postgres', sprintf($submit, 'daily', '{"every": "@daily", "key": "k"}'));
$old->stop;

my $new = cluster('new', $new_bin);
my $folder = PostgreSQL::Test::Utils::tempdir;
{
	chdir $folder or die "$folder: $!";
	my @command = ('pg_upgrade', '-d', $old->data_dir, '-D', $new->data_dir, '-b', $old_bin, '-B', $new_bin, '-s', $new->host, '-p', $old->port, '-P', $new->port);
	local $ENV{PATH} = "$new_bin:$ENV{PATH}";
	command_ok(\@command, 'pg_upgrade');
}
$new->start;
sub value { return $new->safe_psql('postgres', $_[0]) }
is(value("SELECT string_agg(state, ' ' ORDER BY id) FROM bg.jobs WHERE id IN ($first, $after, $daily)"), 'held held held', 'jobs that waited are held');
is(value("SELECT state FROM bg.jobs WHERE id = $done"), 'done', 'the history is there');
is(value("SELECT workers FROM bg.queues WHERE name = 'slow'"), '1', 'and the queues');
value('SELECT bg.jobs_resume()');
is(value("SELECT bg.wait_job($first, 0.5)"), '', 'nothing runs');
is(value('SELECT count(*) FROM ran'), '1', 'nor has run meanwhile');
value('SELECT bg.jobs_adopt()');
is(value("SELECT bg.wait_job($first, 60) || ' ' || bg.wait_job($after, 60)"), 'done done', 'adopted, they run');
is(value("SELECT string_agg(what || ' ' || who, ', ' ORDER BY n) FROM ran"), 'before app, first app, after app', 'once, in their order, as their role');
ok($new->poll_query_until('postgres', "SELECT state = 'scheduled' FROM bg.jobs WHERE id = $daily"), 'what recurs is scheduled');
cmp_ok(value("SELECT bg.submit('select 1')"), '>', $daily, 'numbers go on');
server_log_is_clean($new);
$new->stop;
done_testing();
