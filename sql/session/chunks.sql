-- bg.chunks: ranges that together are all of a table.
create table "Chunk Table" (id int, t text);
create table chunk_key (a text, b int not null, c numeric not null unique, d int unique, primary key (b, a));
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
insert into chunk_key select i % 40, i / 40, i * 1.5, i from generate_series(1, 1000) i;
create table chunk_unique (a int unique, b int not null, c text collate "C" not null);
create unique index on chunk_unique (b) where b > 0;
create unique index on chunk_unique (abs(b));
create unique index on chunk_unique (c) include (a);
insert into chunk_unique select nullif(i, 5), i, 'k' || i from generate_series(1, 20) i;
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
-- by the primary key, whose first column has 40 rows a value; by a unique key without NULLs, whole and on columns only
select chunk_check('chunk_key', 'b', null);
select chunk_check('chunk_key', 'b', '{rows = 100}');
select chunk_check('chunk_unique', 'c', '{rows = 5}');
-- by a column: whatever can be ordered, NULLs in no range, each value in one range
select chunk_check('chunk_key', 'a', '{by = "a", rows = 1}');
select chunk_check('chunk_key', 'c', '{by = "c", rows = 300}');
select chunk_check('chunk_unique', 'a', '{by = "a", rows = 6}');
select chunk_check('"Chunk Table"', 'id', '{by = "id"}');
select chunk_check('"Chunk Table"', 't', '{by = "t", rows = 10}');
select chunk_check('chunk_empty', 'id', '{by = "id"}');
select chunk_check('chunk_parts', 'at', '{by = "at", rows = 3000}');
select chunk_check('chunk_view', 'id', '{by = "id", rows = 2500}');
select key, chunk_check('chunk_keys', key, format('{by = "%s", rows = 50}', key))
from unnest('{small,normal,big,day,stamp,zoned,t}'::text[]) key;
-- by ranges of the same width
select chunk_check('chunk_empty', 'id', '{by = "id", size = 10}');
select chunk_check('"Chunk Table"', 'id', '{by = "id", size = 1000}');
-- by place
select chunk_check('"Chunk Table"', 'ctid', '{by = "ctid"}');
select chunk_check('"Chunk Table"', 'ctid', '{by = "ctid", rows = 500}');
select chunk_check('public."Chunk Table"', 'ctid', '{by = "ctid", rows = 1}') = chunk_check('"Chunk Table"', 'ctid', '{by = "ctid", rows = 2}') as one_block_at_least;
select chunk_check('chunk_empty', 'ctid', '{by = "ctid", rows = 10}');
select chunk_check('chunk_parts', 'ctid', '{by = "ctid", rows = 3000}');
select chunk_check('chunk_parent', 'ctid', '{by = "ctid", rows = 1000}') ~ '4000 rows' as all;
select chunk_check('chunk_matview', 'ctid', '{by = "ctid"}');
select chunk_check('chunk_parts', 'at', '{by = "at", size = 3000}');
select chunk_check('chunk_view', 'id', '{by = "id", size = 2500}');
select key, chunk_check('chunk_keys', key, format('{by = "%s", size = 10}', key))
from unnest('{small,normal,big,day,stamp,zoned}'::text[]) key;
select chunk_check('chunk_keys', '"odd %s"', '{by = "odd %s", size = 50}');

-- no range grows after it was made; few keys make few chunks
do language pllua_bg $$
    for _, options in ipairs{{by = 'ctid', rows = 2500}, {by = 'id', rows = 2500}, {by = 'id', size = 2500}} do
        local chunk
        for c in bg.chunks('"Chunk Table"', options) do
            if c.i == 1 then spi.execute('insert into "Chunk Table" select 5000 + i from generate_series(1, 1000) i') end
            chunk = c
        end
        print(chunk.lo, chunk.hi, chunk.i == chunk.n)
    end
    spi.execute('create table chunk_few as select i % 3 as id from generate_series(1, 1000) i')
    for c in bg.chunks('chunk_few', {by = 'id', rows = 1}) do print(c.lo, c.hi, c.i, c.n) end
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
    local r = bg.map(bg.chunks('chunk_parts', {by = 'ctid', rows = 1000}), 'select sum(id) from chunk_parts where ctid between $1 and $2', {args = ends})
    for i = 1, r.n do sum = sum + r[i].value end
    print(r.n > 1, sum)
    sum = 0
    for r in bg.each(bg.chunks('chunk_parts', {by = 'at', size = 1000}), 'select sum(id) from chunk_parts where at between $1 and $2', {args = ends}) do
        sum = sum + r.value
    end
    print(sum)
$$;

-- work that writes the table it goes through: each row once, those that come meanwhile not at all
create table chunk_account (id int primary key, n int not null default 0, pad text);
insert into chunk_account select i, 0, repeat('x', 100) from generate_series(1, 20000) i where i % 7 <> 0;
vacuum analyze chunk_account;
do language pllua_bg $$
    local work = 'update chunk_account set n = n + 1 where id between $1 and $2'
    bg.map(bg.chunks('chunk_account', {rows = 1000}), work, {args = function(c) return c.lo, c.hi end})
$$;
select n, count(*) from chunk_account group by n;
do language pllua_bg $$
    local work = 'insert into chunk_account select id + 100000, 1, pad from chunk_account where id between $1 and $2'
    bg.map(bg.chunks('chunk_account', {rows = 700}), work, {args = function(c) return c.lo, c.hi end, workers = 3})
$$;
select n, count(*), count(distinct id) from chunk_account group by n;
drop table chunk_account;

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
    try('chunk_empty', {by = 'no_such'})
    try('chunk_empty')
    try('chunk_empty', {by = 'ctid', size = 10})
    try('chunk_empty', {by = 'id', rows = 10, size = 10})
    try('chunk_keys', {by = 't', size = 10})
    try('chunk_view')
    try('chunk_view', {by = 'ctid'})
    spi.execute('create table chunk_json (j json)')
    try('chunk_json', {by = 'j'})
    try('pg_class_oid_index')
    try('bg.sessions', {rows = 1})
$$;
-- ranges by place or of the same width need what the server expects, by EXPLAIN
create function chunk_stable(by text, size int) returns text language pllua_bg stable as $$
    local ok, err = pcall(bg.chunks, 'chunk_keys', {by = by, size = size})
    return ok and 'chunks' or err.sqlstate .. ' ' .. err.message
$$;
select chunk_stable('normal', null), chunk_stable('normal', 10), chunk_stable('ctid', null);
drop function chunk_stable;
begin read only;
do language pllua_bg $$
    print(bg.chunks('chunk_key')().i, bg.chunks('chunk_keys', {by = 'normal', size = 9})().i, bg.chunks('chunk_keys', {by = 'ctid'})().i)
$$;
commit;
create role chunk_user;
set role chunk_user;
do language pllua_bg $$
    for _, options in ipairs{{by = 'ctid'}, {by = 'id'}, {by = 'id', size = 5}} do
        print(select(2, pcall(bg.chunks, 'chunk_empty', options)))
    end
$$;
reset role;
drop role chunk_user;
drop function chunk_check;
drop table "Chunk Table", chunk_key, chunk_unique, chunk_json, chunk_empty, chunk_parts, chunk_parent, chunk_child, chunk_keys, chunk_few, chunk_same, chunk_far cascade;
drop materialized view chunk_matview;
-- a key of one column is walked along its index: the same ranges as by the column, which need not be unique
do language pllua_bg $$
    local function ranges(name, options)
        local list = {}
        for range in bg.chunks(name, options) do
            list[#list + 1] = string.format('%s..%s %d/%d', range.lo, range.hi, range.i, range.n)
        end
        return table.concat(list, ', ')
    end
    local made = 0
    for _, kind in ipairs{
        {'int', 'i'}, {'bigint', 'i * i * i - 1000'}, {'smallint', '-i'}, {'date', "date '2000-02-28' + i"},
        {'timestamptz', "timestamptz '2000-01-01' + i * i * interval '1 hour'"}, {'timestamp', "case i when 7 then 'infinity' else timestamp '2000-01-01' + i * interval '1 us' end"},
    } do
        for _, n in ipairs{0, 1, 2, 9, 10, 100} do
            spi.execute(string.format('create temp table walked (lo int, "next" %s, n int)', kind[1]))
            spi.execute(string.format('insert into walked select 1, %s, 2 from generate_series(1, %d) i', kind[2], n))
            spi.execute('delete from walked where ctid in (select ctid from walked limit 1 offset 5)')
            spi.execute('alter table walked add primary key ("next")')
            for _, rows in ipairs{1, 2, 3, 10, 99, 1000} do
                local walked, sorted = ranges('walked', {rows = rows}), ranges('walked', {rows = rows, by = 'next'})
                if walked ~= sorted then print(kind[1], n, rows, walked, sorted) end
                made = made + 1
            end
            if n == 9 then print(kind[1], ranges('walked', {rows = 4})) end
            spi.execute('drop table walked')
        end
    end
    print(made)
    -- not of a table with others below it, nor of a key of several columns
    spi.execute('create temp table parent (id int primary key)')
    spi.execute('create temp table child () inherits (parent)')
    spi.execute('insert into parent values (1), (2), (3)')
    spi.execute('insert into child values (1), (1), (2)')
    print(ranges('parent', {rows = 2}))
    spi.execute('create temp table pairs (a int, b int, primary key (a, b))')
    spi.execute('insert into pairs select i / 4, i from generate_series(0, 11) i')
    print(ranges('pairs', {rows = 2}))
$$;
