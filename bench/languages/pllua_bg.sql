\ir pllua.sql
create function f_json_field(j jsonb) returns int language :language as $$ return j.a + j.b.c $$;
create or replace function f_json_key(j jsonb) returns int language :language as $$ return j.version $$;
create or replace function f_json_sum(j jsonb) returns bigint language :language as $$
    local s, items = 0, j.items; for i = 1, #items do s = s + items[i].id end; return s $$;
create function f_values() returns bigint language :language as $$
    local s = 0; for i, t in spi.values('select i, t from bench.texts') do s = s + i + #t end; return s $$;
