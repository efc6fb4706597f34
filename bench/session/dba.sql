-- bench/session/dba.sql: what bench/dba has measured, for verdict.sql.
--   psql variables: times: a file of part, way and microseconds
create temp table times (part text, way text, us float8);
\set command '\\copy times from ' :'times'
:command
create temp table figures as
    select row_number() over (order by min(ctid)) as id, part, way as what, percentile_cont(0.5) within group (order by us) / 1e6 as median,
        min(us) / 1e6 as best, 's' as unit
    from times group by part, way;
create temp table ratios (id int, part text, what text, ratio float8);
create temp table targets (id int generated always as identity, what text, measured float8, relation text, target float8, unit text);
-- How many times as long the peer takes, by the medians.
insert into targets (what, measured, relation, target, unit)
select p.what || ' / ' || m.what, p.median / m.median, 'at least', t.target, 'times as long'
from (values ('bg.vacuum_tables', 'vacuumdb -j', 1.0), ('bg.reindex_tables', 'reindexdb -j', 1.0), ('bg.backfill', 'plain UPDATE', 2.5)) t (mine, peer, target),
    figures m, figures p
where m.what = t.mine and p.what = t.peer;
insert into figures select 100, 'update', 'loop in plpgsql / bg.backfill', p.median / m.median, p.best / m.best, 'times' from figures m, figures p
where m.what = 'bg.backfill' and p.what = 'loop in plpgsql';
