-- bg.chunks: ranges that together are all of a table.
create table "Chunk Table" (id int, t text);
insert into "Chunk Table" select i, repeat('x', 100) from generate_series(1, 5000) i;
analyze "Chunk Table";
create table chunk_empty (id int);
create table chunk_parts (id int, at date) partition by range (id);
create table chunk_part_1 partition of chunk_parts for values from (0) to (1000);
create table chunk_part_2 partition of chunk_parts for values from (1000) to (100000);
insert into chunk_parts select i, date '2024-01-01' + i from generate_series(1, 9000) i;
create table chunk_parent (id int);
create table chunk_child () inherits (chunk_parent);
insert into chunk_parent select generate_series(1, 1000);
insert into chunk_child select generate_series(1, 3000);
create materialized view chunk_matview as select generate_series(1, 3000) as id;
create view chunk_view as select id from "Chunk Table";
create table chunk_keys (small int2, normal int4, big int8, day date, stamp timestamp, zoned timestamptz, "odd %s" int, t text);
insert into chunk_keys select i, i * 100000, i * 9e16::int8, date '2000-01-01' + i, timestamp '2000-01-01' + i * interval '1 h',
    timestamptz '2000-01-01' + i * interval '7 min', i, i from generate_series(-100, 100) i;
insert into chunk_keys values (32767, 2147483647, 9223372036854775807, 'infinity', '-infinity', 'infinity', 1);
insert into chunk_keys values (-32768, -2147483648, -9223372036854775808, '-infinity', 'infinity', '4000-01-01', 1);
analyze chunk_parts, chunk_parent, chunk_keys, chunk_matview;

-- every row is in one chunk, and the chunks are of the size asked for
create function chunk_check(tab text, key text, opts text) returns text language pllua_bg as $$
    local options = opts and load('return ' .. opts)()
    local count = spi.prepare(string.format('select count(*) as n from %s where %s between $1 and $2', tab, key))
    local chunks, rows, most, last = 0, 0, 0
    for c in bg.chunks(tab, options) do
        chunks = chunks + 1
        assert(c.i == chunks and (last == nil or c.n == last))
        last = c.n
        local n = count:execute(c.lo, c.hi)[1].n
        rows, most = rows + n, math.max(most, n)
    end
    assert(chunks == (last or 0))
    return string.format('%d chunks, %d rows, at most %d', chunks, rows, most)
$$;
select chunk_check('"Chunk Table"', 'ctid', null);
select chunk_check('"Chunk Table"', 'ctid', '{rows = 500}');
select chunk_check('public."Chunk Table"', 'ctid', '{rows = 1}') = chunk_check('"Chunk Table"', 'ctid', '{rows = 2}') as one_block_at_least;
select chunk_check('chunk_empty', 'ctid', '{rows = 10}');
select chunk_check('chunk_empty', 'id', '{by = "id"}');
select chunk_check('chunk_parts', 'ctid', '{rows = 3000}');
select chunk_check('chunk_parent', 'ctid', '{rows = 1000}') ~ '4000 rows' as all;
select chunk_check('chunk_matview', 'ctid', null);
select chunk_check('"Chunk Table"', 'id', '{by = "id", size = 1000}');
select chunk_check('"Chunk Table"', 'id', '{by = "id"}');
select chunk_check('chunk_parts', 'at', '{by = "at", size = 3000}');
select chunk_check('chunk_view', 'id', '{by = "id", size = 2500}');
select key, chunk_check('chunk_keys', key, format('{by = "%s", size = 10}', key))
from unnest('{small,normal,big,day,stamp,zoned}'::text[]) key;
select chunk_check('chunk_keys', '"odd %s"', '{by = "odd %s", size = 50}');

-- rows that come afterwards are in the last range of places; few keys make few chunks
do language pllua_bg $$
    local chunk
    for c in bg.chunks('"Chunk Table"', {rows = 2500}) do
        if c.i == 1 then
            spi.execute('insert into "Chunk Table" select i from generate_series(1, 1000) i')
            spi.execute('create table chunk_few as select i % 3 as id from generate_series(1, 1000) i')
        end
        chunk = c
    end
    print(chunk.lo, chunk.hi, chunk.i == chunk.n)
    for c in bg.chunks('chunk_few', {by = 'id', size = 1}) do print(c.lo, c.hi, c.i, c.n) end
    spi.execute("create table chunk_same as select timestamp '2024-01-01' as at from generate_series(1, 10)")
    for c in bg.chunks('chunk_same', {by = 'at', size = 1}) do print(c.lo, c.hi, c.i, c.n) end
    spi.execute("create table chunk_far as select timestamp 'infinity' as at union all select null")
    for c in bg.chunks('chunk_far', {by = 'at', size = 1}) do print(c.lo, c.hi, c.i, c.n) end
$$;

-- with bg.map
do language pllua_bg $$
    local function ends(c) return c.lo, c.hi end
    local sum = 0
    local r = bg.map(bg.chunks('chunk_parts', {rows = 1000}), 'select sum(id) from chunk_parts where ctid between $1 and $2', {args = ends})
    for i = 1, r.n do sum = sum + r[i].value end
    print(r.n > 1, sum)
    sum = 0
    for r in bg.each(bg.chunks('chunk_parts', {by = 'at', size = 1000}), 'select sum(id) from chunk_parts where at between $1 and $2', {args = ends}) do
        sum = sum + r.value
    end
    print(sum)
$$;

-- misuse
do language pllua_bg $$
    local function try(...)
        local ok, err = pcall(bg.chunks, ...)
        print(ok, err.sqlstate, err.message, err.hint)
    end
    try()
    try(1)
    try('no_such_table')
    try('no such table')
    try('chunk_empty', 1)
    try('chunk_empty', {rows = 0})
    try('chunk_empty', {rows = 'x'})
    try('chunk_empty', {by = 1})
    try('chunk_empty', {size = 10})
    try('chunk_empty', {by = 'id', rows = 10})
    try('chunk_empty', {by = 'no_such'})
    try('chunk_empty', {by = 'ctid'})
    try('chunk_keys', {by = 't'})
    try('chunk_view')
    try('pg_class_oid_index')
    try('bg.sessions', {rows = 1})
$$;
-- it asks the server by EXPLAIN
create function chunk_stable(by text) returns text language pllua_bg stable as $$
    local ok, err = pcall(bg.chunks, 'chunk_keys', {by = by})
    return ok and 'chunks' or err.sqlstate .. ' ' .. err.message
$$;
select chunk_stable(null), chunk_stable('normal');
drop function chunk_stable;
begin read only;
do language pllua_bg $$
    print(bg.chunks('chunk_keys')().i, bg.chunks('chunk_keys', {by = 'normal'})().i)
$$;
commit;
create role chunk_user;
set role chunk_user;
do language pllua_bg $$
    local ok, err = pcall(bg.chunks, 'chunk_empty')
    print(err)
$$;
reset role;
drop role chunk_user;
drop function chunk_check;
drop table "Chunk Table", chunk_empty, chunk_parts, chunk_parent, chunk_child, chunk_keys, chunk_few, chunk_same, chunk_far cascade;
drop materialized view chunk_matview;
