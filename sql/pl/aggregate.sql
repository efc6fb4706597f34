-- Functions of aggregates, with states of SQL types and with any Lua value as the state.
create schema pl_aggregate;
set search_path = pl_aggregate;

create function add_sorted(state float8[], x float8) returns float8[] language pllua_bg as $$
    state[#state + 1] = x
    return state
$$;
create aggregate list_of(float8) (sfunc = add_sorted, stype = float8[], initcond = '{}');
select list_of(i) from generate_series(1, 5) i;

create function median_add(state internal, x float8) returns internal language pllua_bg as $$
    state = state or {}
    state[#state + 1] = x
    return state
$$;
create function median_end(state internal) returns float8 language pllua_bg as $$
    if not state then return nil end
    table.sort(state)
    return state[(#state + 1) // 2]
$$;
create aggregate median(float8) (sfunc = median_add, stype = internal, finalfunc = median_end);
select median(i * i) from generate_series(1, 9) i;
select i % 3 as rest, median(i) from generate_series(1, 30) i group by rest order by rest;
select i, median(i) over (order by i rows between 2 preceding and current row) from generate_series(1, 5) i;
select median(i) from generate_series(1, 0) i;
select median(distinct i % 4 order by i % 4), median(i) filter (where i > 5) from generate_series(1, 10) i;

-- A state need not be a table, and may become NULL.
create function count_add(state internal, x int) returns internal language pllua_bg as $$
    if x == 0 then return nil end
    return (state or 0) + x
$$;
create function count_end(state internal) returns bigint language pllua_bg as $$ return state $$;
create aggregate added(int) (sfunc = count_add, stype = internal, finalfunc = count_end);
select added(i), added(i - 5), added(i - 9) from generate_series(1, 9) i;

-- Combined, as by parallel workers.
create function count_join(a internal, b internal) returns internal language pllua_bg as $$ if a or b then return (a or 0) + (b or 0) end $$;
create function count_out(state internal) returns bytea language pllua_bg as $$ return tostring(state) $$;
create function count_in(text bytea, state internal) returns internal language pllua_bg as $$ return math.tointeger(tonumber(text)) $$;
alter function count_add parallel safe; alter function count_end parallel safe; alter function count_join parallel safe;
alter function count_out parallel safe; alter function count_in parallel safe;
create aggregate added_together(int) (sfunc = count_add, stype = internal, finalfunc = count_end, combinefunc = count_join,
    serialfunc = count_out, deserialfunc = count_in, parallel = safe);
create table many as select i from generate_series(1, 20000) i;
analyze many;
set parallel_setup_cost = 0; set parallel_tuple_cost = 0; set min_parallel_table_scan_size = 0; set max_parallel_workers_per_gather = 2;
explain (costs off) select added_together(i) from many;
select added_together(i) from many;
reset parallel_setup_cost; reset parallel_tuple_cost; reset min_parallel_table_scan_size; reset max_parallel_workers_per_gather;

-- Many groups, with sorting and with hashing; nothing of them stays.
create function table_add(state internal, x int) returns internal language pllua_bg as $$ state = state or {n = 0} state.n = state.n + x return state $$;
create function table_end(state internal) returns int language pllua_bg as $$ return state.n $$;
create aggregate table_sum(int) (sfunc = table_add, stype = internal, finalfunc = table_end);
set enable_sort = off;
select count(*), sum(s) from (select table_sum(i) as s from many group by i % 5000) as sums;
reset enable_sort;
set enable_hashagg = off;
select count(*), sum(s) from (select table_sum(i) as s from many group by i % 5000) as sums;
reset enable_hashagg;
do language pllua_bg $$ collectgarbage() _G.before = collectgarbage('count') $$;
select count(*) from (select table_sum(i) as s from many group by i) as sums;
do language pllua_bg $$ spi.execute('select pcall_sum.s from (select table_sum(i) as s from many group by i) as pcall_sum limit 1') $$;
do language pllua_bg $$ print(pcall(spi.execute, 'select table_sum(1 / (i - 9000)) from many group by i')) $$;
do language pllua_bg $$ collectgarbage() collectgarbage() print(collectgarbage('count') - before < 1000) $$;

-- States of others are not looked at, and none can be made outside of an aggregate.
create aggregate mixed(numeric) (sfunc = numeric_avg_accum, stype = internal, finalfunc = count_end);
select mixed(i) from generate_series(1, 3) i;
create function estimate(internal, oid, internal, int) returns float8 language pllua_bg as $$ return 0.5 $$;
create function is_near(a int, b int) returns boolean language pllua_bg as $$ return math.abs(a - b) < 2 $$;
create operator ~~~ (function = is_near, leftarg = int, rightarg = int, restrict = estimate);
select count(*) from many where i ~~~ 5;
do language pllua_bg $$ print((pcall(spi.execute, 'select median_add($1, 1)', {}))) $$;
create function several(state internal, x int) returns internal language pllua_bg as $$ return 1, 2 $$;
create aggregate severals(int) (sfunc = several, stype = internal, finalfunc = count_end);
select severals(1);

-- The server lets superusers alone make aggregates with such a state.
create role aggregator;
grant usage, create on schema pl_aggregate to aggregator;
set role aggregator;
create aggregate others(int) (sfunc = count_add, stype = internal, finalfunc = count_end);
select added(i) from generate_series(1, 4) i;
reset role;

-- Functions that run as somebody else have another Lua interpreter.
alter function count_end security definer;
alter function count_end owner to aggregator;
select added(1);

revoke usage, create on schema pl_aggregate from aggregator;
reassign owned by aggregator to current_user;
drop role aggregator;
