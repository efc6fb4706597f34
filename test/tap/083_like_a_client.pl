# A session answers what is asked about its client as a connection over a local socket does, and the server log knows who it is.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

my $node = new_node('client', q{
logging_collector = on
log_destination = 'stderr,csvlog,jsonlog'
log_filename = 'all'
log_line_prefix = '<%u|%d|%a|%r|%h|%b|%q%p> '
session_preload_libraries = 'pllua_bg'
});
$node->safe_psql('postgres', q{
CREATE EXTENSION pllua_bg;
CREATE ROLE app LOGIN;
GRANT USAGE ON SCHEMA bg TO app;
CREATE TABLE lines (a text);
GRANT ALL ON lines TO app;
GRANT CREATE ON SCHEMA public TO app;
});

# Runs statements in a new connection of app, or in a session of one; the output, errors included.
sub answers
{
	my ($where, @statements) = @_;
	my $script = join(";\n", @statements) . ';';
	if ($where eq 'session')
	{
		$script = 'DO LANGUAGE pllua_bg $x$ local s = bg.launch() ';
		$script .= "do local ok, r = pcall(s.exec, s, [==[$_]==]) if not ok then print(r.sqlstate) elseif #r > 0 then local t = {} for i = 1, #r.columns do local v = r[1][i] t[i] = v == nil and '' or v == true and 't' or v == false and 'f' or tostring(v) end print(table.concat(t, '|')) end end " for @statements;
		$script .= '$x$';
	}
	my ($code, $out, $err) = $node->psql('postgres', $script, connstr => $node->connstr('postgres') . ' user=app', on_error_stop => 0);
	return $out if $where ne 'session';
	my @lines = $err =~ /INFO:  (.*)$/mg;
	return @lines ? join("\n", @lines) : $err;
}

my %asked = (
	'addresses' => ['SELECT inet_client_addr(), inet_client_port(), inet_server_addr(), inet_server_port()'],
	'encryption' => ['SELECT count(*) FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl'],
	'settings of the connection' => [
		'SET tcp_keepalives_idle = 7', 'SET tcp_keepalives_interval = 7', 'SET tcp_keepalives_count = 7', 'SET tcp_user_timeout = 7',
		map { "SHOW $_" } qw(tcp_keepalives_idle tcp_keepalives_interval tcp_keepalives_count tcp_user_timeout)],
	'who is it' => ['SELECT session_user, current_database()'],
);
# of PostgreSQL 16; nobody was asked who he is
$asked{'system user'} = ['SELECT system_user'] if $node->pg_version >= 16;
if ($node->safe_psql('postgres', q{SELECT count(*) FROM pg_available_extensions WHERE name = 'sslinfo'}))
{
	$node->safe_psql('postgres', 'CREATE EXTENSION sslinfo');
	$asked{'sslinfo'} = ['SELECT ssl_is_used(), ssl_version(), ssl_cipher(), ssl_client_cert_present(), ssl_client_serial(), ssl_client_dn(), ssl_issuer_dn()',
		q{SELECT ssl_client_dn_field('CN'), ssl_issuer_field('CN')}, 'SELECT count(*) FROM ssl_extension_info()'];
}
# Names that postgres_fdw and dblink give their own connections.
if ($node->safe_psql('postgres', q{SELECT count(*) FROM pg_available_extensions WHERE name IN ('postgres_fdw', 'dblink')}) == 2)
{
	my ($host, $port) = ($node->host, $node->port);
	$node->safe_psql('postgres', qq{
CREATE EXTENSION postgres_fdw; CREATE EXTENSION dblink;
CREATE SERVER self FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '$host', port '$port', dbname 'postgres');
CREATE USER MAPPING FOR app SERVER self OPTIONS (user 'app', password_required 'false');
CREATE VIEW own_name AS SELECT current_setting('application_name') AS name;
CREATE FOREIGN TABLE far (name text) SERVER self OPTIONS (table_name 'own_name');
GRANT SELECT ON own_name, far TO app;
GRANT USAGE ON FOREIGN SERVER self TO app;
GRANT EXECUTE ON FUNCTION dblink_connect_u(text, text) TO app});
	$asked{'postgres_fdw'} = [q{SET postgres_fdw.application_name = '%u of %d'}, 'SELECT name FROM far'];
	$asked{'dblink'} = [qq{SELECT dblink_connect_u('c', 'host=$host port=$port dbname=postgres user=app')}, q{SELECT * FROM dblink('c', 'SELECT session_user') AS t (u name)},
		q{SELECT dblink_disconnect('c')}];
}
for my $what (sort keys %asked)
{
	my $local = answers('connection', @{ $asked{$what} });
	isnt($local, '', "$what: a connection answers") unless $what eq 'system user' || $what eq 'addresses';
	is(answers('session', @{ $asked{$what} }), $local, "$what: so does a session");
}

# What only a client can do is refused, wherever it stands.
my @copies = ('COPY lines FROM STDIN', 'SELECT 1; COPY lines FROM STDIN', 'BEGIN; COPY lines FROM STDIN; COMMIT', q{DO 'BEGIN EXECUTE $c$COPY lines FROM STDIN$c$; END'},
	'DO LANGUAGE pllua_bg $l$ spi.execute("copy lines from stdin") $l$');
is(answers('session', 'SET client_connection_check_interval = 1', map { ($_, 'ROLLBACK') } @copies), join("\n", ('0A000') x @copies), 'COPY FROM STDIN is refused');
is(answers('session', 'SET client_connection_check_interval = 1', 'DO LANGUAGE pllua_bg $l$ local t = os.clock() repeat until os.clock() - t > 0.05 $l$', 'SELECT 5'), '5',
	'no client is looked for');

# The log.
$node->psql('postgres', q{DO LANGUAGE pllua_bg $x$
	local s = bg.launch{name = 'the worker'}
	s:exec([[do 'begin raise log $m$from a named session$m$; end']])
	s:exec([[set application_name = 'renamed'; do 'begin raise log $m$from a renamed session$m$; end']])
	bg.autonomous([[do 'begin raise log $m$from a session without name$m$; end']])
$x$}, connstr => $node->connstr('postgres') . ' user=app');
$node->psql('postgres', q{BEGIN; SELECT bg.on_commit('DO ''BEGIN RAISE LOG $m$from a job$m$; END'''); COMMIT}, connstr => $node->connstr('postgres') . ' user=app');
my $folder = $node->data_dir . '/log';
my %names = ('a named session' => 'the worker', 'a renamed session' => 'renamed', 'a session without name' => 'pllua_bg session', 'a job' => 'on_commit');
for my $what (sort keys %names)
{
	my $name = $names{$what};
	my %patterns = ('all' => qr/^<app\|postgres\|\Q$name\E\|\[local\]\|\[local\]\|pllua_bg session\|\d+> LOG:  from $what$/m,
		'all.csv' => qr/^[^,]*,"app","postgres",\d+,"\[local\]",.*,"from $what",.*,"\Q$name\E","pllua_bg session"/m,
		'all.json' => qr/"user":"app","dbname":"postgres",.*"remote_host":"\[local\]".*"message":"from $what".*"application_name":"\Q$name\E"/);
	for my $file (sort keys %patterns)
	{
		my $path = "$folder/$file";
		ok(wait_until(sub { -e $path && slurp_file($path) =~ $patterns{$file} }), "$file: $what says who it is") or diag(slurp_file($path) =~ /^(.*from $what.*)$/m);
	}
}
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE client_addr IS NOT NULL OR client_hostname IS NOT NULL}), '0', 'no session shows an address');

$node->stop;
my $all = join('', map { slurp_file($_) } glob("$folder/all*"));
unlike($all, qr/terminated by signal|server process .* was terminated/, 'no process has crashed');
done_testing();
