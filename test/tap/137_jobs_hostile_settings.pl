# The owner of a database, who is no superuser, can set much for all who connect to it. None of that makes the scheduler of jobs, which is a
# superuser, run his code, run as somebody else, or stop.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

my $node = new_node('settings', "shared_preload_libraries = 'pllua_bg'\nmax_worker_processes = 10\n");
$node->safe_psql('postgres', 'CREATE ROLE owner LOGIN; CREATE DATABASE his OWNER owner');
$node->safe_psql('his', <<'SQL');
CREATE EXTENSION pllua_bg;
CREATE EXTENSION pllua_bg_jobs;
GRANT USAGE ON SCHEMA bg TO owner;
CREATE TABLE seen (who text, what text);
GRANT ALL ON seen TO public;
SQL
my %settings = (
	role => 'owner', session_authorization => 'owner', search_path => 'evil, public', default_transaction_read_only => 'on',
	default_transaction_isolation => 'serializable', lock_timeout => '1ms', idle_in_transaction_session_timeout => '1ms', datestyle => 'SQL, DMY',
	timezone => 'Asia/Kolkata', intervalstyle => 'iso_8601', extra_float_digits => '-15', bytea_output => 'escape', enable_indexscan => 'off',
	row_security => 'off', transform_null_equals => 'on', standard_conforming_strings => 'off', backslash_quote => 'off', check_function_bodies => 'off',
	'pllua_bg.strict' => 'on', 'pllua_bg.start_proc' => 'evil.take', 'pllua_bg.on_init' => q{spi.execute('select evil.take()')},
	'pllua_bg.modules' => 'evil.take', default_text_search_config => 'simple', max_parallel_workers_per_gather => '8', plan_cache_mode => 'force_custom_plan',);
$node->safe_psql('his', <<'SQL', extra_params => [ '-U', 'owner' ]);
CREATE SCHEMA evil;
GRANT USAGE ON SCHEMA evil TO public;
CREATE FUNCTION evil.take() RETURNS void LANGUAGE sql AS $$ INSERT INTO public.seen VALUES (current_user, 'taken') $$;
CREATE FUNCTION evil.to_timestamp(float8) RETURNS timestamptz LANGUAGE sql AS $$ INSERT INTO public.seen VALUES (current_user, 'taken'); SELECT now() $$;
CREATE FUNCTION evil.unequal(int8, int8) RETURNS bool LANGUAGE sql AS $$ INSERT INTO public.seen VALUES (current_user, 'taken'); SELECT $1 <> $2 $$;
CREATE OPERATOR evil.= (leftarg = int8, rightarg = int8, function = evil.unequal);
SQL
delete $settings{standard_conforming_strings} if $node->safe_psql('postgres', 'SHOW server_version_num') >= 190000;    # where they always are
my $all = join ' ', map { "ALTER DATABASE his SET $_ = " . ($_ eq 'search_path' ? $settings{$_} : "\$s\$$settings{$_}\$s\$") . ';' } sort keys %settings;
my ($status, $out, $errors) = $node->psql('his', $all =~ s/;/;\n/gr, on_error_stop => 0, extra_params => [ '-U', 'owner' ]);
is(join("\n", $errors =~ /ERROR:\s+(.*)/g), join("\n", map { qq{permission denied to set parameter "pllua_bg.$_"} } qw(modules on_init start_proc)),
	'all but the three that run code he may set');
my $submit = q{SET default_transaction_read_only = off; SELECT bg.submit('insert into public.seen values (current_user, $1)', '["job"]')};
$node->safe_psql('his', $submit, extra_params => [ '-U', 'owner' ]);
ok($node->poll_query_until('his', q{SELECT count(*) = 1 FROM public.seen}), 'the job is run');
is($node->safe_psql('his', q{SELECT who, what FROM public.seen}), 'owner|job', 'as its owner, and nothing else was run');
is($node->safe_psql('his', q{SELECT state FROM bg.jobs}), 'done', 'it is in the history');
$node->safe_psql('his', q{SET default_transaction_read_only = off; SELECT bg.submit('select 1/0', null, '{"attempts": 1}')}, extra_params => [ '-U', 'owner' ]);
ok($node->poll_query_until('his', q{SELECT error->>'sqlstate' = '22012' FROM bg.jobs WHERE state = 'failed'}), 'what fails is written down');
server_log_is_clean($node);
$node->stop;
done_testing();
