-- A new column filled in chunks
-- One UPDATE of a whole table holds the locks of all its rows until it commits, and when it fails all is to be done again.
-- bg.chunks divides the table by its key; each chunk is a transaction of its own, two are worked on at a time, and INFO lines tell how far it is.

alter table pgbench_accounts add column label text;

do language pllua_bg $$
    local work = [[update pgbench_accounts set label = format('account %s of branch %s', aid, bid)
        where aid between $1 and $2 and label is null]]
    bg.map(bg.chunks('pgbench_accounts', {rows = 20000}), work,
        {workers = 2, progress = true, name = 'backfill', args = function(chunk) return chunk.lo, chunk.hi end})
$$;

select count(*) as "rows", count(label) as "with a label", min(label) as "one of them" from pgbench_accounts;

do $$ begin assert (select count(*) = count(label) from pgbench_accounts), 'a chunk was not done'; end $$;
alter table pgbench_accounts drop column label;
