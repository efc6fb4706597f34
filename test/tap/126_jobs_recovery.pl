# Jobs through crashes and copies: a job that brings the server down, copies that run nothing, the history that is emptied.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

my $node = new_node('recovery', "shared_preload_libraries = 'pllua_bg'\nmax_worker_processes = 16\nrestart_after_crash = on\n");
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION pllua_bg;
CREATE EXTENSION pllua_bg_jobs;
CREATE TABLE done (what text);
CREATE TABLE ran (what text);
SQL

sub sql { return $node->safe_psql('postgres', $_[0]) }
sub submit { my ($sql, $options) = @_; return sql("SELECT bg.submit(\$j\$$sql\$j\$, null, '" . ($options // '{}') . "')") }
# Also while the server starts again: psql may end before it has read the query.
sub comes { my ($query, $test) = @_; return ok(wait_until(sub { my ($code, $out) = eval { $node->psql('postgres', $query) }; return defined $code && $code == 0 && $out eq 't' }), $test) }

# A job that brings the server down.
sql('SELECT bg.jobs_pause()');
my $poison = submit(q{copy (select 1) to program 'kill -9 $PPID'});
sql("SELECT count(bg.submit('insert into done values (' || n || ')')) FROM generate_series(1, 200) n");
my $offset = -s $node->logfile;
$node->psql('postgres', 'SELECT bg.jobs_resume()');
comes("SELECT state = 'failed' FROM bg.jobs WHERE id = $poison", 'a job that brings the server down is given up');
is((() = slurp_file($node->logfile, $offset) =~ /was terminated by signal 9/g), 4, 'when the server has crashed three times while it was suspected');
like(sql("SELECT error ->> 'message' FROM bg.jobs WHERE id = $poison"), qr/^the server has crashed 3 times while the job ran$/, 'and it is said why');
comes('SELECT count(*) = 0 FROM bg.job', 'the others run');
is(sql('SELECT count(*), count(DISTINCT what) FROM done'), '200|200', 'each once');
is(sql('SELECT count(*) FROM bg.job_suspect'), '0', 'and nobody is suspected any more');

# A copy of the database runs nothing until it is told to.
sql('SELECT bg.jobs_pause()');
my $job = submit("insert into ran values ('copied')");
$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'pllua_bg jobs'");
$node->safe_psql('template1', 'CREATE DATABASE copy TEMPLATE postgres');
$offset = -s $node->logfile;
$node->safe_psql('copy', 'SELECT bg.jobs_resume()');
ok(wait_until(sub { slurp_file($node->logfile, $offset) =~ /WARNING:  jobs wait: the queue was copied from another database/ }), 'a copy waits, and the log says so');
is($node->safe_psql('copy', 'SELECT state FROM bg.jobs WHERE id = ' . $job), 'held', 'its jobs are held');
$node->safe_psql('copy', 'SELECT bg.jobs_adopt()');
is($node->safe_psql('copy', "SELECT bg.wait_job($job)"), 'done', 'until they are adopted');
is((() = slurp_file($node->logfile, $offset) =~ /WARNING:  jobs wait/g), 1, 'the log says that once');
sql('SELECT bg.jobs_resume()');
is(sql("SELECT bg.wait_job($job)"), 'done', 'the original runs its own');

# The history is emptied slot by slot, but not where somebody reads.
my $reader = new_psql($node);
$reader->query_safe('BEGIN; SELECT count(*) FROM bg.job_done');
my $slot = sql('SELECT slot FROM bg.job_state');
my $next = ($slot + 1) % 8;
sql("INSERT INTO bg.job_done SELECT (d).* FROM (SELECT jsonb_populate_record(d, '{\"slot\": $next}') AS d FROM bg.job_done d LIMIT 1) x");
is(sql("SELECT count(*) FROM bg.job_done_$next"), '1', 'the oldest slot has something');
sql("UPDATE bg.job_state SET slot_since = now() - interval '2 days'");
$offset = -s $node->logfile;
sql('SELECT pg_reload_conf()');
sql('SELECT bg.wait_job(' . submit('select 1') . ')') for 1 .. 3;
is(sql('SELECT slot FROM bg.job_state'), $slot, 'it is not emptied while somebody reads');
$reader->query_safe('COMMIT');
sql('SELECT pg_reload_conf()');
ok($node->poll_query_until('postgres', "SELECT slot = $next FROM bg.job_state"), 'later it can');
is(sql("SELECT count(*) FROM bg.job_done_$next WHERE id = $job OR slot <> $next"), '0', 'and begins empty');
isnt(sql("SELECT count(*) FROM bg.job_done_$slot"), '0', 'the others keep what they have');
$reader->quit;

# Nor where an administrator is in the way, which stops no jobs.
$slot = $next;
$next = ($slot + 1) % 8;
sql("CREATE UNIQUE INDEX kept ON bg.job_done_$next (id); CREATE TABLE keeps (job bigint REFERENCES bg.job_done_$next (id))");
$offset = -s $node->logfile;
sql("UPDATE bg.job_state SET slot_since = now() - interval '2 days'; SELECT pg_reload_conf()");
ok(wait_until(sub { slurp_file($node->logfile, $offset) =~ /WARNING:  the history of jobs cannot be emptied: cannot truncate a table referenced in a foreign key constraint/ }), 'the log says what is in the way');
is(sql('SELECT bg.wait_job(' . submit('select 1') . ', 60)'), 'done', 'jobs run');
sql('DROP TABLE keeps; SELECT pg_reload_conf()');
ok($node->poll_query_until('postgres', "SELECT slot = $next FROM bg.job_state"), 'without that it is emptied');

server_log_is_clean($node, killed => 1);
$node->stop;
done_testing();
