# What a role may submit keeps nobody else's jobs from being run: not by number, not by size, not by what it returns.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

# As the scheduler is a process like others, a limit of temporary files is one for it, too.
my $node = new_node('roles', "shared_preload_libraries = 'pllua_bg'\nmax_worker_processes = 10\ntemp_file_limit = 1MB\n");
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION pllua_bg;
CREATE EXTENSION pllua_bg_jobs;
CREATE ROLE hostile LOGIN;
CREATE ROLE other LOGIN;
GRANT USAGE ON SCHEMA bg TO hostile, other;
SQL

sub psql_as { return $node->safe_psql('postgres', $_[1], extra_params => [ '-U', $_[0] ]) }

# How the other role's job has ended.
sub others_job { return psql_as('other', q{SELECT bg.submit('select 1') AS j \gset
SELECT bg.wait_job(:j, 60)}) }

sub schedulers { return $node->safe_psql('postgres', q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'pllua_bg jobs' AND datname IS NOT NULL}) }

is(others_job(), 'done', 'the other role has a job done');
my $scheduler = schedulers();

# More than the scheduler has in memory, all of them first; half of them in front of what comes.
psql_as('hostile', q{SELECT count(bg.submit('select pg_sleep(0.01)', null, jsonb_build_object('priority', -(n % 2)))) FROM generate_series(1, 25000) n -- workload
});
is(others_job(), 'done', 'behind many jobs of another role in the same queue, too');
cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM bg.job'), '>', 10000, 'while these wait');
$node->safe_psql('postgres', 'TRUNCATE bg.job');

# Many of one key in one transaction: the last one stays.
psql_as('hostile', q{SELECT count(bg.submit('select 1', null, '{"key": "k", "delay": 1000}')) FROM generate_series(1, 20000)});
is(others_job(), 'done', 'while many of one key are sorted out');
ok( $node->poll_query_until('postgres', q{SELECT count(*) = 1 AND max(id) = (SELECT max(superseded_by) FROM bg.job_done) FROM bg.job WHERE key = 'k'}),
	'of which the last one stays');

# What nobody wants to know is not kept.
is( psql_as('hostile', q{SELECT bg.submit('select repeat(md5(n::text), 100) from generate_series(1, 10000) n', null, '{"transaction": false}') AS j \gset
SELECT bg.wait_job(:j, 60)}), 'done', 'rows of a job in no transaction stay where they come from');

# As large as can be: done again all the same.
is( psql_as('hostile', q{SELECT bg.submit('select length($1), 1 / 0 --' || repeat('x', 130000000), jsonb_build_array(repeat('y', 140000000)), '{"attempts": 1}') AS j \gset
SELECT bg.wait_job(:j, 100);
SELECT bg.retry_job(:j);
SELECT bg.wait_job(:j, 100)}), "failed\nt\nfailed", 'a job as large as can be is tried again');
is(others_job(), 'done', 'the other role has its job done after all that');
is(schedulers(), $scheduler, 'by the scheduler that there was');

# As many waits as sessions of one role can have leave room for others.
my $later = psql_as('hostile', q{SELECT bg.submit('select 1', null, '{"delay": 1000}')});
my $errors_of_waits = '';
my @waiting = map { new_psql($node, 'postgres') } 1 .. 4;
for my $session (@waiting)
{
	$session->query_safe('SET SESSION AUTHORIZATION hostile; BEGIN');
	$session->query("DO LANGUAGE pllua_bg \$\$ waits = {} for i = 1, 1000 do waits[i] = bg.job($later) waits[i]:done() end \$\$");
	$errors_of_waits .= $session->{stderr};
	$session->{stderr} = '';
}
is(scalar(() = $errors_of_waits =~ /too many waits for jobs/g), 2, 'one role gets half of the places to wait');
is(others_job(), 'done', 'another one gets one');
$_->quit for @waiting;

# Lua code is told at once that there are no jobs any more.
my ($status, $out, $errors) = $node->psql('postgres', <<'SQL', on_error_stop => 0);
\set VERBOSITY verbose
DO LANGUAGE pllua_bg $$ bg.submit('select 1') $$;
DROP EXTENSION pllua_bg_jobs;
DO LANGUAGE pllua_bg $$ bg.submit('select 1') $$;
SQL
like($errors, qr/ERROR:  55000: there are no jobs in this database\n.*HINT:  CREATE EXTENSION pllua_bg_jobs/s, 'without the extension there are no jobs');
server_log_is_clean($node);
$node->stop;
done_testing();
