# bg.trace tells where commands ran: of sessions on another server, in another database, and of those that are lost.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

my $node = new_node('trace', "max_worker_processes = 16\n");
my ($host, $port) = ($node->host, $node->port);
$node->safe_psql('postgres', 'CREATE DATABASE other');
$node->safe_psql($_, 'CREATE EXTENSION pllua_bg') for 'postgres', 'other';
$node->safe_psql('postgres', <<"SQL");
CREATE EXTENSION postgres_fdw;
CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '$host', port '$port', dbname 'other');
CREATE USER MAPPING FOR CURRENT_USER SERVER far;
SQL

my $rows = $node->safe_psql('postgres', <<'SQL');
CREATE FUNCTION traced() RETURNS SETOF text LANGUAGE pllua_bg AS $$
	local trace = bg.trace(function()
		local far <close> = bg.launch{server = 'far', name = 'there'}
		local other <close> = bg.launch{database = 'other'}
		far:exec('select current_database()')
		far:run('select 1/0'):try()
		other:exec('select current_database()')
		bg.on_all({'far', 'far'}, 'select 2')
		local lost = far:run('select pg_terminate_backend(pg_backend_pid())')
		lost:try()
	end)
	for _, row in ipairs(trace) do
		if row.kind == 'command' then
			coroutine.yield(string.format('%s|%s|%s|%s|%s', row.name, row.server, row.sql, row.state, row.sqlstate))
		end
	end
$$;
SELECT * FROM traced();
SQL
is($rows, <<'ROWS' =~ s/\n\z//r, 'where each command ran, and what came of it');
there|far|select current_database()|ok|nil
there|far|select 1/0|failed|22012
nil|nil|select current_database()|ok|nil
nil|far|select 2|ok|nil
nil|far|select 2|ok|nil
there|far|select pg_terminate_backend(pg_backend_pid())|failed|08006
ROWS

# A trace that is open when its backend ends does no harm.
$node->safe_psql('postgres', <<'SQL');
CREATE FUNCTION open_trace() RETURNS SETOF int LANGUAGE pllua_bg AS $$
	bg.trace(function()
		local s <close> = bg.launch()
		for row in s:rows('select generate_series(1, 1000000) i') do coroutine.yield(row.i) end
	end)
$$;
SQL
my ($status) = $node->psql('postgres', <<'SQL');
BEGIN;
DECLARE c CURSOR FOR SELECT open_trace();
FETCH 2 FROM c;
SELECT pg_terminate_backend(pg_backend_pid());
SQL
isnt($status, 0, 'the backend has ended');
is($node->safe_psql('postgres', 'SELECT 1'), 1, 'and no other one');
$node->stop;
server_log_is_clean($node);
done_testing();
