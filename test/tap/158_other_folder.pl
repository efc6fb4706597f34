# The library outside of the server's folder: its workers and the module that has libpq are found beside it. From PostgreSQL 18 on
# extension_control_path and dynamic_library_path lead there, before it a control file that names the folder.
use strict;
use warnings;

use File::Copy qw(copy);
use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

my $folder = PostgreSQL::Test::Utils::tempdir_short; # the server keeps 95 bytes of the path of a worker's library
my $pg_config = $ENV{PG_CONFIG} || 'pg_config';
my $has_path = stdout_of($pg_config, '--version') !~ /^PostgreSQL 1[567]\b/;

# A server without ours, and what is installed of ours in a folder.
my $server = stdout_of("$FindBin::RealBin/../../tools/server", "$folder/server");
mkdir "$folder/$_" or die "$_: $!" for 'ours', 'ours/extension', 'ours/lib';
copy($_, "$folder/ours/lib") or die "$_: $!" for glob "'" . stdout_of($pg_config, '--pkglibdir') . "/pllua_*'";
for my $file (glob "'" . stdout_of($pg_config, '--sharedir') . "/extension/pllua_*'")
{
	my $text = slurp_file($file);
	$text =~ s,\$libdir,$folder/ours/lib,g unless $has_path;
	append_to_file(($has_path ? "$folder/ours" : stdout_of($server, '--sharedir')) . '/extension/' . ($file =~ s,.*/,,r), $text);
}

my $node = PostgreSQL::Test::Cluster->new('elsewhere', install_path => $server =~ s,/bin/pg_config$,,r);
$node->init;
$node->append_conf('postgresql.conf', "fsync = off\nshared_preload_libraries = '" . ($has_path ? '' : "$folder/ours/lib/") . "pllua_bg'\n");
$node->append_conf('postgresql.conf', "extension_control_path = '$folder/ours:\$system'\ndynamic_library_path = '$folder/ours/lib:\$libdir'\n") if $has_path;
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION pllua_bg_jobs CASCADE; CREATE EXTENSION pllua_bg_dba');
my $place = join ' ', 'dbname=postgres', 'host=' . $node->host, 'port=' . $node->port;
for my $case (['a session', '()'], ['one on another server', "{server = '$place'}"])
{
	my ($name, $options) = @$case;
	my ($code, $out, $err) = $node->psql('postgres', "DO LANGUAGE pllua_bg \$\$ local s <close> = bg.launch$options print(s:exec('select 6 * 7').value) \$\$");
	like($err, qr/^psql:<stdin>:1: INFO:  42$/m, $name);
}
is($node->safe_psql('postgres', "SELECT bg.submit('SELECT 44') AS job \\gset\nSELECT bg.wait_job(:job, 60)"), 'done', 'a job');
is($node->safe_psql('postgres', q{CREATE TABLE t (); SET client_min_messages = error; CALL bg.vacuum_tables('public.t', progress => false)}) =~ s/\|[^|]*$//r, '1|0', 'a tool');
$node->stop;
done_testing();
