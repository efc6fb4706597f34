# Autovacuum evaluates an index expression as the owner of the table; what the expression leaves to close runs at the end of its
# transaction, when autovacuum is a superuser again. It has no database then.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

my $node = new_node('autovacuum', "autovacuum_naptime = 1s\nautovacuum_analyze_threshold = 5\nlog_min_messages = info\n");
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION pllua_bg;
CREATE ROLE low;
CREATE SCHEMA low AUTHORIZATION low;
SET ROLE low;
CREATE FUNCTION low.evil() RETURNS SETOF int LANGUAGE pllua_bg AS $$
  local guard <close> = setmetatable({}, {__close = function()
    local ok, result = pcall(spi.execute, 'alter role low superuser')
    print('closed by autovacuum: ' .. (ok and 'altered' or result.message))
  end})
  coroutine.yield(1) coroutine.yield(2)
$$;
CREATE FUNCTION low.trap(a int) RETURNS int IMMUTABLE LANGUAGE pllua_bg AS $$
  spi.prepare('select low.evil()'):getcursor():fetch(1)
  return a
$$;
CREATE TABLE low.bait (a int);
CREATE INDEX ON low.bait (low.trap(a));
INSERT INTO low.bait SELECT generate_series(1, 100);
SQL
ok($node->poll_query_until('postgres', "SELECT autoanalyze_count > 0 FROM pg_stat_all_tables WHERE relid = 'low.bait'::regclass"),
	'autovacuum has analyzed the table');
like(slurp_file($node->logfile), qr/closed by autovacuum: the database cannot be used/, 'the close handler ran without the database');
is($node->safe_psql('postgres', "SELECT rolsuper FROM pg_roles WHERE rolname = 'low'"), 'f', 'the role is an ordinary one');
$node->stop;
done_testing();
