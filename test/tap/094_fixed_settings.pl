# What an administrator has fixed for whoever logs in is logged and limited in his sessions as it is in his connection, whatever role they run as.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use File::Copy;
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

my $node = new_node('fixed', "log_line_prefix = '%p %u '\nlog_statement = none\n");
$node->safe_psql('postgres', q{
CREATE EXTENSION pllua_bg;
CREATE ROLE app LOGIN; CREATE ROLE bob LOGIN; CREATE ROLE carol LOGIN;
GRANT app TO bob, carol;
GRANT USAGE ON SCHEMA bg TO app, bob, carol;
ALTER ROLE bob SET log_statement = 'all';
ALTER ROLE bob SET temp_file_limit = '1MB';
ALTER ROLE bob SET session_preload_libraries = 'auto_explain';
ALTER ROLE bob SET auto_explain.log_min_duration = 0;
ALTER ROLE app SET log_statement = 'none';
ALTER ROLE app SET temp_file_limit = '10GB';
CREATE FUNCTION in_session(command text) RETURNS text LANGUAGE pllua_bg AS 'return bg.autonomous(command).value';
CREATE FUNCTION in_session_of_app(command text) RETURNS text LANGUAGE pllua_bg SECURITY DEFINER AS 'return bg.autonomous(command).value';
ALTER FUNCTION in_session_of_app(text) OWNER TO app;
CREATE FUNCTION after_commit(command text) RETURNS void LANGUAGE pllua_bg AS 'bg.on_commit(command)';
});

# Runs a script as a role; what the client was told, and what the server log has of it.
sub outcome
{
	my ($role, $script) = @_;
	my $start = -s $node->logfile;
	my ($code, $out, $err) = $node->psql('postgres', $script, connstr => $node->connstr('postgres') . " user=$role", on_error_stop => 0, extra_params => ['-v', 'VERBOSITY=verbose']);
	return ($out, $err, $start);
}

# Waits until the server log has it; false when it does not come.
sub logged
{
	my ($start, $pattern) = @_;
	return wait_until(sub { slurp_file($node->logfile, $start) =~ $pattern });
}

my %roads = (
	'set role' => q{SET ROLE app; SELECT in_session($$%s$$)},
	'a definer function' => q{SELECT in_session_of_app($$%s$$)},
	'a nested session' => q{SET ROLE app; SELECT in_session($x$SELECT in_session($$%s$$)$x$)},
	'himself' => q{SELECT in_session($$%s$$)},
	'a session of the pool' => q{SET ROLE app; SELECT in_session($$SELECT 0$$); SELECT in_session($$%s$$)},
	'a session in SQL' => q{SET ROLE app; SELECT bg.launch() AS pid \gset
SELECT bg.run(:pid, $$%s$$); SELECT * FROM bg.result(:pid) AS (a text)});
my $number = 0;
my $spill = 'SELECT count(*) FROM (SELECT g FROM generate_series(1, 300000) g ORDER BY g DESC OFFSET 1) x';
for my $road (sort keys %roads)
{
	$number++;
	my ($out, $err, $start) = outcome('bob', sprintf($roads{$road}, "SELECT (41000 + $number)::text AS answer"));
	my $user = $road eq 'himself' ? 'bob' : 'app';
	like($out, qr/^@{[41000 + $number]}$/m, "$road: the statement runs");
	my ($launcher) = slurp_file($node->logfile, $start) =~ /^(\d+) bob /m;
	ok(logged($start, qr/^(?!$launcher )\d+ $user LOG:  statement: SELECT \(41000 \+ $number\)::text AS answer$/m), "$road: it is logged");
	ok(logged($start, qr/^(?!$launcher )\d+ $user LOG:  duration: [\d.]+ ms  plan:\s+Query Text: SELECT \(41000 \+ $number\)::text AS answer$/m), "$road: auto_explain of the role that has logged in works");
	($out, $err, $start) = outcome('bob', "SET work_mem = '64kB'; " . sprintf($roads{$road}, $spill));
	like($err, qr/ERROR:  53400: temporary file size exceeds "?temp_file_limit"? \(1024kB\)/, "$road: temp_file_limit holds");
}
my (undef, undef, $start) = outcome('bob', q{SET ROLE app; SELECT after_commit('SELECT 41999')});
ok(logged($start, qr/^\d+ app LOG:  statement: SELECT 41999$/m), 'a job is logged');

# Who has nothing fixed has nothing imposed.
my ($out, $err);
($out, $err, $start) = outcome('carol', "SET ROLE app; SELECT in_session('SELECT 42001'); SET work_mem = '64kB'; SELECT in_session(\$\$$spill\$\$)");
like($out, qr/^42001\n299999$/m, 'of another login: no limit');
unlike(slurp_file($node->logfile, $start), qr/LOG:  statement: SELECT 42001/, 'and no log');

# A superuser who becomes another.
($out, $err, $start) = outcome($node->safe_psql('postgres', 'SELECT current_user'), q{LOAD 'auto_explain'; SET auto_explain.log_min_duration = 0; SET log_statement = 'mod'; SET ROLE app;
SELECT in_session('SELECT 43001'); SELECT in_session('CREATE TEMP TABLE t43 ()')});
ok(logged($start, qr/^\d+ app LOG:  duration: .* plan:\s+Query Text: SELECT 43001$/m), 'a library he has loaded is loaded');
ok(logged($start, qr/^\d+ app LOG:  statement: CREATE TEMP TABLE t43 \(\)$/m), 'what he has set is in force');

# The configuration file is read again: by whoever has no other value.
my $waiting = new_psql($node, 'postgres', '-U', 'carol');
my $pid = $waiting->query_safe('SET ROLE app; SELECT bg.launch()');
$waiting->query_safe("SELECT bg.run($pid, 'SELECT 1'), bg.wait($pid)");
$node->append_conf('postgresql.conf', "log_statement = 'all'\ntemp_file_limit = '2MB'\n");
$node->reload;
$node->poll_query_until('postgres', q{SELECT current_setting('temp_file_limit') = '2MB'}) or die;
my $seen;
wait_until(sub {
	$waiting->query_safe("SELECT bg.run($pid, \$\$SELECT current_setting('log_statement') || ' ' || current_setting('temp_file_limit')\$\$)");
	($seen = $waiting->query_safe("SELECT a FROM bg.result($pid) AS (a text)")) eq 'all 2MB';
});
is($seen, 'all 2MB', 'an open session takes over what is changed for the whole server');
$waiting->quit;
($out) = outcome('bob', q{SET ROLE app; SELECT in_session('SHOW temp_file_limit')});
like($out, qr/^1MB$/m, 'but not where something else is fixed');

# A library that cannot be loaded any more.
my $libraries = $node->config_data('--pkglibdir');
my $copy = $node->basedir . '/copied.so';
copy("$libraries/auto_explain.so", $copy) or die;
chmod 0755, $copy;
my $backend = new_psql($node);
$backend->query_safe("LOAD '$copy'");
unlink $copy;
$backend->query("SELECT in_session('SELECT 1')");
like($backend->{stderr}, qr/could not access file ".*copied.so"/, 'a session that cannot have a library of its launcher says so');
$backend->quit;

$node->stop;
done_testing();
