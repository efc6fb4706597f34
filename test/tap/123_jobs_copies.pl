# Jobs in copies of a database, restored or from a template: held until they are adopted, and then run once, as roles found by their names.
# And nobody has rights on the tables of jobs, whatever default privileges say.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

my $configuration = "shared_preload_libraries = 'pllua_bg'\nmax_worker_processes = 16\npllua_bg.job_idle = 1\nmax_prepared_transactions = 2\nwal_level = logical\nmax_wal_senders = 4\n";
my $node = new_node('copies', $configuration);

sub value
{
	my ($database, $sql) = @_;
	return $node->safe_psql($database, $sql);
}

value('postgres', <<'SQL');
CREATE ROLE app LOGIN;
CREATE ROLE later_renamed LOGIN;
CREATE ROLE dropped LOGIN;
CREATE ROLE snoop LOGIN;
CREATE DATABASE one;
SQL
value('one', <<'SQL');
ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO snoop, PUBLIC;
ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO snoop, PUBLIC;
ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO snoop;
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
CREATE EXTENSION pllua_bg;
CREATE EXTENSION pllua_bg_jobs;
SQL
my $granted = q{SELECT string_agg(k.name || ' ' || a.grantee || ' ' || a.privilege_type, ', ' ORDER BY k.name) FROM (
	SELECT oid::regclass::text AS name, relacl AS acl, relowner AS owner FROM pg_class WHERE relnamespace = 'bg'::regnamespace AND oid IN (
		SELECT objid FROM pg_depend WHERE classid = 'pg_class'::regclass AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'pllua_bg_jobs'))
	UNION ALL SELECT oid::regprocedure::text, proacl, proowner FROM pg_proc WHERE oid IN (
		SELECT objid FROM pg_depend WHERE classid = 'pg_proc'::regclass AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'pllua_bg_jobs'))
	) k, aclexplode(k.acl) a WHERE a.grantee <> k.owner AND NOT (k.name LIKE '%(%' AND a.grantee = 0)};
is(value('one', $granted), 'bg.job_runs 0 SELECT, bg.jobs 0 SELECT, bg.queues 0 SELECT', 'default privileges open nothing');
is(value('one', qq{SELECT string_agg(proname::text, ' ' ORDER BY proname) FROM pg_proc WHERE pronamespace = 'bg'::regnamespace AND proname ~ 'job|queue|scheduler|submit|self|snooze'
	AND NOT has_function_privilege('$_', oid, 'execute')}),
	'jobs_adopt jobs_pause jobs_resume queue run_scheduler', "functions that are for nobody, and no others, are not for $_") for 'snoop', 'app';

value('one', <<'SQL');
GRANT USAGE ON SCHEMA bg TO app, later_renamed, dropped;
CREATE TABLE ran (what text, who text);
GRANT ALL ON ran TO app, later_renamed, dropped;
SELECT bg.jobs_pause();
SQL

sub submit
{
	my ($database, $role, $what, $options) = @_;
	$options //= '{}';
	return value($database, "SET ROLE $role; SELECT bg.submit('insert into ran values (\$1, current_user)', '[\"$what\"]', '$options')");
}
my $app = submit('one', 'app', 'app');
my $renamed = submit('one', 'later_renamed', 'renamed');
my $dropped = submit('one', 'dropped', 'dropped');
my $child = submit('one', 'app', 'child', "{\"after\": [$app]}");
my $daily = submit('one', 'app', 'daily', '{"every": "1 day", "queue": "q"}');
value('one', "SELECT bg.queue('q', workers => 1)");

# A copy, while the original is paused.
value('postgres', 'CREATE DATABASE copy TEMPLATE one');
my $held = q{SELECT count(*) FROM bg.jobs WHERE state = 'held' AND reason LIKE 'the queue was copied%'};
is(value('copy', $held), 5, 'a copy of the database: all is held');
value('copy', 'SELECT bg.jobs_resume()');
is(value('copy', "SET ROLE app; SELECT count(*) FROM bg.jobs"), 3, 'where a role sees its own by its name');
is(value('copy', "SELECT bg.wait_job($app, 0.5)"), '', 'and nothing runs');

# The original goes on.
value('one', 'SELECT bg.jobs_resume()');
is(value('one', "SELECT string_agg(bg.wait_job(j, 60), ' ') FROM unnest(array[$app, $renamed, $dropped, $child]) j"), 'done done done done', 'what ran in the original');
is(value('one', 'SELECT string_agg(what, $$ $$ ORDER BY what) FROM ran'), 'app child dropped renamed', 'once');

# Another server, with roles of other numbers, from a dump.
my $dump = $node->basedir . '/dump.sql';
value('one', 'SELECT bg.jobs_pause()');
my $waiting = submit('one', 'app', 'restored');
my $of_renamed = submit('one', 'later_renamed', 'restored');
my $of_dropped = submit('one', 'dropped', 'restored');
$node->command_ok([ 'pg_dump', '-f', $dump, $node->connstr('one') ], 'pg_dump');
my $other = new_node('restored', $configuration);
$other->safe_psql('postgres', 'CREATE ROLE snoop LOGIN; CREATE ROLE later_renamed LOGIN; CREATE ROLE app LOGIN; CREATE DATABASE one');
$other->command_ok([ 'psql', '-X', '-q', '-f', $dump, '-d', $other->connstr('one') ], 'the dump is read');
is($other->safe_psql('one', $held), 4, 'a restored database: all is held');
is($other->safe_psql('one', 'SET ROLE app; SELECT count(*) FROM bg.jobs WHERE ended_at IS NULL'), 2, 'a role sees its own by its name');
$other->safe_psql('one', 'GRANT USAGE ON SCHEMA bg TO snoop');
is($other->safe_psql('one', 'SET ROLE snoop; SELECT count(*) FROM bg.jobs'), 0, 'not those of the number it has');
$other->safe_psql('one', 'SELECT bg.jobs_resume(); SELECT bg.jobs_adopt()');
is($other->safe_psql('one', "SELECT bg.wait_job($waiting, 60) || ' ' || bg.wait_job($of_renamed, 60)"), 'done done', 'adopted, they run');
is($other->safe_psql('one', 'SELECT string_agg(who, $$ $$ ORDER BY who) FROM ran WHERE what = $$restored$$'), 'app later_renamed', 'as the roles of these names');
ok($other->poll_query_until('one', "SELECT state || ': ' || reason FROM bg.jobs WHERE id = $of_dropped", 'held: role dropped does not exist'), 'but those of a role that there is not');
is($other->safe_psql('one', "SELECT state FROM bg.jobs WHERE id = $app"), 'done', 'the history was dumped, too');
is($other->safe_psql('one', "SELECT workers FROM bg.queues WHERE name = 'q'"), 1, 'and the queues');
cmp_ok($other->safe_psql('one', "SELECT bg.submit('select 1')"), '>', $of_dropped, 'numbers go on');

# What is read of a dump first are the jobs, and a scheduler may look at them at once.
value('postgres', 'CREATE DATABASE reading');
value('reading', <<'SQL');
CREATE EXTENSION pllua_bg;
CREATE EXTENSION pllua_bg_jobs;
INSERT INTO bg.job (id, owner, owner_name, timezone, sql, search_path, submitted_at) OVERRIDING SYSTEM VALUE VALUES (1, 10, 'snoop', 'UTC', 'select 1', '', now());
SELECT bg.jobs_resume();
SQL
ok($node->poll_query_until('reading', q{SELECT slot = 0 FROM bg.job_state}), 'a scheduler looks at what has been read of a dump');
is(value('reading', 'SELECT bg.wait_job(1, 0.5)'), '', 'and runs nothing of it');
is(value('reading', $held), 1, 'it is held');

# The copy, with roles that have changed meanwhile.
submit('one', 'later_renamed', 'next week', '{"delay": "1 week"}');
value('one', 'SELECT bg.jobs_resume()');
is(value('one', "SELECT bg.wait_job($of_dropped, 60)"), 'done', 'the original goes on');
value('postgres', 'ALTER ROLE later_renamed RENAME TO renamed');
value($_, 'DROP OWNED BY dropped') for 'one', 'copy';
value('postgres', 'DROP ROLE dropped');
is(value('one', 'SET ROLE renamed; SELECT count(*) FROM bg.jobs'), 3, 'a renamed role has its jobs');
value('one', 'SELECT pg_reload_conf()'); # the scheduler looks at once, not within a minute
ok($node->poll_query_until('one', q{SELECT string_agg(DISTINCT owner_name, ' ' ORDER BY owner_name) = 'app dropped renamed' FROM (
	SELECT owner_name FROM bg.job UNION ALL SELECT owner_name FROM bg.job_done) j}), 'which have its new name: those that wait, and the history');
value('copy', 'SELECT bg.jobs_adopt()');
is(value('copy', "SELECT bg.wait_job($app, 60) || ' ' || bg.wait_job($child, 60)"), 'done done', 'the copy is adopted');
is(value('copy', 'SELECT string_agg(what, $$ $$ ORDER BY what) FROM ran'), 'app child', 'and does its own work once');
ok($node->poll_query_until('copy', "SELECT string_agg(reason, ', ' ORDER BY id) FROM bg.jobs WHERE state = 'held'", 'role later_renamed does not exist, role dropped does not exist'), 'but for roles that are not found');
is(value('copy', 'SET ROLE renamed; SELECT count(*) FROM bg.jobs'), 0, 'whose jobs nobody gets');

# A transaction that is prepared brings its jobs when it is committed.
value('one', "BEGIN; SELECT bg.submit('insert into ran values (''prepared'', current_user)'); PREPARE TRANSACTION 'p'");
value('one', "COMMIT PREPARED 'p'");
is(value('one', "SELECT bg.wait_job(max(id), 60) FROM bg.jobs"), 'done', 'the job of a prepared transaction runs');

# All tables are published, those of jobs among them: a subscriber would run the jobs again, as the roles that have the numbers of their owners there.
value('one', 'CREATE PUBLICATION everything FOR ALL TABLES');
value('postgres', 'ALTER ROLE renamed RENAME TO renamed_again');
value('one', 'SELECT pg_reload_conf()');
ok($node->poll_query_until('one', q{SELECT count(*) = 0 FROM bg.job_done WHERE owner_name = 'renamed'}), 'the history of a publisher can be changed');
value('one', 'SELECT bg.jobs_adopt()');
value('postgres', 'CREATE DATABASE subscriber');
value('subscriber', <<'SQL');
CREATE EXTENSION pllua_bg;
CREATE EXTENSION pllua_bg_jobs;
CREATE TABLE ran (what text, who text);
CREATE FUNCTION submit() RETURNS trigger LANGUAGE pllua_bg AS $$ bg.submit('insert into public.own values (1)') $$;
CREATE TRIGGER submit AFTER INSERT ON ran FOR EACH ROW EXECUTE FUNCTION submit();
ALTER TABLE ran ENABLE ALWAYS TRIGGER submit;
CREATE TABLE own (a int);
ALTER SEQUENCE bg.job_id_seq RESTART WITH 10000;
SQL
value('one', q{SELECT pg_create_logical_replication_slot('subscribed', 'pgoutput')});
value('subscriber', 'CREATE SUBSCRIPTION subscribed CONNECTION ' . "\$c\$" . $node->connstr('one') . "\$c\$" . ' PUBLICATION everything WITH (create_slot = false, copy_data = false)');
my $published = submit('one', 'app', 'published', '{"delay": "1 week"}');
value('one', q{INSERT INTO ran VALUES ('by hand', 'nobody')});
ok($node->poll_query_until('subscriber', "SELECT count(*) = 2 FROM bg.jobs WHERE state = 'held' AND reason LIKE 'the queue was copied%'"), 'what a subscription brings, and what its triggers submit, is held');
like(($node->psql('subscriber', 'SELECT bg.jobs_adopt()'))[2], qr/ERROR:  a subscription brings the jobs of another database\nHINT:  Drop it/, 'and not adopted while more may come');
value('subscriber', 'ALTER SUBSCRIPTION subscribed DISABLE; ALTER SUBSCRIPTION subscribed SET (slot_name = NONE); DROP SUBSCRIPTION subscribed');
is(value('subscriber', $held), 2, 'held it stays when the subscription is gone');
value('subscriber', 'SELECT bg.jobs_adopt()');
is(value('subscriber', 'SELECT bg.wait_job(id, 60) FROM bg.jobs WHERE id >= 10000'), 'done', 'what a trigger has submitted while rows were applied runs, once that is adopted');
is(value('subscriber', 'SELECT count(*) FROM own'), 1, 'once');
ok($node->poll_query_until('subscriber', "SELECT state || ' ' || owner FROM bg.jobs WHERE id = $published", 'held app'), 'what was brought is of the role of that name, which may use no jobs here');
value('one', q{SELECT pg_drop_replication_slot('subscribed') FROM pg_replication_slots WHERE slot_name = 'subscribed'});

$_->stop for $node, $other;
done_testing();
