# SCRAM pass-through: a client that was authenticated by SCRAM here is by its keys there, without a password in the mapping; for whom that is, and that the keys
# are seen nowhere. Before PostgreSQL 18 the server keeps no keys, and foreign servers have no such option.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use MIME::Base64;
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

my $far = new_node('far');
my $node = new_node('near', "dynamic_shared_memory_type = mmap\nlog_min_messages = debug2\nlog_statement = none\n");
my ($host, $port) = ($far->host, $far->port);
$ENV{PGPASSWORD} = 'S3cret_w0rd';

# The same secret on both servers, which is what pass-through needs; bob has another one there.
$far->safe_psql('postgres', "SET password_encryption = 'scram-sha-256'; CREATE ROLE alice LOGIN PASSWORD '$ENV{PGPASSWORD}'; CREATE ROLE bob LOGIN PASSWORD '$ENV{PGPASSWORD}'; CREATE ROLE open LOGIN");
my $secret = $far->safe_psql('postgres', "SELECT rolpassword FROM pg_authid WHERE rolname = 'alice'");
$node->safe_psql('postgres', <<"SQL");
SET password_encryption = 'scram-sha-256';
CREATE ROLE alice LOGIN PASSWORD '$secret';
CREATE ROLE bob LOGIN PASSWORD '$ENV{PGPASSWORD}';
CREATE ROLE trusted LOGIN;
CREATE ROLE definer LOGIN;
CREATE EXTENSION pllua_bg;
CREATE EXTENSION postgres_fdw;
CREATE EXTENSION dblink;
GRANT USAGE ON SCHEMA bg TO alice, bob, trusted, definer;
CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '$host', port '$port', dbname 'postgres');
CREATE SERVER by_mapping FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '$host', port '$port', dbname 'postgres');
CREATE SERVER by_dblink FOREIGN DATA WRAPPER dblink_fdw OPTIONS (host '$host', port '$port', dbname 'postgres');
GRANT USAGE ON FOREIGN SERVER far, by_mapping, by_dblink TO alice, bob, trusted, definer;
CREATE USER MAPPING FOR alice SERVER far OPTIONS (user 'alice');
CREATE USER MAPPING FOR bob SERVER far OPTIONS (user 'bob');
CREATE USER MAPPING FOR trusted SERVER far OPTIONS (user 'alice');
CREATE USER MAPPING FOR definer SERVER far OPTIONS (user 'alice');
CREATE USER MAPPING FOR alice SERVER by_mapping OPTIONS (user 'alice');
CREATE USER MAPPING FOR alice SERVER by_dblink OPTIONS (user 'alice');
SQL
for my $server ($far, $node)
{
	unlink $server->data_dir . '/pg_hba.conf';
	$server->append_conf('pg_hba.conf', "local all alice,bob scram-sha-256\nlocal all all trust\n");
	$server->reload;
}

# The outcome of a session on a server.
sub outcome
{
	my ($server, $role) = @_;
	my (undef, undef, $err) = $node->psql('postgres', <<"SQL", connstr => $node->connstr('postgres') . " user=$role");
do language pllua_bg \$\$
	local ok, r = pcall(function() local s <close> = bg.launch{server = '$server'} return s:exec('select current_user::text').value end)
	print(ok and r or ('%s %s: %s'):format(r.sqlstate, r.message, r.detail))
\$\$
SQL
	return $err =~ s/^psql:<stdin>:\d+: INFO:  //r;
}

my $required = '2F003 password is required: Non-superusers must provide a password in the user mapping.';
is(outcome('far', 'alice'), $required, 'nothing is passed on unless an option says so');
if ($node->pg_version < 18)
{
	my (undef, undef, $err) = $node->psql('postgres', "ALTER SERVER far OPTIONS (ADD use_scram_passthrough 'true')");
	like($err, qr/invalid option "use_scram_passthrough"/, 'there is no such option here');
	server_log_is_clean($node);
	$_->stop for $node, $far;
	done_testing();
	exit;
}
$node->safe_psql('postgres', $_) for "ALTER SERVER far OPTIONS (ADD use_scram_passthrough 'true')", "ALTER USER MAPPING FOR alice SERVER by_mapping OPTIONS (ADD use_scram_passthrough 'true')",
	"ALTER SERVER by_dblink OPTIONS (ADD use_scram_passthrough 'true')";

is(outcome('far', 'alice'), 'alice', 'by the option of a server');
is(outcome('by_mapping', 'alice'), 'alice', 'by that of a mapping');
is(outcome('by_dblink', 'alice'), 'alice', 'a server of dblink_fdw');
like(outcome('far', 'bob'), qr/^28P01 could not connect to server "far": .*password authentication failed for user "bob"/, 'another secret there');
is(outcome('far', 'trusted'), $required, 'a client that was not authenticated by SCRAM');
$node->safe_psql('postgres', q{ALTER USER MAPPING FOR alice SERVER far OPTIONS (SET user 'open')});
like(outcome('far', 'alice'), qr/^08001 could not connect to server "far": .*requirement "scram-sha-256"/, 'a server that lets everybody in without asking is none to go to');
$node->safe_psql('postgres', q{ALTER SERVER far OPTIONS (ADD require_auth 'none')});
like(outcome('far', 'alice'), qr/^08001 could not connect to server "far": .*requirement "scram-sha-256"/, 'whatever its options say');
$node->safe_psql('postgres', q{ALTER SERVER far OPTIONS (DROP require_auth); ALTER USER MAPPING FOR alice SERVER far OPTIONS (SET user 'alice')});

# Server and mapping can both say it: as postgres_fdw has it.
$node->safe_psql('postgres', q{CREATE FOREIGN TABLE there (datname name) SERVER far OPTIONS (schema_name 'pg_catalog', table_name 'pg_database'); GRANT SELECT ON there TO alice});
$node->safe_psql('postgres', q{ALTER USER MAPPING FOR alice SERVER far OPTIONS (ADD use_scram_passthrough 'false')});
for my $both ([ 'true', 'true' ], [ 'true', 'false' ], [ 'false', 'true' ], [ 'false', 'false' ])
{
	$node->safe_psql('postgres', "ALTER SERVER far OPTIONS (SET use_scram_passthrough '$both->[0]'); ALTER USER MAPPING FOR alice SERVER far OPTIONS (SET use_scram_passthrough '$both->[1]')");
	my ($code) = $node->psql('postgres', 'SELECT count(*) FROM there', connstr => $node->connstr('postgres') . ' user=alice');
	is(outcome('far', 'alice'), $code == 0 ? 'alice' : $required, "server $both->[0], mapping $both->[1]");
}
$node->safe_psql('postgres', q{ALTER SERVER far OPTIONS (SET use_scram_passthrough 'true'); ALTER USER MAPPING FOR alice SERVER far OPTIONS (DROP use_scram_passthrough)});

# Whose keys: those of who has been authenticated, for sessions that run as this role.
my $psql = new_psql($node, 'postgres', '-U', 'alice');
$node->safe_psql('postgres', <<'SQL');
CREATE FUNCTION as_definer() RETURNS text LANGUAGE pllua_bg SECURITY DEFINER AS $$
	local ok, r = pcall(function() local s <close> = bg.launch{server = 'far'} return s:exec('select current_user::text').value end)
	return ok and r or r.sqlstate
$$;
CREATE FUNCTION inside() RETURNS text LANGUAGE pllua_bg AS $$
	local s <close> = bg.launch()
	return s:exec('select as_invoker()').value
$$;
CREATE FUNCTION as_invoker() RETURNS text LANGUAGE pllua_bg AS $$
	local ok, r = pcall(function() local s <close> = bg.launch{server = 'far'} return s:exec('select current_user::text').value end)
	return ok and r or r.sqlstate
$$;
ALTER FUNCTION as_definer() OWNER TO definer;
GRANT definer TO alice;
SQL
is($psql->query_safe('SELECT as_invoker()'), 'alice', 'a function of the role itself');
is($psql->query_safe('SELECT as_definer()'), '2F003', 'not in a function with the rights of another role');
is($psql->query_safe('SET ROLE definer; SELECT as_invoker(); RESET ROLE'), '2F003', 'nor as another role');
is($psql->query_safe('SELECT inside()'), '2F003', 'nor in a session, which is no client');

# The keys are in shared memory no longer than the worker needs to read them. They are made of what is known here: the client's from the password.
$psql->query_safe(q{do language pllua_bg $$ s = bg.launch{server = 'far', name = 'a visible name'} s:exec('select 1') $$});
my $memory = join '', map { slurp_file($_) } glob $node->data_dir . '/pg_dynshmem/*';
my ($server_key) = map { decode_base64($_) } $secret =~ /:([^:]+)$/;
ok($memory =~ /a visible name/, 'the session is in shared memory');
ok(index($memory, $server_key) < 0, 'the key of the server is not');
$psql->quit;
no_workers_left($node, 'what was let go');
ok(index(slurp_file($node->logfile), encode_base64($server_key, '')) < 0, 'nor is it in the log');

server_log_is_clean($node);
$_->stop for $node, $far;
done_testing();
