# Where sending gives up: there is no room for what the queue does not take, or nobody is left to read what was left for the worker. What was
# taken is done, in order, what was not is told, and nothing stays behind.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

my $node = new_node('given_up', "max_worker_processes = 8\ndynamic_shared_memory_type = mmap\n");
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION pllua_bg;
CREATE TABLE mark (n int, size int);
-- Sends commands of 50 kB until one is refused, lets room be for three more, which are refused or taken. What was taken, and the last refusal.
CREATE FUNCTION send_until_refused(pid int) RETURNS text LANGUAGE pllua_bg AS $$
	local s, text, taken, refusal = bg.session(pid), string.rep('x', 50000), 0, 'none'
	local function send(n) return s:run('insert into mark values ($1, length($2::text))', n, text) end
	local n = 0
	repeat
		n = n + 1
		local ok, e = pcall(send, n)
		if not ok then refusal = e.sqlstate else taken = n end
	until not ok or n == 1000
	spi.execute('reset temp_file_limit')
	for _ = 1, 3 do
		n = n + 1
		if pcall(send, n) then taken = n end
	end
	return taken .. ' ' .. refusal
$$;
SQL
plan skip_all => 'built without fault points' unless has_fault_points($node);
session_functions($node, q({queue_size = '4kB'}));
my $watcher = new_psql($node);
my $at_rest = segments_at_rest($node);

# The temporary file of what waits for the worker is full.
set_fault($node, 'worker-start=wait');
my $launcher = new_psql($node);
my $pid = $launcher->query_safe('SELECT session_open()');
$launcher->query_safe(q{SET work_mem = '64kB'; SET temp_file_limit = '1MB'});
my ($taken, $refusal) = split / /, $launcher->query_safe("SELECT send_until_refused($pid)");
is($refusal, '53400', 'temp_file_limit: a command is refused');
set_fault($node, '');
ok(wait_until(sub { $launcher->query_safe("SELECT session_exec($pid, 'select count(*) from mark')") >= 20 }), 'those before it are done');
is($node->safe_psql('postgres', "SELECT max(n), count(*) FILTER (WHERE size <> 50000) FROM mark"), "$taken|0", 'and those after it, all of each');
$launcher->quit;
no_workers_left($node, 'temp_file_limit');
is($watcher->query_safe('SELECT count(*) FROM pg_ls_tmpdir()'), '0', 'temp_file_limit: no temporary file is left');
ok(wait_until(sub { $watcher->query_safe($segments) <= $at_rest }), 'temp_file_limit: no segment is left');

# What was left for the worker is not read, because it ends first.
$node->safe_psql('postgres', 'TRUNCATE mark');
set_fault($node, 'worker-start=wait');
$launcher = new_psql($node);
$pid = $launcher->query_safe('SELECT session_open()');
ok(wait_until(sub { $watcher->query_safe($segments) > $at_rest }), 'there is a segment');
my $text = 'x' x 100000;
$launcher->query_safe("SELECT session_send($pid, 'insert into mark values ($_, length(''$text''))')") for 1 .. 5;
$launcher->quit;
ok(wait_until(sub { $watcher->query_safe($segments) >= $at_rest + 2 }), 'the launcher has left another one');
kill 'TERM', $pid;
process_is_gone($pid, 'the worker ends');
set_fault($node, '');
no_workers_left($node, 'nobody reads');
ok(wait_until(sub { $watcher->query_safe($segments) <= $at_rest }), 'nobody reads: no segment is left')
  or diag($watcher->query_safe($segments) . " instead of $at_rest");
is($node->safe_psql('postgres', 'SELECT count(*) FROM mark'), '0', 'nobody reads: nothing was done');
is($node->safe_psql('postgres', q{SELECT session_exec(session_open(), 'select 42')}), '42', 'sessions work');
no_workers_left($node, 'at the end');
$watcher->quit;
server_log_is_clean($node);
$node->stop;
done_testing();
