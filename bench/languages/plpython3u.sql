create extension if not exists jsonb_plpython3u;
create function f_const() returns int language :language as $$
return 1 $$;
create function f_add(i int, j int) returns int language :language as $$
return i + j $$;
create function f_text(a text, b text) returns text language :language as $$
return (a + '-' + b).upper() $$;
create function f_numeric(a numeric, b numeric) returns numeric language :language as $$
D = SD.get('D')
if D is None:
    from decimal import Decimal
    D = SD['D'] = Decimal('1.5')
return a * b + D $$;
create function f_variadic(variadic a int[]) returns int language :language as $$
return a[0] + a[4] + len(a) $$;
create function f_words(t text) returns int language :language as $$
r = SD.get('r')
if r is None:
    import re
    r = SD['r'] = re.compile(r'\w+')
return len(r.findall(t)) $$;
create function f_fib(n int) returns int language :language as $$
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)
return fib(n) $$;
create function f_loop(n int) returns bigint language :language as $$
s = 0
for i in range(1, n + 1):
    s += i % 7
return s $$;
create function f_int_sum(a int[]) returns bigint language :language as $$
s = 0
for x in a:
    s += x
return s $$;
create function f_int_build(n int) returns int[] language :language as $$
return [i * 2 for i in range(1, n + 1)] $$;
create function f_matrix(a int[]) returns bigint language :language as $$
s = 0
for i in range(30):
    for j in range(30):
        s += a[i][j]
return s $$;
create function f_text_array(a text[]) returns int language :language as $$
n = 0
for x in a:
    n += len(x)
return n $$;
create function f_text_array_build(n int) returns text[] language :language as $$
return ['text %d' % i for i in range(1, n + 1)] $$;
create function f_numeric_array(a numeric[]) returns numeric language :language as $$
s = 0
for x in a:
    s += x
return s $$;
create function f_row_in(r bench.rec) returns int language :language as $$
return r['a'] + r['b'] $$;
create function f_row_out(i int) returns bench.rec language :language as $$
return {'a': i, 'b': i + 1, 'c': 'x%d' % i, 'd': i * 0.5} $$;
create function f_wide_in(r bench.wide) returns int language :language as $$
return r['id'] + r['d14'] $$;
create function f_set(n int) returns setof int language :language as $$
return range(1, n + 1) $$;
create function f_set_rows(n int) returns setof bench.rec language :language as $$
for i in range(1, n + 1):
    yield {'a': i, 'b': i + 1, 'c': 'x%d' % i, 'd': i * 0.5} $$;
create function f_select(n int) returns bigint language :language as $$
p = SD.get('p')
if p is None:
    p = SD['p'] = plpy.prepare('select v from bench.kv where k = $1', ['int4'])
s = 0
for i in range(1, n + 1):
    s += p.execute([i % 10000 + 1])[0]['v']
return s $$;
create function f_scan() returns bigint language :language as $$
s = 0
for r in plpy.cursor('select i, t from bench.texts'):
    s += r['i'] + len(r['t'])
return s $$;
create function f_insert(n int) returns int language :language as $$
p = SD.get('p')
if p is None:
    p = SD['p'] = plpy.prepare('insert into bench.scratch values ($1, $2)', ['int4', 'text'])
for i in range(1, n + 1):
    p.execute([i, 'row%d' % i])
return n $$;
create function f_json_whole(j jsonb) returns int transform for type jsonb language :language as $$
return int(j['a'] + j['b']['c']) $$;
create function f_json_build(i int) returns jsonb transform for type jsonb language :language as $$
return {'id': i, 'name': 'x%d' % i, 'tags': [i, i + 1], 'sub': {'a': i}} $$;
create function f_json_key(j jsonb) returns int transform for type jsonb language :language as $$
return int(j['version']) $$;
create function f_json_sum(j jsonb) returns bigint transform for type jsonb language :language as $$
return int(sum(e['id'] for e in j['items'])) $$;
create function f_block(n int) returns int language :language as $$
c = 0
for i in range(n):
    with plpy.subtransaction():
        c += 1
return c $$;
create function f_raise(n int) returns int language :language as $$
c = 0
for i in range(n):
    try:
        with plpy.subtransaction():
            raise ValueError('boom')
    except ValueError:
        c += 1
return c $$;
create function f_sql_error(n int) returns int language :language as $$
c = 0
p = plpy.prepare('select 1 / (v - v) from bench.kv where k = 1')
for i in range(n):
    try:
        p.execute()
    except plpy.SPIError:
        c += 1
return c $$;
create function f_policy(i int) returns bool language :language as $$
return i % 2 == 0 $$;
create function f_index(t text) returns text immutable language :language as $$
return t.lower() + '!' $$;
create function f_before() returns trigger language :language as $$
TD['new']['v'] += 1
return 'MODIFY' $$;
create function f_after() returns trigger language :language as $$
return None $$;
create function f_same() returns trigger language :language as $$
if TD['old']['v'] != TD['new']['v']:
    plpy.error('changed') $$;
create function f_many(i int) returns int language :language as $$
s = 0
if i > 5:
    s += 1
elif i > 3:
    s += 2
else:
    s += 3
for j in range(1, i + 1):
    s += j
return s $$;
