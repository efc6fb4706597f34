-- VACUUM of many tables, from a DO block
-- No function can run VACUUM itself, for it must not be inside a transaction: a session can.
-- Four sessions take table after table; first spi.commit() lets go of what would hold the cleaning back.

do $$ begin
    for i in 1..12 loop
        execute format('create table shop_%s as select i as id, repeat(''x'', 200) as note from generate_series(1, 20000) i', i);
        execute format('delete from shop_%s where id %% 2 = 0', i);
    end loop;
end $$;

do language pllua_bg $$
    local tables = spi.execute([[select oid::regclass::text as name from pg_class where relname ~ '^shop_\d+$' order by 1]])
    spi.commit()
    bg.map(tables, function(session, row) session:exec('vacuum (analyze, index_cleanup off) ' .. row.name) end,
        {workers = 4, progress = true, name = 'vacuum'})
$$;

select count(*) as "tables", sum(reltuples) as "rows", sum(relallvisible) = sum(relpages) as "all pages clean"
from pg_class where relname ~ '^shop_\d+$';

do $$ begin
    assert (select bool_and(relallvisible = relpages) from pg_class where relname ~ '^shop_\d+$'), 'a table was not vacuumed';
    for i in 1..12 loop execute format('drop table shop_%s', i); end loop;
end $$;
