# Where a test build is to go wrong is for superusers to say: no road takes an ordinary role to the setting.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

my $node = new_node('fault_setting', "max_worker_processes = 8\n");
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION pllua_bg;
CREATE ROLE plain LOGIN;
GRANT USAGE ON SCHEMA bg TO plain;
SQL
unless (has_fault_points($node))
{
	$node->stop;
	plan skip_all => 'built without fault points';
}

# What a role is answered, output and errors.
sub as
{
	my ($role, $query, %environment) = @_;
	local %ENV = (%ENV, %environment);
	my ($code, $out, $err) = $node->psql('postgres', $query, extra_params => [ '-U', $role ], on_error_stop => 0);
	return "$out$err";
}

my $denied = qr/permission denied to set parameter "pllua_bg\.fault"/;
my $load = 'DO LANGUAGE pllua_bg $$ $$';
my $shown = q{SELECT 'fault: ' || current_setting('pllua_bg.fault')};
my $point = 'worker-start=exit';

like(as('plain', "$load; SET pllua_bg.fault = '$point'; $shown"), qr/^fault: \n?.*$denied/s, 'SET');
like(as('plain', "$load; SELECT set_config('pllua_bg.fault', '$point', false)"), $denied, 'set_config');
like(as('plain', "$load; ALTER ROLE plain SET pllua_bg.fault = '$point'"), $denied, 'ALTER ROLE');
like(as('plain', "SET pllua_bg.fault = '$point'; $load; $shown"), qr/^fault: \n?.*$denied/s, 'SET before the library is loaded');
like(as('plain', "$load; $shown", PGOPTIONS => "-c pllua_bg.fault=$point"), qr/^fault: \n?.*$denied/s, 'options of the connection');
like(as('plain', "DO LANGUAGE pllua_bg \$\$ bg.launch{settings = {['pllua_bg.fault'] = '$point'}} \$\$"), $denied, 'settings of a launch');
like(as('plain', "DO LANGUAGE pllua_bg \$\$ local s <close> = bg.launch() s:exec([[set pllua_bg.fault = '$point']]) \$\$"), $denied, 'SET in a session');
like(as('plain', "$load; CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql SET pllua_bg.fault = '$point' AS 'SELECT 1'; SELECT pg_temp.f()"),
	$denied, 'SET of a function');
unlike(as('plain', 'DO LANGUAGE pllua_bg $$ local s <close> = bg.launch() s:exec("select 1") $$'), qr/ERROR|FATAL/, 'nothing has gone wrong');

is(as('postgres', "$load; SET pllua_bg.fault = 'no-such-point=error'; $shown"), 'fault: no-such-point=error', 'a superuser may');
like(as('postgres', "DO LANGUAGE pllua_bg \$\$ local s <close> = bg.launch{settings = {['pllua_bg.fault'] = 'worker-command=error'}} s:exec('select 1') \$\$"),
	qr/fault point "worker-command"/, 'and that is where his session goes wrong');

$node->stop;
done_testing();
