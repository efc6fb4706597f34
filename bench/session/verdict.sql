-- bench/session/verdict.sql: prints what was measured and fails when a target is missed.
--   psql variables: judge: off: shows no targets and does not fail; show_ratios: on: prints those for bench/gate
\pset footer off
\echo
\echo 'figures (of each: median and best)'
select part, what, round(median::numeric, 2) as median, round(best::numeric, 2) as best, unit from figures order by id;
\if :show_ratios
\pset format unaligned
\pset tuples_only on
\pset fieldsep '\t'
select 'ratio', part, what, round(ratio::numeric, 4) from ratios order by id;
\pset format aligned
\pset tuples_only off
\endif
\if :judge
create temp view verdicts as
    select id, what, round(measured::numeric, 3) as measured, relation, target, unit,
        case when case relation when 'at most' then measured <= target else measured >= target end then 'met' else 'MISSED' end as verdict
    from targets;
\echo 'targets'
select what, measured, relation || ' ' || target as target, unit, verdict from verdicts order by id;
select string_agg(format('%s: %s, not %s %s', what, measured, relation, target), e'\n' order by id) as missed
from verdicts where verdict <> 'met' \gset
\if :{?missed}
    \echo 'MISSED'
    \echo :missed
    do $$ begin raise 'targets were missed'; end $$;
\else
    \echo 'all targets met'
\endif
\endif
