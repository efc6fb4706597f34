create function f_const() returns int language :language as $$ begin return 1; end $$;
create function f_add(i int, j int) returns int language :language as $$ begin return i + j; end $$;
create function f_text(a text, b text) returns text language :language as $$ begin return upper(a || '-' || b); end $$;
create function f_numeric(a numeric, b numeric) returns numeric language :language as $$ begin return a * b + 1.5; end $$;
create function f_variadic(variadic a int[]) returns int language :language as $$ begin return a[1] + a[5] + cardinality(a); end $$;
create function f_words(t text) returns int language :language as $$ begin return regexp_count(t, '\w+'); end $$;
create function f_fib(n int) returns int language :language as $$
begin if n < 2 then return n; end if; return f_fib(n - 1) + f_fib(n - 2); end $$;
create function f_loop(n int) returns bigint language :language as $$
declare s bigint := 0; begin for i in 1..n loop s := s + i % 7; end loop; return s; end $$;
create function f_int_sum(a int[]) returns bigint language :language as $$
declare s bigint := 0; x int; begin foreach x in array a loop s := s + x; end loop; return s; end $$;
create function f_int_build(n int) returns int[] language :language as $$
declare a int[]; begin for i in 1..n loop a[i] := i * 2; end loop; return a; end $$;
create function f_matrix(a int[]) returns bigint language :language as $$
declare s bigint := 0; begin
    for i in 1..30 loop for j in 1..30 loop s := s + a[i][j]; end loop; end loop;
    return s; end $$;
create function f_text_array(a text[]) returns int language :language as $$
declare n int := 0; x text; begin foreach x in array a loop n := n + length(x); end loop; return n; end $$;
create function f_text_array_build(n int) returns text[] language :language as $$
declare a text[]; begin for i in 1..n loop a[i] := 'text ' || i; end loop; return a; end $$;
create function f_numeric_array(a numeric[]) returns numeric language :language as $$
declare s numeric := 0; x numeric; begin foreach x in array a loop s := s + x; end loop; return s; end $$;
create function f_row_in(r bench.rec) returns int language :language as $$ begin return r.a + r.b; end $$;
create function f_row_out(i int) returns bench.rec language :language as $$
declare r bench.rec; begin r.a := i; r.b := i + 1; r.c := 'x' || i; r.d := i * 0.5; return r; end $$;
create function f_wide_in(r bench.wide) returns int language :language as $$ begin return r.id + r.d14; end $$;
create function f_set(n int) returns setof int language :language as $$ begin for i in 1..n loop return next i; end loop; end $$;
create function f_set_rows(n int) returns setof bench.rec language :language as $$
declare r bench.rec; begin for i in 1..n loop r.a := i; r.b := i + 1; r.c := 'x' || i; r.d := i * 0.5; return next r; end loop; end $$;
create function f_select(n int) returns bigint language :language as $$
declare s bigint := 0; x int; begin for i in 1..n loop select v into x from bench.kv where k = i % 10000 + 1; s := s + x; end loop; return s; end $$;
create function f_scan() returns bigint language :language as $$
declare s bigint := 0; r record; begin for r in select i, t from bench.texts loop s := s + r.i + length(r.t); end loop; return s; end $$;
create function f_values() returns bigint language :language as $$
declare s bigint := 0; n int; x text; begin for n, x in select i, t from bench.texts loop s := s + n + length(x); end loop; return s; end $$;
create function f_insert(n int) returns int language :language as $$
begin for i in 1..n loop insert into bench.scratch values (i, 'row' || i); end loop; return n; end $$;
create function f_json_field(j jsonb) returns int language :language as $$ begin return (j->>'a')::int + (j->'b'->>'c')::int; end $$;
create function f_json_whole(j jsonb) returns int language :language as $$ begin return (j->>'a')::int + (j->'b'->>'c')::int; end $$;
create function f_json_build(i int) returns jsonb language :language as $$
begin return jsonb_build_object('id', i, 'name', 'x' || i, 'tags', jsonb_build_array(i, i + 1), 'sub', jsonb_build_object('a', i)); end $$;
create function f_json_key(j jsonb) returns int language :language as $$ begin return j->>'version'; end $$;
create function f_json_sum(j jsonb) returns bigint language :language as $$
declare s bigint := 0; e jsonb; begin for e in select * from jsonb_array_elements(j->'items') loop s := s + (e->>'id')::int; end loop; return s; end $$;
create function f_block(n int) returns int language :language as $$
declare c int := 0; begin for i in 1..n loop begin c := c + 1; exception when others then null; end; end loop; return c; end $$;
create function f_raise(n int) returns int language :language as $$
declare c int := 0; begin for i in 1..n loop begin raise exception 'boom'; exception when others then c := c + 1; end; end loop; return c; end $$;
create function f_sql_error(n int) returns int language :language as $$
declare c int := 0; x int; begin
    for i in 1..n loop begin select 1 / (v - v) into x from bench.kv where k = 1; exception when others then c := c + 1; end; end loop;
    return c; end $$;
create function f_policy(i int) returns bool language :language as $$ begin return i % 2 = 0; end $$;
create function f_index(t text) returns text immutable language :language as $$ begin return lower(t) || '!'; end $$;
create function f_before() returns trigger language :language as $$ begin new.v := new.v + 1; return new; end $$;
create function f_after() returns trigger language :language as $$ begin return null; end $$;
create function f_same() returns trigger language :language as $$ begin if old.v <> new.v then raise exception 'changed'; end if; return new; end $$;
create function f_many(i int) returns int language :language as $$
declare s int := 0; begin
    if i > 5 then s := s + 1; elsif i > 3 then s := s + 2; else s := s + 3; end if;
    for j in 1..i loop s := s + j; end loop;
    return s; end $$;
