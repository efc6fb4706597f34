-- Four indexes, built at the same time
-- One CREATE INDEX after the other leaves processors idle, for most kinds of index use a single one.
-- bg.map gives each statement to a session of its own; what they did is committed there, each by itself.

do language pllua_bg $$
    local indexes = {'on pgbench_accounts (bid, aid)', 'on pgbench_accounts ((md5(aid::text)))',
        'on pgbench_accounts using hash (aid)', 'on pgbench_accounts using gin ((array[bid, aid % 1000]))'}

    local began = bg.now()
    for _, index in ipairs(indexes) do spi.execute('create index ' .. index) end
    spi.rollback()
    local in_turn = bg.now() - began

    began = bg.now()
    bg.map(indexes, function(session, index) session:exec('create index ' .. index) end, {progress = true, name = 'indexes'})
    print(('in turn %.1f s, at the same time %.1f s'):format(in_turn, bg.now() - began))
$$;

select pg_get_indexdef(indexrelid) as "the indexes of pgbench_accounts" from pg_index
where indrelid = 'pgbench_accounts'::regclass and not indisprimary order by 1;

do $$
declare name text;
begin
    assert (select count(*) = 5 from pg_index where indrelid = 'pgbench_accounts'::regclass), 'an index is missing';
    for name in select indexrelid::regclass from pg_index where indrelid = 'pgbench_accounts'::regclass and not indisprimary loop
        execute 'drop index ' || name;
    end loop;
end $$;
