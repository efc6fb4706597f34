# What sessions write to the server log.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('log');
$node->init;
$node->append_conf('postgresql.conf', "log_line_prefix = '%p '\nfsync = off\n");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION pllua_bg');

# Runs a script in one backend; what the client was told and what the server log has of it.
sub outcome
{
	my ($script) = @_;
	my $start = -s $node->logfile;
	my ($code, $out, $err) = $node->psql('postgres', $script);
	is($code, 0, 'the script runs') or diag($err);
	return ($out, $err, slurp_file($node->logfile, $start));
}

sub occurrences
{
	my ($text, $pattern) = @_;
	return scalar(() = $text =~ /$pattern/g);
}

# A message of a worker is written once, by the worker, and reaches the client once.
my %scripts = (
	'SQL' => q{SELECT bg.launch() AS pid \gset
SELECT bg.run(:pid, 'DO ''BEGIN RAISE WARNING $m$take care$m$; RAISE LOG $m$for the log$m$; END''');
SELECT * FROM bg.result(:pid) AS (tag text);
DO $$ BEGIN RAISE WARNING 'of the launcher'; END $$;
SELECT pg_backend_pid() AS launcher, :pid AS worker;},
	'Lua' => q{DO LANGUAGE pllua_bg $$
	local s = bg.launch()
	s:exec("do 'begin raise warning $m$take care$m$; raise log $m$for the log$m$; end'")
	spi.execute("do 'begin raise warning $m$of the launcher$m$; end'")
	spi.execute("select set_config('t.pid', $1, false)", tostring(s.pid))
$$;
SELECT pg_backend_pid(), current_setting('t.pid');});
for my $way (sort keys %scripts)
{
	my ($out, $err, $log) = outcome($scripts{$way});
	my ($launcher, $worker) = $out =~ /(\d+)\|(\d+)\s*\z/;
	is(occurrences($err, qr/WARNING:  take care$/m), 1, "$way: the client is warned once");
	is(occurrences($log, qr/WARNING:  take care$/m), 1, "$way: the server log has the warning once");
	is(occurrences($log, qr/^$worker WARNING:  take care$/m), 1, "$way: from the worker");
	is(occurrences($log, qr/LOG:  for the log$/m), 1, "$way: a LOG message is there once too");
	is(occurrences($log, qr/^$launcher WARNING:  of the launcher$/m), 1, "$way: the launcher's own warnings are still written");
}

$node->stop;
done_testing();
