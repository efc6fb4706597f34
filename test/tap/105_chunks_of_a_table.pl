# bg.chunks over random tables, with work that writes to them and others who do so at the same time: each row that was there when
# the ranges were made is visited exactly once; who is in a deadlock with the others tries again. CHUNKS_SEED repeats a run.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Utils;
use SessionTest;
use Test::More;

my $seed = $ENV{CHUNKS_SEED} // int(rand(2**31));
srand($seed);
diag("CHUNKS_SEED=$seed") if $ENV{CHUNKS_SEED};

my $node = new_node('chunks_of_a_table', "max_worker_processes = 12\nautovacuum_naptime = 1s\n");
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION pllua_bg;
CREATE TABLE visit (id int);
CREATE FUNCTION go_through(options text, key text, work text) RETURNS int LANGUAGE pllua_bg AS $$
	local ranges = 0
	local function of_range(c)
		ranges = c.n
		return c.lo, c.hi
	end
	bg.map(bg.chunks('thing', load('return ' .. options)()), work:gsub('@', key), {args = of_range, workers = 3, retry = 9})
	return ranges
$$;
-- What others write meanwhile: rows that were there stay there, with their keys, in other places; new ones come, into the ranges and beyond.
CREATE PROCEDURE disturb(key_of text, base int, rounds int) LANGUAGE plpgsql AS $$
BEGIN
	FOR r IN 1..rounds LOOP
		UPDATE thing SET pad = pad || 'y' WHERE id % 11 = r % 11;
		COMMIT;
		EXECUTE format('INSERT INTO thing (id, k, pad) SELECT i, %s, ''new'' FROM generate_series($1, $1 + 40) i', key_of) USING base + 100 * r;
		COMMIT;
	END LOOP;
END $$;
SQL

# The type of the key, and how it is made of a number.
my %keys = (
	integer => 'i * 3 - 5000',
	bigint => 'i * 1000000007::bigint',
	text => q{'k' || i},
	numeric => 'i / 7.0',
	uuid => 'md5(i::text)::uuid',
	'timestamptz' => q{'2000-01-01'::timestamptz + i * interval '1 minute'},
	'double precision' => 'sqrt(i)');

# Of each, what it does to the rows it goes through, beside noting the visit.
my @works = (
	q{WITH v AS (INSERT INTO visit SELECT id FROM thing WHERE @ BETWEEN $1 AND $2) UPDATE thing SET pad = pad || 'x' WHERE @ BETWEEN $1 AND $2},
	q{WITH v AS (DELETE FROM thing WHERE @ BETWEEN $1 AND $2 RETURNING id) INSERT INTO visit SELECT id FROM v});

for my $type (sort keys %keys)
{
	my $made = $keys{$type};
	my $unique = int(rand(3)) > 0;
	my $index = $unique ? (rand() < 0.5 ? 'PRIMARY KEY' : 'UNIQUE NOT NULL') : 'NOT NULL';
	my $rows = 2000 + int(rand(4000));
	my $holes = 2 + int(rand(9));
	my $source = $unique ? 'i' : "(i / 3)";
	(my $key_of = $made) =~ s/\bi\b/$source/g;
	my $each = 50 + int(rand(400));
	my $options = $unique && rand() < 0.5 ? "{rows = $each}" : "{by = 'k', rows = $each}";
	my $work = $works[ int(rand(@works)) ];
	$node->safe_psql('postgres', <<"SQL");
DROP TABLE IF EXISTS thing, was;
TRUNCATE visit;
CREATE TABLE thing (id int NOT NULL, k $type $index, pad text);
INSERT INTO thing SELECT i, $key_of, repeat('p', i % 90) FROM generate_series(1, $rows) i ORDER BY hashint4(i);
DELETE FROM thing WHERE id % $holes = 0 OR id BETWEEN $rows / 3 AND $rows / 3 + 200;
CREATE TABLE was AS SELECT id FROM thing;
SQL
	my $other = new_psql($node);
	ask_later($other, "CALL disturb(\$\$$key_of\$\$, 1000000, 40); SELECT 'disturbed'");
	my $ranges = $node->safe_psql('postgres', "SELECT go_through(\$\$$options\$\$, 'k', \$\$$work\$\$)");
	like($other->query('SELECT 1'), qr/disturbed/, "$type: others have written meanwhile");
	$other->quit;
	my $what = "$type $index, " . ($unique ? '' : 'three rows a key, ') . "$options, " . ($work =~ /DELETE/ ? 'deleting' : 'updating') . ", seed $seed";
	cmp_ok($ranges, '>', 3, "several ranges: $what");
	is($node->safe_psql('postgres', <<'SQL'), '0|0', "each row that was there is visited exactly once: $what");
SELECT (SELECT count(*) FROM was WHERE NOT EXISTS (SELECT FROM visit v WHERE v.id = was.id)),
	(SELECT count(*) FROM (SELECT id FROM visit GROUP BY id HAVING count(*) > 1) twice)
SQL
}
$node->stop;
done_testing();
