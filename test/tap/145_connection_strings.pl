# Sessions on other servers by connection strings: for whom they are, what is refused, and that what they say, a password above all, is seen nowhere: not in views, errors,
# logs or shared memory.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

my $far = new_node('far');
# Shared memory as files, that can be looked into; and no text of statements in the log, which has whatever they say.
my $node = new_node('near', <<'CONF');
shared_preload_libraries = 'pllua_bg'
pllua_bg.jobs = off
dynamic_shared_memory_type = mmap
log_min_messages = debug2
log_statement = none
log_min_error_statement = panic
CONF
my ($host, $port) = ($far->host, $far->port);
my $password = q{S3cret 'q" b\\s=@/ w0rd};
my $quoted = $password =~ s/'/''/gr;
my $uri_password = join '', map { sprintf '%%%02X', ord } split //, $password;
my $uri_host = $host =~ s,/,%2F,gr;

$far->safe_psql('postgres', "SET password_encryption = 'scram-sha-256'; CREATE ROLE alice LOGIN PASSWORD '$quoted'; CREATE ROLE open LOGIN; CREATE ROLE app LOGIN; CREATE DATABASE other");
unlink $far->data_dir . '/pg_hba.conf';
$far->append_conf('pg_hba.conf', "local all alice scram-sha-256\nlocal all all trust\n");
$far->reload;

# What has passwords in it comes from a table, so that no statement has it.
$node->safe_psql('postgres', <<"SQL");
CREATE EXTENSION pllua_bg;
CREATE EXTENSION postgres_fdw;
CREATE ROLE app LOGIN;
CREATE ROLE low LOGIN;
GRANT USAGE ON SCHEMA bg TO app, low;
CREATE TABLE given (name text, value text);
GRANT SELECT ON given TO PUBLIC;
INSERT INTO given VALUES ('password', '$quoted'), ('uri', 'postgresql://alice:$uri_password\@$uri_host:$port/postgres'), ('spaces', 'host=$host password=S3cret w0rd'),
	('at', 'postgresql://alice:S3cret\@w0rd\@$uri_host:$port/postgres'), ('slash', 'postgresql://alice:S3cret/w0rd\@$uri_host:$port/postgres'), ('percent', 'postgresql://alice:S3cret%w0rd\@$uri_host:$port/postgres'),
	('question', 'postgresql://alice:S3cret?w0rd/\@$uri_host:$port/postgres'), ('no_quote', 'host=$host password=''S3cret w0rd'), ('unknown', 'host=$host S3cret=w0rd'), ('other_scheme', 'mysql://alice:S3cret\@$host/'),
	('wrong', 'host=$host port=$port user=alice dbname=postgres password=S3cret_w0rd');
CREATE FUNCTION given(text) RETURNS text LANGUAGE sql AS 'SELECT value FROM given WHERE name = \$1';
SQL

my @errors;

# What Lua code prints, line by line.
sub lua
{
	my ($code, $role) = @_;
	my (undef, undef, $err) = $node->psql('postgres', <<"SQL", connstr => $node->connstr('postgres') . ($role ? " user=$role" : ''));
do language pllua_bg \$lua\$
local function given(name) return spi.execute('select given(\$1) as v', name)[1].v end
local alice = {host = '$host', port = $port, user = 'alice', dbname = 'postgres', password = given('password')}
local open = 'host=$host port=$port user=open dbname=other'
local function try(server, sql)
	local ok, r = pcall(function() local s <close> = bg.launch{server = server} return s:exec(sql or 'select current_user::text') end)
	if ok then print(r.value) else print(r.sqlstate, r.message, r.detail or '-', r.hint or '-') end
end
$code
\$lua\$
SQL
	$err =~ s/^psql:<stdin>:\d+: //mg;
	$err =~ s/^INFO:  //mg;
	push @errors, $err;
	return $err;
}

# Who may.
my $refused = "42501\tpermission denied for connection strings of background sessions\tThe role needs EXECUTE on function bg.connect_anywhere().\tUse a foreign server and a user mapping; or, "
  . 'for a role that may go to any server, as anybody: GRANT EXECUTE ON FUNCTION bg.connect_anywhere() TO app';
is(lua('try(open) try(alice) try(given"uri") try("=") try("x://")', 'app'), join("\n", ($refused) x 5), 'a role without the right');
is(lua('try(open) try(alice) try(given"uri")'), "open\nalice\nalice", 'a superuser');
like(lua("bg.launch{server = 'nowhere'}", 'app'), qr/^ERROR:  server "nowhere" does not exist/, 'what is no connection string is a name');
my ($status, $out, $err) = $node->psql('postgres', "SELECT bg.launch(server => 'host=$host')", connstr => $node->connstr('postgres') . ' user=app');
like($err, qr/ERROR:  permission denied for connection strings/, 'in SQL');
$node->psql('postgres', 'SELECT bg.connect_anywhere()', connstr => $node->connstr('postgres') . ' user=app', stderr => \$err);
like($err, qr/ERROR:  permission denied for function connect_anywhere/, 'the function itself');
$node->safe_psql('postgres', 'GRANT EXECUTE ON FUNCTION bg.connect_anywhere() TO app');
is($node->safe_psql('postgres', 'SELECT bg.connect_anywhere()', extra_params => [ '-U', 'app' ]), 't', 'once it was granted');
is(lua('try(open) try(alice) try(given"uri")', 'app'), "open\nalice\nalice", 'a role that was granted the right needs no password, nor to be asked for it');
is( $node->safe_psql('postgres', <<"SQL", extra_params => [ '-U', 'app' ]), 42, 'in SQL, too');
SELECT bg.launch(server => 'host=$host port=$port user=open dbname=other') AS pid \\gset
SELECT FROM bg.run(:pid, 'select \$1 + 1 as a', 41);
SELECT a FROM bg.result(:pid) AS (a int);
SQL
is(lua("spi.execute('set local role low') try(open)") =~ s/TO low$/TO app/r, $refused, 'a superuser as another role');
is(lua("spi.execute('set local role app') try(open)"), 'open', 'as one with the right');
$node->safe_psql('postgres', <<"SQL");
CREATE FUNCTION as_owner() RETURNS text LANGUAGE pllua_bg SECURITY DEFINER AS \$\$
	local ok, r = pcall(function() local s <close> = bg.launch{server = 'host=$host port=$port user=open dbname=other'} return s:exec('select current_user::text').value end)
	return ok and r or r.sqlstate
\$\$;
SQL
is($node->safe_psql('postgres', 'SELECT as_owner()', extra_params => [ '-U', 'low' ]), 'open', 'a function with the rights of a superuser');
$node->safe_psql('postgres', 'ALTER FUNCTION as_owner() OWNER TO low');
is($node->safe_psql('postgres', 'SELECT as_owner()'), '42501', 'a function with the rights of who may not');
$node->safe_psql('postgres', 'ALTER FUNCTION as_owner() OWNER TO app; REVOKE EXECUTE ON FUNCTION bg.connect_anywhere() FROM app');
is($node->safe_psql('postgres', 'SELECT as_owner()'), '42501', 'a right that was revoked');
is(lua(q{spi.execute('grant execute on function bg.connect_anywhere() to app') spi.execute('set local role app') try(open)}), $refused, 'one that only this transaction has granted: the worker asks again');
$node->safe_psql('postgres', 'GRANT EXECUTE ON FUNCTION bg.connect_anywhere() TO app');
$node->safe_psql('postgres', "CREATE SERVER \"host=$host port=1\" FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '$host', port '$port', dbname 'other'); CREATE USER MAPPING FOR PUBLIC SERVER \"host=$host port=1\" OPTIONS (user 'open')");
like(lua("try('host=$host port=1')"), qr/^08001\tcould not connect to server "\Q$host\E"\t.*No such file or directory/, 'a foreign server cannot take the place of a connection string');

# What is in them.
is(lua("alice.application_name = [[it's \\ \" host='nowhere']] try(alice, [[select current_setting('application_name')]])"), q{it's \ " host='nowhere'}, 'a value is a value, whatever is in it');
is(lua('alice.keepalives, alice.connect_timeout = true, 3.0 try(alice) alice.sslmode = "perhaps" try(alice)'), "alice\n08001\tcould not connect to server \"$host\"\tinvalid sslmode value: \"perhaps\"\t-", 'values of other types, and a wrong one');
is(lua('try(open, "show lock_timeout") try(open .. [[ options=-cwork_mem=77kB]], "show work_mem")'), "1min\n77kB", 'settings');
is(lua(q{for _, o in ipairs{'replication=database', 'client_encoding=LATIN1', 'fallback_application_name=x'} do try(open .. ' ' .. o) end}),
	join("\n", map { "22023\tconnection option \"$_\" is not possible for a background session\t-\t-" } qw(replication client_encoding fallback_application_name)), 'options that are not possible');
my $malformed = "22023\tinvalid connection string\tIt is malformed, or has an option that libpq does not know.\tIt has the form \"host=... dbname=...\", or \"postgresql://...\" with %40 for \@ and %2F for / in names and passwords.";
my @malformed = qw(spaces at slash percent question no_quote unknown other_scheme);
is(lua(join ' ', map { "try(given'$_')" } @malformed), join("\n", ($malformed) x @malformed), 'what is malformed is not shown');
is(lua('try{hots = "x"}'), $malformed, 'an unknown option');
is(lua('try{["a b"] = 1}'), "22023\tthe names of connection options must be words, not \"a b\"\t-\t-", 'a name that is none');
is(lua('try{host = print}'), "22023\tconnection option host must be a string, a number or a boolean, not a function\t-\t-", 'a value that is none');
is(lua('try{} try(1)'), "22023\toption server is an empty table\t-\t-\n22023\toption server must be a string or a table of options, not 1\t-\t-", 'neither a string nor options');
like(lua('try(given"wrong")'), qr/^28P01\t.*password authentication failed for user "alice"\t-$/, 'a wrong password');
like(lua('alice.password = nil try(alice)'), qr/^08001\t.*fe_sendauth: no password supplied\t-$/, 'no password');

# Many servers.
my $two = "local two = {alice, {host = '$host', port = '$port', dbname = 'other', user = 'open'}} ";
is(lua($two . q{local r = bg.on_all(two, 'select current_user::text') print(r[1].value, r[2].value)}), "alice\topen", 'bg.on_all');
like(lua($two . q{print(select(2, pcall(bg.on_all, two, 'select 1 / length(nullif(current_user::text, $1))', 'alice')).context, select(2, pcall(bg.on_all, {alice, alice}, 'select 1 / 0')).context)}),
	qr/item [12] \(<connection string>\) of bg\.on_all/, 'an error of one');
is(lua($two . q{local r = bg.map({1, 2, 3, 4}, 'select $1::int', {server = two}) print(r[4].value)
	r = bg.map({1, 2, 3}, 'select $1::int, current_user::text as u', {server = function(i) return two[i % 2 + 1] end}) print(r[1][1].u, r[2][1].u, r[3][1].u)
	r = bg.map({1, 2, 3}, function(s, i) return s:exec('select current_user::text').value end, {server = alice}) print(r[3])}), "4\nopen\talice\topen\nalice", 'bg.map');
is(lua('print(select(2, pcall(bg.map, {1}, "select 1", {server = function() return true end})).message)'), 'the server of item 1 must be a string or a table of options, not a boolean', 'an item that belongs nowhere');

# What can be seen of it. The session is found in the files of shared memory, and so would be what it was given.
my $psql = new_psql($node, 'postgres', '-U', 'app');
$psql->query_safe(<<"SQL");
do language pllua_bg \$\$
	local function given(name) return spi.execute('select given(\$1) as v', name)[1].v end
	s = bg.launch{name = 'a visible name', server = {host = '$host', port = $port, user = 'alice', dbname = 'postgres', password = given('password')}, settings = {work_mem = '76543kB'}}
	u = bg.launch{name = 'by uri', server = given('uri')}
	s:exec('select 1')
	u:exec('select 1')
\$\$
SQL
is($node->safe_psql('postgres', 'SELECT name, server FROM bg.sessions ORDER BY 1'), "a visible name|<connection string>\nby uri|<connection string>", 'in the view');
is($psql->query_safe('SELECT name, server FROM bg.sessions ORDER BY 1'), "a visible name|<connection string>\nby uri|<connection string>", 'in that of the launcher');
my $memory = join '', map { slurp_file($_) } glob $node->data_dir . '/pg_dynshmem/*';
ok($memory =~ /a visible name/, 'the session is in shared memory');
ok($memory !~ /S3cret|\Q$uri_password\E/, 'the password is not');
my $everything = join "\n", map { $_->safe_psql('postgres', 'SELECT a FROM pg_stat_activity a') } $node, $far;
like($everything, qr/a visible name/, 'the session is in pg_stat_activity');
unlike($everything, qr/S3cret|\Q$uri_password\E/, 'the password is not');
$psql->quit;

unlike(join("\n", @errors), qr/S3cret|\Q$uri_password\E/, 'nor in an error');
unlike(slurp_file($node->logfile), qr/S3cret|w0rd|\Q$uri_password\E/, 'nor in the log');

server_log_is_clean($node);
$_->stop for $node, $far;
done_testing();
