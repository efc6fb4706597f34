-- bench/languages/tables.sql: what each language has of its own, in its schema: tables with its triggers and its policy, a thousand functions.
create table pairs as select * from bench.pairs;
create index i_index on pairs (f_index(a));
create unlogged table of_before (id int, v int, t text);
create unlogged table of_after (id int, v int, t text);
create unlogged table of_wide (like bench.wide);
create unlogged table updated_wide as select * from bench.wide;
create trigger t before insert on of_before for each row execute function f_before();
create trigger t after insert on of_after for each row execute function f_after();
create trigger t before insert on of_wide for each row execute function f_before();
create trigger t before update on updated_wide for each row execute function f_same();
create table guarded as select i from generate_series(1, 100000) i;
alter table guarded enable row level security;
create policy p on guarded for select to bench_reader using (f_policy(i));
grant select on guarded to bench_reader;
do $$
declare definition text := pg_get_functiondef('f_many'::regproc);
begin
    for i in 1..1000 loop execute replace(definition, 'f_many', 'f_many_' || i); end loop;
    execute format('grant usage on schema %I to public', current_schema);
end $$;
