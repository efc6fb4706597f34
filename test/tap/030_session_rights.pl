# Who may open a session, and as whom it runs: as the effective user from its start, with no way back up.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

my $node = new_node('rights');
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION pllua_bg;
CREATE ROLE plain LOGIN;
CREATE ROLE granted LOGIN;
CREATE ROLE nologin;
GRANT USAGE ON SCHEMA bg TO granted, nologin;
GRANT CREATE ON SCHEMA public TO granted, nologin, plain;
GRANT nologin TO granted;
SQL

# Runs one query as a role; its output, or the error.
sub as
{
	my ($role, $query) = @_;
	my ($code, $out, $err) = $node->psql('postgres', $query, extra_params => [ '-U', $role ], on_error_stop => 1);
	return $code == 0 ? $out : $err;
}

my $identity = q{select current_user || ' ' || session_user || ' ' || current_setting('is_superuser')};

like(as('plain', 'DO LANGUAGE pllua_bg $$ bg.launch() $$'), qr/permission denied for background sessions.*HINT:  GRANT USAGE ON SCHEMA bg TO plain/s, 'without USAGE on schema bg: refused');
like(as('plain', 'DO LANGUAGE pllua_bg $$ local x = 1 + 1 $$'), qr/^$/, 'the language itself is open to all');
is( as('granted', "DO LANGUAGE pllua_bg \$\$ local s <close> = bg.launch() assert(s:exec([[$identity]]).value == 'granted granted off') \$\$"),
	'', 'with USAGE: a session as oneself');

# A definer function of a low-privileged role, called by a superuser: the worker never reports the superuser.
as('granted', <<'SQL');
CREATE PROCEDURE commit_and_roll_back() LANGUAGE plpgsql AS $$ BEGIN COMMIT; ROLLBACK; END $$;
CREATE FUNCTION climb() RETURNS SETOF text LANGUAGE pllua_bg SECURITY DEFINER AS $$
	local who = [[select current_user || ' ' || session_user || ' ' || current_setting('is_superuser')]]
	local s <close> = bg.launch()
	coroutine.yield(s:exec(who).value)
	for _, attempt in ipairs{'call commit_and_roll_back()', 'begin; rollback', 'reset role', 'set session authorization default',
		'reset session authorization', 'discard all', 'set role none', 'set role postgres', 'set session authorization postgres'} do
		local ok, err = pcall(s.exec, s, attempt)
		coroutine.yield(attempt .. ': ' .. s:exec(who).value .. (ok and '' or ' ' .. err.sqlstate))
	end
$$;
SQL
my $climbs = $node->safe_psql('postgres', 'SELECT climb()');
my @lines = split /\n/, $climbs;
is(scalar @lines, 10, 'every attempt was made');
unlike($_, qr/ on\b|postgres postgres/, "no way up: $_") foreach @lines;
is(scalar(grep { /granted granted off/ } @lines), 10, 'the definer all the time');

# A role that may not log in cannot own a worker before PostgreSQL 17: the error says so.
as('granted', 'SET ROLE nologin; CREATE FUNCTION as_nologin() RETURNS text LANGUAGE pllua_bg SECURITY DEFINER AS '
	  . q{$$ local s <close> = bg.launch() return s:exec('select current_user::text').value $$});
if ($node->pg_version < 17)
{
	my $refusal = qr/role "nologin" is not permitted to log in\nDETAIL:.*before PostgreSQL 17.*\nHINT:  Grant the role LOGIN, or/;
	like(as('granted', 'SELECT as_nologin()'), $refusal, 'NOLOGIN role: refused with the reason');
	like(as('granted', 'SET ROLE nologin; SELECT bg.launch()'), $refusal, 'and by the SQL function');
}
else
{
	is(as('granted', 'SELECT as_nologin()'), 'nologin', 'NOLOGIN role: works from 17 on');
	is(as('granted', "SET ROLE nologin; SELECT bg.launch() AS pid \\gset\n"
			  . "SELECT bg.run(:pid, 'select current_user::text') AS command \\gset\nSELECT * FROM bg.result(:pid) AS (who text)"),
		'nologin', 'and by the SQL function');
}

# CONNECT on the database is required.
$node->safe_psql('postgres', 'CREATE DATABASE closed');
$node->safe_psql('closed', 'CREATE EXTENSION pllua_bg; GRANT USAGE ON SCHEMA bg TO granted; REVOKE CONNECT ON DATABASE closed FROM PUBLIC');
my ($code, $out, $err) = $node->psql('closed',
	q{SET ROLE granted; DO LANGUAGE pllua_bg $$ local s <close> = bg.launch() s:exec('select 1') $$});
like($err, qr/permission denied for database "closed"/, 'CONNECT revoked: the cause is told');

# Inside a security-restricted operation nothing may be launched.
($code, $out, $err) = $node->psql('postgres', <<'SQL');
CREATE FUNCTION launches() RETURNS int LANGUAGE pllua_bg AS $$ return bg.launch().pid $$;
CREATE MATERIALIZED VIEW restricted AS SELECT launches();
SQL
like($err, qr/security-restricted operation/, 'refused inside a security-restricted operation');

# A handle does not work for a role that is not a member of the session's user.
($code, $out, $err) = $node->psql('postgres', <<'SQL');
CREATE FUNCTION mine() RETURNS int LANGUAGE pllua_bg AS $$ return bg.launch().pid $$;
CREATE FUNCTION theirs(pid int) RETURNS text LANGUAGE pllua_bg AS $$ return bg.session(pid):exec('select current_user::text').value $$;
SELECT mine() AS pid \gset
SET ROLE granted;
SELECT theirs(:pid);
SQL
like($err, qr/ERROR/, 'a session of another user cannot be used');
unlike($out, qr/postgres/, 'and gives nothing away');

server_log_is_clean($node);
$node->stop;
done_testing();
