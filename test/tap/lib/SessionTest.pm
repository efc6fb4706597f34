# What several tests of whole servers do.
package SessionTest;
use strict;
use warnings;

use Exporter 'import';
use PostgreSQL::Test::Utils;

our @EXPORT = qw(new_psql ask_later wait_until has_fault_points set_fault);

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
