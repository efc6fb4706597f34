create function f_const() returns int language :language as $$ return 1 $$;
create function f_add(i int, j int) returns int language :language as $$ return i + j $$;
create function f_text(a text, b text) returns text language :language as $$ return (a .. '-' .. b):upper() $$;
create function f_numeric(a numeric, b numeric) returns numeric language :language as $$ return a * b + 1.5 $$;
create function f_variadic(variadic a int[]) returns int language :language as $$ return a[1] + a[5] + #a $$;
create function f_words(t text) returns int language :language as $$
    local n = 0; for _ in t:gmatch('%w+') do n = n + 1 end; return n $$;
create function f_fib(n int) returns int language :language as $$
    local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end
    return fib(n) $$;
create function f_loop(n int) returns bigint language :language as $$ local s = 0; for i = 1, n do s = s + i % 7 end; return s $$;
create function f_int_sum(a int[]) returns bigint language :language as $$ local s = 0; for i = 1, #a do s = s + a[i] end; return s $$;
create function f_int_build(n int) returns int[] language :language as $$ local t = {}; for i = 1, n do t[i] = i * 2 end; return t $$;
create function f_matrix(a int[]) returns bigint language :language as $$
    local s = 0; for i = 1, 30 do for j = 1, 30 do s = s + a[i][j] end end; return s $$;
create function f_text_array(a text[]) returns int language :language as $$ local n = 0; for i = 1, #a do n = n + #a[i] end; return n $$;
create function f_text_array_build(n int) returns text[] language :language as $$ local t = {}; for i = 1, n do t[i] = 'text ' .. i end; return t $$;
create function f_numeric_array(a numeric[]) returns numeric language :language as $$ local s = 0; for i = 1, #a do s = s + a[i] end; return s $$;
create function f_row_in(r bench.rec) returns int language :language as $$ return r.a + r.b $$;
create function f_row_out(i int) returns bench.rec language :language as $$ return {a = i, b = i + 1, c = 'x' .. i, d = i * 0.5} $$;
create function f_wide_in(r bench.wide) returns int language :language as $$ return r.id + r.d14 $$;
create function f_set(n int) returns setof int language :language as $$ for i = 1, n do coroutine.yield(i) end $$;
create function f_set_rows(n int) returns setof bench.rec language :language as $$
    for i = 1, n do coroutine.yield{a = i, b = i + 1, c = 'x' .. i, d = i * 0.5} end $$;
create function f_select(n int) returns bigint language :language as $$
    local s = 0; for i = 1, n do s = s + stmt:execute(i % 10000 + 1)[1].v end; return s
    end
    stmt = spi.prepare('select v from bench.kv where k = $1', {'int4'})
    do $$;
create function f_scan() returns bigint language :language as $$
    local s = 0; for r in stmt:rows() do s = s + r.i + #r.t end; return s
    end
    stmt = spi.prepare('select i, t from bench.texts', {}, {fetch_count = 50})
    do $$;
create function f_insert(n int) returns int language :language as $$
    for i = 1, n do stmt:execute(i, 'row' .. i) end; return n
    end
    stmt = spi.prepare('insert into bench.scratch values ($1, $2)', {'int4', 'text'})
    do $$;
create function f_json_whole(j jsonb) returns int language :language as $$ local t = j{} return math.tointeger(t.a) + math.tointeger(t.b.c) $$;
create function f_json_build(i int) returns jsonb language :language as $$
    return {id = i, name = 'x' .. i, tags = {i, i + 1}, sub = {a = i}} $$;
create function f_json_key(j jsonb) returns int language :language as $$ return math.tointeger(j{}.version) $$;
create function f_json_sum(j jsonb) returns bigint language :language as $$
    local s = 0; for _, e in ipairs(j{}.items) do s = s + math.tointeger(e.id) end; return s $$;
create function f_block(n int) returns int language :language as $$
    local c = 0; for i = 1, n do pcall(function() c = c + 1 end) end; return c $$;
create function f_raise(n int) returns int language :language as $$
    local c = 0; for i = 1, n do if not pcall(error, 'boom') then c = c + 1 end end; return c $$;
create function f_sql_error(n int) returns int language :language as $$
    local c = 0; for i = 1, n do if not pcall(stmt.execute, stmt) then c = c + 1 end end; return c
    end
    stmt = spi.prepare('select 1 / (v - v) from bench.kv where k = 1', {})
    do $$;
create function f_policy(i int) returns bool language :language as $$ return i % 2 == 0 $$;
create function f_index(t text) returns text immutable language :language as $$ return t:lower() .. '!' $$;
create function f_before() returns trigger language :language as $$ new.v = new.v + 1 $$;
create function f_after() returns trigger language :language as $$ return nil $$;
create function f_same() returns trigger language :language as $$ if old.v ~= new.v then error('changed') end $$;
create function f_many(i int) returns int language :language as $$
    local s = 0
    if i > 5 then s = s + 1 elseif i > 3 then s = s + 2 else s = s + 3 end
    for j = 1, i do s = s + j end
    return s $$;
