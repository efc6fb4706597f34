# Sessions on another server whose address no name server says: the command ends in bounded time, and whoever waits, closes or ends the session does so at once. Names are
# looked up by a library that is loaded before others, which does not answer for one of them.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

my $folder = PostgreSQL::Test::Utils::tempdir;
append_to_file("$folder/names.c", <<'C');
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **result)
{
	int (*next)(const char *, const char *, const struct addrinfo *, struct addrinfo **) = dlsym(RTLD_NEXT, "getaddrinfo");
	while (name && strcmp(name, "never.invalid") == 0) pause();
	return next(name, service, hints, result);
}
C
system_or_bail('cc', '-shared', '-fPIC', '-o', "$folder/names.so", "$folder/names.c", '-ldl');

my $far = new_node('far');
my $node = new_node('near', "max_worker_processes = 12\n");
$node->stop;
{
	local $ENV{LD_PRELOAD} = "$folder/names.so";
	$node->start;
}
my ($host, $port) = ($far->host, $far->port);
$node->safe_psql('postgres', <<"SQL");
CREATE EXTENSION pllua_bg;
CREATE EXTENSION postgres_fdw;
CREATE SERVER there FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '$host', port '$port', dbname 'postgres');
CREATE SERVER never FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'never.invalid', port '$port', dbname 'postgres', connect_timeout '2');
CREATE SERVER never_first FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'never.invalid,$host', port '$port', dbname 'postgres', connect_timeout '2');
CREATE SERVER patient FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'never.invalid', port '$port', dbname 'postgres', connect_timeout '3600');
SQL
$node->safe_psql('postgres', "CREATE USER MAPPING FOR CURRENT_USER SERVER $_") for 'there', 'never', 'never_first', 'patient';
session_functions($node, q({server = option}));
my $psql = new_psql($node);
sub ask { return $psql->query($_[0]) =~ s/\n\z//r }
sub took { return cmp_ok(time - $_[0], '<', $_[1], "$_[2]: in bounded time") }

my $session = ask(q{SELECT session_open('there')});
is(ask("SELECT session_exec($session, 'select 1')"), '1', 'the library is in nobody\'s way');
ask("SELECT bg.close($session)");
my $begin = time;
like(ask(q{SELECT session_exec(session_open('never'), 'select 1')}), qr/^08001: timeout expired$/, 'a name server that does not answer');
took($begin, 20, 'a name server that does not answer');
$begin = time;
like(ask(q{SELECT session_exec(session_open('never_first'), 'select 1')}), qr/^08001: timeout expired$/, 'for the first of two hosts');
took($begin, 25, 'for the first of two hosts');
no_workers_left($node, 'they have ended');

# Whoever waits does not have to.
$begin = time;
ask("SET statement_timeout = '300ms'");
$session = ask(q{SELECT session_open('patient')});
is(ask("SELECT session_exec($session, 'select 1')"), '', 'a command that waits is cancelled');
like($psql->{stderr}, qr/canceling statement due to statement timeout/, 'by its timeout');
ask('RESET statement_timeout');
is(ask("SELECT bg.run($session, 'select 1') > 0 AND NOT bg.wait($session, 0.1)"), 't', 'a wait ends in time');
ask("SELECT bg.close($session)");
process_is_gone($session, 'closed');
$session = ask(q{SELECT session_open('patient')});
terminate_worker($node, $session);
process_is_gone($session, 'terminated');
like(ask("SELECT session_exec($session, 'select 1')"), qr/^08006: |^57P01: |^08003: /, 'what is sent then fails');
$session = ask(q{SELECT session_open('patient')});
$psql->quit;
process_is_gone($session, 'its launcher has ended');
took($begin, 60, 'all of it');
no_workers_left($node, 'the end');

server_log_is_clean($node);
$_->stop for $node, $far;
done_testing();
