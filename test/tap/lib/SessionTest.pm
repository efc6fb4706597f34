# What several tests of whole servers do.
package SessionTest;
use strict;
use warnings;

use Exporter 'import';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(new_node session_functions new_psql ask_later wait_until $workers no_workers_left $segments segments_at_rest terminate_worker process_is_gone server_log_is_clean
  has_fault_points set_fault stdout_of);

# What a program prints, which has to be something.
sub stdout_of
{
	my (@command) = @_;
	my ($out, $err) = run_command(\@command);
	die "@command: $err" if $out eq '';
	return $out;
}

# A server that runs, with what is given for its configuration and to init.
sub new_node
{
	my ($name, $configuration, %options) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	$node->init(%options);
	$node->append_conf('postgresql.conf', "fsync = off\n" . ($configuration // ''));
	$node->start;
	return $node;
}

# Makes functions that work with sessions by their pid. Errors are text: SQLSTATE and what tells the cause. `$options` is what
# session_open() gives to bg.launch, a table of Lua that may use its argument, `option`.
sub session_functions
{
	my ($node, $options) = @_;
	$options //= '{}';
	$node->safe_psql('postgres', <<"SQL");
CREATE FUNCTION session_open(option text DEFAULT NULL) RETURNS int LANGUAGE pllua_bg AS \$\$
	return bg.launch($options).pid
\$\$;
CREATE FUNCTION session_send(pid int, query text) RETURNS void LANGUAGE pllua_bg AS \$\$
	bg.run(pid, query)
\$\$;
CREATE FUNCTION session_take(pid int) RETURNS text LANGUAGE pllua_bg AS \$\$
	local ok, result = pcall(bg.result, pid)
	if ok then return result and result.tag or 'nothing' end
	return result.sqlstate .. ': ' .. (result.detail or result.message)
\$\$;
CREATE FUNCTION session_exec(pid int, query text) RETURNS text LANGUAGE pllua_bg AS \$\$
	local ok, result = pcall(function() return bg.session(pid):exec(query) end)
	if ok then return tostring(result.value or result.tag) end
	return result.sqlstate .. ': ' .. (result.detail or result.message)
\$\$;
SQL
	return;
}

# A psql that stays; each query has the whole time of a test. Options: database, and more arguments of psql.
sub new_psql
{
	my ($node, $database, @options) = @_;
	my $psql = $node->background_psql($database // 'postgres', on_error_stop => 0, extra_params => \@options);
	$psql->set_query_timer_restart;
	return $psql;
}

# Starts a statement that does not end soon.
sub ask_later
{
	my ($psql, $query) = @_;
	$psql->{stdin} .= "$query;\n";
	$psql->{run}->pump_nb while length $psql->{stdin};
	return;
}

# Looks every few milliseconds until the condition holds; false when it never does.
sub wait_until
{
	my ($condition) = @_;
	my $end = time + $PostgreSQL::Test::Utils::timeout_default;
	until ($condition->())
	{
		return 0 if time > $end;
		select undef, undef, undef, 0.005;
	}
	return 1;
}

# A psql that cannot connect, as while the server restarts, may be gone before it is given the query, of which IPC::Run dies: it is asked again.
{
	my $poll = \&PostgreSQL::Test::Cluster::poll_query_until;
	no warnings 'redefine';
	*PostgreSQL::Test::Cluster::poll_query_until = sub {
		my $end = time + $PostgreSQL::Test::Utils::timeout_default;
		while (1)
		{
			my $found = eval { $poll->(@_) };
			return $found if $@ eq '';
			die $@ if $@ !~ /Broken pipe/ || time > $end;
		}
	};
}

# How many workers there are.
our $workers = q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'pllua_bg session'};

# A test: all workers end.
sub no_workers_left
{
	my ($node, $name) = @_;
	return ok($node->poll_query_until('postgres', "SELECT ($workers) = 0"), "$name: no worker is left");
}

# How many segments there are of dynamic shared memory, where dynamic_shared_memory_type is mmap.
our $segments = q{SELECT count(*) FROM pg_ls_dir('pg_dynshmem')};

# How many stay for good, with what the first session makes and the first LISTEN.
sub segments_at_rest
{
	my ($node) = @_;
	$node->safe_psql('postgres', q{LISTEN news; DO LANGUAGE pllua_bg $$ local s <close> = bg.launch() s:exec('select 1') $$});
	$node->poll_query_until('postgres', "SELECT ($workers) = 0") or die 'a worker is left';
	return $node->safe_psql('postgres', $segments);
}

# Terminates a worker. One that has not started yet the server does not know.
sub terminate_worker
{
	my ($node, $pid) = @_;
	$node->poll_query_until('postgres', "SELECT pg_terminate_backend($pid)") or die 'it does not start';
	return;
}

# A test: a process ends.
sub process_is_gone
{
	my ($pid, $name) = @_;
	return ok(wait_until(sub { !kill 0, $pid }), "$name: the process is gone");
}

# A test: no process has crashed and nothing was left open. With killed => 1 processes may have ended by a signal.
sub server_log_is_clean
{
	my ($node, %but) = @_;
	my $bad = $but{killed} ? qr/TRAP|PANIC|leak/ : qr/TRAP|PANIC|terminated by signal|leak/;
	return unlike(slurp_file($node->logfile), $bad, $node->name . ': the server log is clean');
}

# True when the module was built with FAULTS=1.
sub has_fault_points
{
	my ($node) = @_;
	return $node->safe_psql('postgres', q{LOAD 'pllua_bg'; SELECT count(*) FROM pg_settings WHERE name = 'pllua_bg.fault'}) eq '1';
}

# Where the server's processes go wrong from now on, those that are there too; '' is nowhere.
sub set_fault
{
	my ($node, $fault) = @_;
	$node->safe_psql('postgres', "LOAD 'pllua_bg'; ALTER SYSTEM SET pllua_bg.fault = '$fault'");
	$node->safe_psql('postgres', 'SELECT pg_reload_conf()');
	$node->poll_query_until('postgres', "LOAD 'pllua_bg'; SELECT current_setting('pllua_bg.fault') = '$fault'", "LOAD\nt")
	  or die 'the fault point was not set';
	return;
}

1;
