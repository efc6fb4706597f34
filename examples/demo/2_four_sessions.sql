-- One question, four sessions: each counts and sums a quarter of pgbench_accounts

create function in_parts(parts int, out n bigint, out total bigint) language pllua_bg as $$
    local rows = spi.execute('select max(aid) from pgbench_accounts').value
    local results = bg.map(
        bg.chunks('pgbench_accounts', {by = 'aid', size = (rows + parts - 1) // parts}),
        'select count(*) as n, sum(aid + abalance) as total from pgbench_accounts where aid between $1 and $2',
        {workers = parts, snapshot = true, args = function(chunk) return chunk.lo, chunk.hi end})
    local n, total = 0, 0
    for i, result in ipairs(results) do
        print(('part %d: %d rows'):format(i, result[1].n))
        n, total = n + result[1].n, total + result[1].total
    end
    return n, total
$$;

-- Both ways without the server's own parallel query, the time taken by the clock.
set max_parallel_workers_per_gather = 0;
create temp table answers ("how" text, "rows" bigint, "sum" bigint, "milliseconds" numeric);
create procedure measure(how text, query text) language pllua_bg as $$
    local began = bg.now()
    local row = spi.execute(query)[1]
    local time = (bg.now() - began) * 1000
    spi.execute('insert into answers values ($1, $2, $3, round($4, 1))', how, row.n, row.total, time)
$$;

call measure('four sessions', 'select n, total from in_parts(4)');
call measure('the four parts in turn', $$
    select sum(n)::bigint as n, sum(total)::bigint as total
    from (select (max(aid) + 3) / 4 as size from pgbench_accounts) s, generate_series(0, 3) part,
        lateral (select count(*) as n, sum(aid + abalance) as total
                 from pgbench_accounts where aid between part * size + 1 and (part + 1) * size) p $$);
call measure('one query', 'select count(*) as n, sum(aid + abalance) as total from pgbench_accounts');
table answers;

do $$ begin
    assert (select count(distinct ("rows", "sum")) = 1 from answers), 'the results differ';
end $$;
drop procedure measure;
drop function in_parts;
drop table answers;
reset max_parallel_workers_per_gather;
