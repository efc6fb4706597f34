# Durable jobs in several databases: those that want a database for themselves get it, how many may have jobs, and what whoever owns a
# database can do to the scheduler in it, which is a superuser's process: nothing.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

my $node = new_node('databases', <<'CONF');
shared_preload_libraries = 'pllua_bg'
max_worker_processes = 16
pllua_bg.job_databases = 2
pllua_bg.job_idle = 1
allow_in_place_tablespaces = on
log_min_messages = debug1
CONF
$node->safe_psql('postgres', 'CREATE ROLE owner LOGIN CREATEDB; CREATE ROLE other LOGIN CREATEDB');

sub with_jobs
{
	my ($database) = @_;
	$node->safe_psql('postgres', "CREATE DATABASE $database OWNER owner");
	$node->safe_psql($database, 'CREATE EXTENSION pllua_bg; CREATE EXTENSION pllua_bg_jobs; CREATE TABLE done (what text); GRANT ALL ON done TO PUBLIC; GRANT USAGE ON SCHEMA bg TO PUBLIC');
	return;
}

sub submit
{
	my ($database, $what) = @_;
	return $node->safe_psql($database, "SELECT bg.submit('insert into public.done values (\$1)', '[\"$what\"]')");
}

sub runs
{
	my ($database, $what, $test) = @_;
	my $id = submit($database, $what);
	return is($node->safe_psql($database, "SELECT bg.wait_job($id)"), 'done', $test);
}

sub scheduler
{
	my ($database) = @_;
	return $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE backend_type = 'pllua_bg jobs' AND datname = '$database'");
}

sub linger
{
	my ($seconds) = @_;
	$node->safe_psql('postgres', "ALTER SYSTEM SET pllua_bg.job_linger = $seconds; SELECT pg_reload_conf()");
	return;
}

# The server as a role; its error, or ''.
sub as
{
	my ($role, $sql) = @_;
	my ($code, $out, $error) = $node->psql('postgres', $sql, extra_params => [ '-U', $role ]);
	return $code == 0 ? '' : $error;
}

# A scheduler and idle sessions make room.
with_jobs('one');
runs('one', 'first', 'a job of a database');
my $pid = scheduler('one');
isnt($pid, '', 'it has a scheduler');
like(as('other', 'DROP DATABASE one'), qr/must be owner/, 'who may not drop the database');
like(as('other', 'ALTER DATABASE one RENAME TO mine'), qr/must be owner/, 'or rename it');
like(as('other', 'CREATE DATABASE mine TEMPLATE one'), qr/permission denied to copy/, 'or copy it');
is(scheduler('one'), $pid, 'disturbs no scheduler');
is(as('owner', 'ALTER DATABASE one RENAME TO uno'), '', 'a database is renamed while it has a scheduler');
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'pllua_bg jobs' AND datname = 'uno'}), 'then it has one again');
is(as('owner', 'CREATE DATABASE copy TEMPLATE uno'), '', 'it is a template');
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'pllua_bg jobs' AND datname = 'uno'}), 'and has one again');
$node->safe_psql('postgres', q{CREATE TABLESPACE space LOCATION ''});
is(as('postgres', 'ALTER DATABASE uno SET TABLESPACE space'), '', 'it is moved to another tablespace');
runs('uno', 'moved', 'and its jobs run');
is(as('postgres', 'DROP DATABASE copy'), '', 'a copy is dropped');

# What runs is not broken off, as no client of a database is.
my $held = new_psql($node, 'uno');
$held->query_safe('SELECT pg_advisory_lock(1)');
my $id = $node->safe_psql('uno', q{SELECT bg.submit('insert into public.done select ''held'' from pg_advisory_xact_lock(1)')});
ok($node->poll_query_until('uno', "SELECT state = 'running' FROM bg.jobs WHERE id = $id"), 'a job runs');
$pid = scheduler('uno');
like(as('owner', 'DROP DATABASE uno'), qr/being accessed by other users/, 'a database in which a job runs is not dropped');
is(scheduler('uno'), $pid, 'the scheduler stays');
$held->quit;
is($node->safe_psql('uno', "SELECT bg.wait_job($id)"), 'done', 'and the job ends');
is($node->safe_psql('uno', "SELECT attempt FROM bg.job_done WHERE id = $id"), '0', 'at its first attempt');
$id = $node->safe_psql('uno', q{SELECT bg.submit('select pg_sleep(1000)')}); # workload
ok($node->poll_query_until('uno', "SELECT state = 'running' FROM bg.jobs WHERE id = $id"), 'a job that does not end');
is(as('postgres', 'DROP DATABASE uno WITH (FORCE)'), '', 'goes when the database is dropped by force');
ok($node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type IN ('pllua_bg jobs', 'pllua_bg session')}), 'and nobody is left');

# Neither the scheduler nor its sessions, which are a superuser's here, are the owner's to end. The clients are gone before: they are no part of it.
for my $time (1 .. 5)
{
	with_jobs('forced');
	my $client = $node->safe_psql('forced', q{SELECT bg.submit('select 1') AS id \gset
SELECT bg.wait_job(:id);
SELECT pg_backend_pid()});
	like($client, qr/^done\n\d+$/, "time $time: a job is done");
	isnt(scheduler('forced'), '', 'a database has a scheduler');
	ok(wait_until(sub { !kill(0, $client =~ /(\d+)$/) }), 'and no client');
	is(as('owner', 'DROP DATABASE forced WITH (FORCE)'), '', 'its owner drops it by force');
}

# As many databases as there are rings.
with_jobs($_) for 'a', 'b', 'c';
runs($_, 'one of two', "$_ has jobs") for 'a', 'b';
my ($code, $out, $error) = $node->psql('c', q{\set VERBOSITY verbose
SELECT bg.submit('select 1')});
like($error, qr/53400: too many databases have jobs\s+HINT:.*pllua_bg.job_databases, now 2/, 'one more is refused');
linger(0);
ok($node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'pllua_bg jobs'}), 'schedulers go');
runs('c', 'later', 'then another database may have jobs');
runs('a', 'later', 'and one that had before');

# After a restart whoever has jobs has a scheduler, as far as there are rings; who has none is told, and served when there is one.
for my $database ('a', 'b', 'c')
{
	$node->safe_psql($database, 'SELECT bg.jobs_pause()');
	ok($node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'pllua_bg jobs'}), "$database: schedulers go");
	$node->safe_psql($database, q{INSERT INTO bg.job (queue, owner, owner_name, timezone, sql, search_path, submitted_at) VALUES ('default', 10, 'postgres', 'UTC', 'insert into public.done values (''waited'')', '', now())});
}
$node->stop;
my $offset = -s $node->logfile;
$node->start;
ok(wait_until(sub { slurp_file($node->logfile, $offset) =~ /WARNING:  too many databases have jobs/ }), 'one database too many: the log says so');
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'pllua_bg jobs'}), '2', 'two have a scheduler');

# What an owner sets for his database counts for nothing in the scheduler.
$node->psql($_, 'DELETE FROM bg.job; SELECT bg.jobs_resume()') for 'a', 'b', 'c'; # in one of them it is refused
linger(0);
ok($node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'pllua_bg jobs'}), 'schedulers go');
for my $database ('a', 'b')
{
	$node->safe_psql($database, 'SELECT bg.jobs_resume()');
	ok($node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'pllua_bg jobs'}), "$database: they go again");
}
linger(60);
is(as('owner', "ALTER DATABASE a SET $_"), '', $_)
  for q{search_path = 'evil, pg_catalog'}, q{default_transaction_isolation = 'serializable'}, q{idle_in_transaction_session_timeout = '1ms'};
$node->safe_psql('a', 'CREATE SCHEMA evil AUTHORIZATION owner; CREATE TABLE evil.trace (who text); GRANT ALL ON evil.trace TO PUBLIC');
my $evil = <<'SQL';
CREATE FUNCTION evil.equal(text, text) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN INSERT INTO evil.trace VALUES (current_user); RETURN true; END $$;
CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.equal);
CREATE FUNCTION evil.now() RETURNS timestamptz LANGUAGE plpgsql AS $$ BEGIN INSERT INTO evil.trace VALUES (current_user); RETURN '-infinity'; END $$;
SQL
$node->psql('a', $evil, extra_params => [ '-U', 'owner' ], on_error_stop => 1);
runs('a', 'set', 'jobs run whatever is set for the database');
is($node->safe_psql('a', q{SELECT count(*) FROM evil.trace}), '0', 'nothing of its owner was called');

# What only looks like the extension is not touched.
$node->safe_psql('postgres', 'CREATE DATABASE mine OWNER owner');
$node->psql('mine', <<'SQL', extra_params => [ '-U', 'owner' ], on_error_stop => 1);
CREATE SCHEMA bg;
CREATE TABLE bg.trace (who text);
CREATE FUNCTION bg.note() RETURNS int LANGUAGE plpgsql AS $$ BEGIN INSERT INTO bg.trace VALUES (current_user); RETURN 1; END $$;
CREATE VIEW bg.job AS SELECT bg.note() AS id;
CREATE PROCEDURE bg.run_scheduler() LANGUAGE plpgsql AS $$ BEGIN INSERT INTO bg.trace VALUES (current_user); END $$;
SQL
$node->stop;
$offset = -s $node->logfile;
$node->start;
ok(wait_until(sub { slurp_file($node->logfile, $offset) =~ /unregistering background worker "pllua_bg scheduler of mine"/ }), 'a database with a schema bg of its own is looked at');
is($node->safe_psql('mine', 'SELECT count(*) FROM bg.trace'), '0', 'and nothing in it is run');
unlike(slurp_file($node->logfile, $offset), qr/ERROR|FATAL/, 'quietly');

# An extension of another version.
$node->safe_psql('b', q{UPDATE pg_extension SET extversion = '0.0.9' WHERE extname = 'pllua_bg_jobs'});
$offset = -s $node->logfile;
$id = submit('b', 'version');
ok(wait_until(sub { slurp_file($node->logfile, $offset) =~ /jobs of this database wait: extension pllua_bg_jobs is not of version .*\n.*HINT:  ALTER EXTENSION pllua_bg_jobs UPDATE/ }), 'another version: the log says what to do');
$node->safe_psql('b', q{UPDATE pg_extension SET extversion = default_version FROM pg_available_extensions WHERE name = extname AND extname = 'pllua_bg_jobs'});
is($node->safe_psql('b', "SELECT bg.wait_job($id)"), 'done', 'then jobs run');

# A database that takes no connections.
$node->safe_psql('b', 'SELECT bg.jobs_pause()');
$id = submit('b', 'connections');
$node->stop;
$node->start;
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'pllua_bg jobs' AND datname = 'b'}), 'a scheduler');
$node->safe_psql('b', 'SELECT bg.jobs_resume()');
is($node->safe_psql('b', "SELECT bg.wait_job($id)"), 'done', 'goes on');
$node->safe_psql('postgres', 'ALTER DATABASE b ALLOW_CONNECTIONS false');
$node->stop;
$offset = -s $node->logfile;
$node->start;
runs('a', 'others', 'jobs of another database run');
unlike(slurp_file($node->logfile, $offset), qr/FATAL|scheduler of b"/, 'where nobody may connect nothing is started');

server_log_is_clean($node);
$node->stop;

# Without preloading, or switched off.
for my $how ([ "", 'must be in shared_preload_libraries' ], [ "shared_preload_libraries = 'pllua_bg'\npllua_bg.jobs = off\n", 'pllua_bg.jobs is off' ])
{
	my $without = new_node('without' . length $how->[0], $how->[0]);
	$without->safe_psql('postgres', 'CREATE EXTENSION pllua_bg; CREATE EXTENSION pllua_bg_jobs');
	(undef, undef, $error) = $without->psql('postgres', q{\set VERBOSITY verbose
SELECT bg.submit('select 1')});
	like($error, qr/55000: .*HINT:.*$how->[1]/s, "jobs do not run: $how->[1]");
	is($without->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'pllua_bg launcher'}), '0', 'there is no launcher');
	$without->stop;
}
done_testing();
