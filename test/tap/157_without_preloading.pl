# The table of all sessions without preloading, from PostgreSQL 17 on: all of 081, and a server whose backends come and go.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

my $node = new_node('come', <<'CONF');
max_worker_processes = 8
CONF
$node->safe_psql('postgres', 'CREATE EXTENSION pllua_bg; CREATE ROLE plain LOGIN; GRANT USAGE ON SCHEMA bg TO PUBLIC');
# Before PostgreSQL 17 only preloaded libraries share memory.
if ($node->safe_psql('postgres', 'SHOW server_version_num') < 170000)
{
	is($node->safe_psql('postgres', 'SELECT launched, scope FROM bg.launch(), bg.stat'), '1|backend', 'each backend counts for itself');
	done_testing();
	exit;
}

subtest 'connections that come and go' => sub {
	my $reads = "SELECT scope FROM bg.stat;\n\\c\n" x 1000;
	my $out = $node->safe_psql('postgres', $reads);
	is($out, join("\n", ('cluster') x 1000), 'read the one segment');
	my $launches = "SELECT bg.launch() > 0;\n\\c\n" x 50;
	is($node->safe_psql('postgres', $launches), join("\n", ('t') x 50), 'launch sessions');
	ok($node->poll_query_until('postgres', 'SELECT count(*) = 0 FROM bg.sessions'), 'of which none stays');
	is($node->safe_psql('postgres', 'SELECT launched FROM bg.stat'), '50', 'all are counted');
};

subtest 'an ordinary role' => sub {
	my $other = new_psql($node, 'postgres');
	$other->query_safe(q{SELECT bg.run(bg.launch(name => 'secret'), 'SELECT pg_sleep(1000)')}); # workload
	ok($node->poll_query_until('postgres', 'SELECT count(*) = 1 FROM bg.sessions WHERE sql IS NOT NULL'), 'a superuser sees the statement');
	is($node->safe_psql('postgres', 'SELECT sql, error, name FROM bg.sessions', extra_params => [ '-U', 'plain' ]), '<insufficient privilege>||', 'who is nobody does not see it');
	$node->safe_psql('postgres', 'DROP EXTENSION pllua_bg CASCADE; CREATE EXTENSION pllua_bg');
	is($node->safe_psql('postgres', 'SELECT count(*) FROM bg.sessions'), '1', 'the extension made anew has the same table');
	$node->safe_psql('postgres', 'SELECT pg_terminate_backend(pid) FROM bg.sessions');
	ok($node->poll_query_until('postgres', 'SELECT count(*) = 0 FROM bg.sessions'), 'and the entry goes with its worker');
	$other->quit;
};

server_log_is_clean($node);
$node->stop;

subtest 'all of 081' => sub {
	local $ENV{WITHOUT_PRELOADING} = 1;
	my $status = system $^X, "-I$FindBin::RealBin/lib", (map { "-I$_" } @INC), "$FindBin::RealBin/081_all_sessions.pl";
	is($status, 0, 'it passes');
};
done_testing();
