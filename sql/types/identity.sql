-- Random values of every type go through Lua and come back as they were: as arguments and results, fields of rows, elements, parameters and results of
-- spi and of sessions, in sets and in triggers. The output has a line for each value that changed; `identity.seed` is another sequence of values.
\set VERBOSITY terse
\pset tuples_only on
\pset format unaligned
set client_min_messages = warning;
set datestyle = 'ISO, YMD';
set extra_float_digits = 1;
set timezone = 'America/New_York';
set bytea_output = 'hex';
set xmloption = content;

create schema identity;
set search_path = identity, public;
\set ECHO none
select format('create extension %I schema identity', name) from pg_available_extensions where name in ('hstore', 'citext', 'ltree', 'cube') and installed_version is null \gexec
select setseed(coalesce(current_setting('identity.seed', true), '0.42')::float8) is not null as ok \gset
\set ECHO all
create type mood as enum ('sad', 'ok', 'grüße', 'with "quotes" and, commas');
create type pair as (a int, b text);
create type nest as (p pair, ps pair[], n numeric, m mood, r int4range, d date);
create domain posint as int check (value > 0);
create type textrange as range (subtype = text, collation = "C");

-- Some texts to make other values of: empty ones, quotes, blanks, several scripts, long.
create function any_text() returns text language sql volatile as $$
    select (array['', ' ', 'a', 'NULL', 'null', '"', '''', '\', '{a,b}', '(x,"y")', E'line\nbreak\ttab', 'größe', '日本語', '😀',
                  'a  b  ', repeat('x', (random() * 300)::int), md5(random()::text)])[1 + floor(random() * 17)::int]
$$;
create function digits(n int) returns text language sql volatile as $$
    select string_agg(floor(random() * 10)::int::text, '') from generate_series(1, greatest(n, 1))
$$;
create function any_bytes(n int) returns bytea language sql volatile as $$
    select decode(coalesce(string_agg(lpad(to_hex(floor(random() * 256)::int), 2, '0'), ''), ''), 'hex') from generate_series(1, n)
$$;
-- A point in time within the range of type timestamp.
create function any_time() returns timestamp language sql volatile as $$
    select timestamp '1970-01-01' + make_interval(secs => floor(random() * 1e11 - 5e10)::float8) + make_interval(secs => floor(random() * 1e6) / 1e6)
$$;
create function points(n int) returns text language sql volatile as $$
    select string_agg(format('(%s,%s)', (random() * 1e6 - 5e5)::float8, random()::float8), ',') from generate_series(1, n)
$$;

-- Literals of a base type, those at its edges first; none: the type is not known here.
create function literals(type name) returns text[] language plpgsql volatile as $$
declare
    edges text[]; one text; i int; result text[];
begin
    edges := case type::text
        when 'bool' then '{t,f}' when 'int2' then '{0,-1,32767,-32768}' when 'int4' then '{0,-1,2147483647,-2147483648}'
        when 'int8' then '{0,-1,9223372036854775807,-9223372036854775808,9007199254740993}'
        when 'float4' then '{0,-0,NaN,Infinity,-Infinity,3.4028235e38,1e-45,0.1,16777217}'
        when 'float8' then '{0,-0,NaN,Infinity,-Infinity,1.7976931348623157e308,5e-324,0.1,9007199254740993}'
        when 'numeric' then '{0,-0.00,NaN,Infinity,-Infinity,1e131000,1e-16000,9223372036854775808,9007199254740993,1.50,0.1}'
        when 'money' then '{0,92233720368547758.07,-92233720368547758.08}'
        when 'oid' then '{0,1,4294967295}' when 'xid' then '{0,1,4294967295}' when 'cid' then '{0,4294967295}' when 'xid8' then '{0,18446744073709551615}' when 'oid8' then '{0,18446744073709551615}'
        when 'regclass' then '{pg_class,pg_type}' when 'regtype' then '{-,integer,text}' when 'regproc' then '{-,now,4294967295}'
        when 'regprocedure' then '{-,abs(integer)}' when 'regoper' then '{0,|/}' when 'regoperator' then '{0,"+(integer,integer)"}'
        when 'regrole' then '{-,pg_monitor}' when 'regnamespace' then '{-,pg_catalog}' when 'regcollation' then '{-,"\"C\""}'
        when 'regconfig' then '{-,simple}' when 'regdictionary' then '{-,simple}' when 'regdatabase' then '{-}'
        when 'date' then '{infinity,-infinity,4713-01-01 BC,5874897-12-31,2000-01-01,2020-02-29}'
        when 'time' then '{00:00,24:00,23:59:59.999999}' when 'timetz' then '{00:00+15:59:59,24:00-15:59:59,12:30:00.5+00}'
        when 'timestamp' then '{infinity,-infinity,4713-01-01 00:00:00 BC,294276-12-31 23:59:59.999999,1999-12-31 23:59:59.999999}'
        when 'timestamptz' then '{infinity,-infinity,4713-01-02 00:00:00+00 BC,294276-12-31 23:59:59.999999+00,2020-11-01 01:30:00-05,2020-11-01 01:30:00-04}'
        when 'interval' then '{0,178000000 years,-178000000 years,1 mon -1 day 00:00:00.000001,-00:00:01}'
        when 'uuid' then '{00000000-0000-0000-0000-000000000000,ffffffff-ffff-ffff-ffff-ffffffffffff}'
        when 'inet' then '{0.0.0.0,255.255.255.255/0,10.1.2.3/8,::1,fe80::1/64}' when 'cidr' then '{0.0.0.0/0,10.0.0.0/8,::/0,2001:db8::/32}'
        when 'macaddr' then '{00:00:00:00:00:00,ff:ff:ff:ff:ff:ff}' when 'macaddr8' then '{00:00:00:00:00:00:00:00,08:00:2b:01:02:03:04:05}'
        when 'point' then '{"(0,-0)","(NaN,Infinity)","(1e300,-1e-300)"}' when 'line' then '{"{1,2,3}","{0,1,-0}"}'
        when 'lseg' then '{"[(0,0),(1,1)]"}' when 'box' then '{"(1,1),(0,0)","(NaN,1),(0,0)"}' when 'path' then '{"((0,0),(1,1))","[(0,0)]"}'
        when 'polygon' then '{"((0,0))","((0,0),(1,1),(2,0))"}' when 'circle' then '{"<(0,0),0>","<(1,2),Infinity>"}'
        when 'bit' then '{"",0,10101,1111111111111111111}' when 'varbit' then '{"",1,000000000}'
        when 'bytea' then '{"","\\x00","\\xff00ff","\\x27225c"}' when 'char' then '{"",a,"\\200"}' when 'name' then '{"",a,"größe"}'
        when 'json' then '{"null","{\"b\" : 1,  \"a\":[1,2.50,1e400], \"b\":2}","\"\\u00e4\\n\"","[]"}'
        when 'jsonb' then '{"null","true","1.50","1e1000","\"\"","[]","{}","{\"a\":{\"b\":[null,1,\"\\u00e4\"]}}"}'
        when 'jsonpath' then '{"$","strict $.a[*] ? (@.b > 1.5)"}' when 'xml' then '{"","<a b=\"c\">ü</a>","text only"}'
        when 'tsvector' then '{"","a:1A b:2,3B ''with space'':16383","x y z"}' when 'tsquery' then '{"","a & !b | c:*A","''q r'' <3> z"}'
        when 'tid' then '{"(0,0)","(4294967295,65535)"}' when 'pg_lsn' then '{0/0,FFFFFFFF/FFFFFFFF}'
        when 'txid_snapshot' then '{10:20:10\,15}' when 'pg_snapshot' then '{10:20:10\,15}' when 'int2vector' then '{"","1 -2 3"}' when 'oidvector' then '{"",1,"10 20"}'
        when 'aclitem' then array['=r/' || current_user, format('%s=arwdDxt/%s', current_user, current_user)]::text when 'refcursor' then '{"",cur,"größe"}'
        when 'text' then '{""}' when 'varchar' then '{""}' when 'bpchar' then '{"","a  "}' when 'citext' then '{"","AbC"}'
        when 'hstore' then '{"","a=>1, b=>NULL, \"c d\"=>\"\""}' when 'ltree' then '{"",Top.Science}' when 'lquery' then '{"Top.*{1,2}.!x@*"}' when 'ltxtquery' then '{"a & b@*"}'
        when 'cube' then '{(),"(1,2,3)","(0,-0),(1e300,NaN)"}'
        end::text[];
    for i in 1 .. 4 loop
        one := case type::text
            when 'bool' then (random() < 0.5)::text when 'int2' then floor(random() * 65536 - 32768)::text when 'int4' then floor(random() * 4294967296 - 2147483648)::text
            when 'int8' then (random() * 1e18 - 5e17)::int8::text when 'float4' then ((random() - 0.5) * 10 ^ floor(random() * 60 - 30))::float4::text
            when 'float8' then ((random() - 0.5) * 10 ^ floor(random() * 500 - 250))::text
            when 'numeric' then (array['-', ''])[1 + round(random())::int] || digits((random() * 100)::int) || '.' || digits((random() * 50)::int)
            when 'money' then (random() * 1e6)::numeric(12, 2)::text when 'oid' then floor(random() * 4294967296)::text
            when 'date' then any_time()::date::text when 'time' then any_time()::time::text when 'timestamp' then any_time()::text when 'timestamptz' then any_time() || '+00'
            when 'timetz' then any_time()::time || (array['+05:30', '-11', '+00'])[1 + floor(random() * 3)::int]
            when 'interval' then (any_time() - any_time() + make_interval(months => floor(random() * 100 - 50)::int))::text
            when 'uuid' then md5(random()::text) when 'inet' then format('%s.%s.%s.%s', i, floor(random() * 256), 0, 255) when 'macaddr' then substr(md5(random()::text), 1, 12)
            when 'macaddr8' then substr(md5(random()::text), 1, 16) when 'point' then points(1) when 'lseg' then '[' || points(2) || ']' when 'box' then points(2)
            when 'path' then '[' || points(1 + i) || ']' when 'polygon' then '(' || points(1 + i) || ')' when 'circle' then format('<%s,%s>', points(1), random())
            when 'bit' then floor(random() * 1000)::int::bit(20)::text when 'varbit' then floor(random() * 1000)::int::bit(17)::text
            when 'bytea' then any_bytes((random() * 3000)::int)::text when 'name' then substr(md5(random()::text), 1, i)
            when 'text' then any_text() || any_text() when 'varchar' then any_text() when 'bpchar' then any_text() when 'citext' then any_text() when 'refcursor' then any_text()
            when 'json' then json_build_object(any_text(), any_text(), 'n', random(), 'a', array[any_text(), null])::text
            when 'jsonb' then jsonb_build_object(any_text(), any_text(), 'n', random()::numeric, 'a', array[any_text(), null])::text
            when 'hstore' then (select string_agg(format('"k%s"=>"%s"', n, md5(random()::text)), ',') from generate_series(1, i) n)
            when 'ltree' then 'a.' || md5(random()::text) when 'cube' then format('(%s),(%s)', random(), random() * 1e9) when 'pg_lsn' then format('%s/%s', i, i * 1000)
            when 'tsvector' then to_tsvector('simple', 'the quick ' || md5(random()::text))::text end;
        exit when one is null;
        result := result || one;
    end loop;
    return edges || result || case type::text -- beyond a page: compressed, and not compressible
        when 'text' then array[repeat('größe ', 170000), (select string_agg(md5(random()::text), '') from generate_series(1, 2000))]
        when 'bytea' then array['\x' || repeat('00ff', 250000)] when 'jsonb' then array[(select json_agg(md5(random()::text)) from generate_series(1, 3000))::text]
        when 'numeric' then array[digits(20000)] when 'varbit' then array[repeat('01', 50000)]
        when 'json' then array[(select json_agg(md5(random()::text)) from generate_series(1, 3000))::text]
        else '{}' end;
end
$$;

-- Literals of any type; of arrays, ranges and domains by those of what they are made of.
create function values_of(type oid) returns text[] language plpgsql volatile as $$
declare
    t pg_type; part text[]; result text[]; sub oid; name text := format_type(type, -1);
begin
    select * into t from pg_type where oid = type;
    if type = 'posint'::regtype then return '{1,2147483647}'; end if;
    if t.typtype = 'd' then return values_of(t.typbasetype); end if;
    if t.typtype = 'e' then execute format('select enum_range(null::%s)::text[]', name) into result; return result; end if;
    if type = 'pair'::regtype then return array['(,)', '(1,)', '(,"")', '(-5,"a,b ""q"" (x)")', '(0,größe)']; end if;
    if type = 'nest'::regtype then return array['(,,,,,)', '("(1,x)","{""(2,y)"",NULL,""(,)""}",1.50,"grüße","[1,5)",2020-02-29)', '("(,)",{},NaN,sad,empty,infinity)']; end if;
    if t.typtype = 'r' then
        select rngsubtype into sub from pg_range where rngtypid = type;
        execute format($q$ select array_agg(format('%%s%%s,%%s%%s', l, case when a is not null then to_json(a::text)::text end, case when b is not null then to_json(b::text)::text end, u))
            from (select x::%1$s as a, lead(x::%1$s) over (order by x::%1$s) as b, n from unnest($1) with ordinality v(x, n)) p,
                (values ('[', ')'), ('(', ']')) bounds(l, u) $q$, format_type(sub, -1))
            into result using (select array_agg(x) from unnest(values_of(sub)) x where length(x) < 1000 and x !~ '[\\"]|47$|807$|5874897');
        return '{empty,"(,)"}'::text[] || result;
    end if;
    if t.typtype = 'm' then
        select rngtypid into sub from pg_range where rngmultitypid = type;
        execute format('select array_agg(distinct x) from (select range_agg(r)::text x from (select x::%s r, n from unnest($1) with ordinality v(x, n)) p group by n / 3) q', format_type(sub, -1))
            into result using values_of(sub);
        return '{}'::text[] || '{}'::text || result;
    end if;
    if exists (select from pg_type e where e.typarray = type) then
        if t.typelem in ('int2vector'::regtype, 'oidvector'::regtype) then return array['{}', '{"1 2",NULL,"3",""}', '[-1:0]={"1 2",NULL}', '{{"1",NULL},{NULL,"2 3"}}']; end if;
        part := values_of(t.typelem);
        execute format($q$ select array[ '{}', a::text, array[null::%1$s]::text, (a || null::%1$s || a[1])::text, '[-3:' || cardinality(a) - 4 || ']=' || a::text,
                array[a[1:2], a[2:3]]::text, array[[a[1], null], [a[2], a[1]]]::text, '[0:1][5:5]=' || array[[a[1]], [a[2]]]::text ]
            from (select array_agg(x::%1$s) a from unnest($1 || $1 || $1) x where length(x) < 10000) p $q$, format_type(t.typelem, -1)) into result using part;
        return result;
    end if;
    return literals(t.typname);
end
$$;

-- v on its way there and back.
create function road(v anyelement, way text, type text) returns anyelement language pllua_bg as $$
    return ways[way](v, type)
end
ways = {
    argument = function(v) return v end,
    execute = function(v, type) return spi.execute('select $1::' .. type .. ' as v', v)[1].v end,
    prepare = function(v, type) return spi.prepare('select $1 as v', {type}):execute(v)[1].v end,
    rows = function(v, type) for r in spi.rows('select $1::' .. type .. ' as v', v) do return r.v end end,
    row = function(v) return pgtype['identity.probe'](1, v).v end,
    field = function(v) local r = pgtype['identity.probe']{id = 1} r.v = v return r.v end,
    row_parameter = function(v) return spi.execute('select ($1::identity.probe).v as v', pgtype['identity.probe']{id = 1, v = v})[1].v end,
    insert = function(v) return spi.execute('insert into identity.probe values (2, $1) returning v', v)[1].v end,
    session = function(v, type) session = session or bg.launch() return session:exec('select $1::' .. type .. ' as v', v)[1].v end,
    element = function(v, type)
        local array = pgtype.array[type](v, nil, v)
        return spi.execute('select ($1)[3] as v', pgtype.array[type]({array[1], array[2], array[3]}, 3))[1].v
    end,
    session_element = function(v, type) return session:exec('select ($1::' .. type .. '[])[2] as v', {v, v})[1].v end,
}
do
$$;
create function road_set(v anyelement) returns setof anyelement language pllua_bg as $$ coroutine.yield(v) coroutine.yield(v) $$;
create function road_row() returns trigger language pllua_bg as $$ local v = new.v new.v = nil new.v = v $$;

-- Rows of what changed: type, way, value before, value after. Compared are the bytes that the server sends, or the text of a type that sends none.
create function changed(type oid) returns table (name text, way text, before text, after text) language plpgsql as $$
declare
    t text := format_type(type, -1);
    bytes text := case when t !~ 'aclitem' and exists (select from pg_type t join pg_proc p on p.oid = t.typsend where t.oid = type and p.proargtypes[0] in (type, t.typbasetype, 'anyarray'::regtype,
        'record'::regtype, 'anyenum'::regtype, 'anyrange'::regtype, 'anymultirange'::regtype)) then (select typsend::regproc || '((%s)::' || format_type(coalesce(nullif(typbasetype, 0), oid), -1) || ')' from pg_type where oid = type) else '(%s)::text' end;
    ways text[] := '{argument,execute,prepare,rows,row,field,row_parameter,insert,session}';
    -- a domain has fewer values than what it is over
    given text[] := array(select x from unnest(values_of(type)) with ordinality v(x, n) where t !~ 'domain_' or length(x) < 10000 and n < 4) || null::text;
    literal text; one text;
begin
    name := t;
    if cardinality(given) < 2 then way := 'no values'; return next; return; end if;
    if exists (select from pg_type where oid = type and typarray <> 0 and typsubscript <> 'array_subscript_handler'::regproc
        and not (typtype = 'd' and exists (select from pg_type b where b.oid = getbaseelement(type)))) then ways := ways || '{element,session_element}'; end if;
    execute format('create table identity.probe (id int, v %s)', t);
    execute 'create trigger probe before insert on identity.probe for each row execute function identity.road_row()';
    execute 'create function identity.through(identity.probe) returns identity.probe language pllua_bg as $x$ local r = ... return {id = r.id, v = r.v} $x$';
    foreach literal in array given loop
        delete from identity.probe;
        execute format('insert into identity.probe values (1, %L::%s)', literal, t);
        return query execute format($q$
            with given as (select %2$L::%1$s as v)
            select %1$L, w, left((%4$s)::text, 200), left((%5$s)::text, 200)
            from given, identity.probe p,
                lateral (select w, identity.road(p.v, w, %1$L) as v from unnest(%3$L::text[]) w
                    union all select 'trigger', p.v union all select 'set', identity.road_set(p.v)
                    union all select 'through', (identity.through(p)).v) came
            where %4$s is distinct from %5$s $q$, t, literal, ways, format(bytes, 'given.v'), format(bytes, 'came.v'));
    end loop;
    execute 'drop table identity.probe cascade';
exception when others then
    way := sqlerrm; before := left(literal, 200); return next;
end
$$;
create function getbaseelement(type oid) returns oid language sql as $$
    select b.oid from pg_type d join pg_type b on b.oid = d.typbasetype where d.oid = type and b.typsubscript = 'array_subscript_handler'::regproc
$$;
create function has_xml() returns bool language plpgsql as $$
begin return '<a/>'::text::xml is not null; exception when feature_not_supported then return false; end
$$;

\set ECHO none
-- A domain over each type that can have values, but for aclitem, which has no form in binary that the server needs for domains; types that only the
-- server makes are below.
create view tested as
    select t.oid, t.typname, t.typtype, t.typarray, t.typnamespace from pg_type t
    where t.typisdefined and t.typtype in ('b', 'e', 'r', 'm', 'd', 'c') and (t.typtype <> 'c' or t.oid in ('pair'::regtype, 'nest'::regtype))
        and t.typname !~ '^_?(pg_node_tree|pg_ndistinct|pg_dependencies|pg_mcv_list|pg_brin_.*|gtsvector|ghstore|ltree_gist)$'
        and t.typnamespace in ('pg_catalog'::regnamespace, 'identity'::regnamespace)
        and (t.typname !~ 'xml' or has_xml())
        and not (t.typsubscript = 'array_subscript_handler'::regproc and exists (select from pg_type e where e.oid = t.typelem
            and (e.typtype = 'c' and e.oid not in ('pair'::regtype, 'nest'::regtype) or e.typtype = 'p' or e.typname ~ '^domain_')));
select format('create domain identity.%I as %s', 'domain_' || typname, format_type(oid, -1)) from tested where typtype <> 'd' and typname <> 'aclitem' order by oid \gexec
select format('select *, ''seed %s'' from identity.changed(%s)', coalesce(current_setting('identity.seed', true), '0.42'), oid) from tested order by oid \gexec
select count(*) > 300 from tested;

-- Values that only the server makes, and the rows of its own tables.
create function kept(anyelement) returns anyelement language pllua_bg as $$ return (...) $$;
select 'pg_node_tree' from pg_rewrite where kept(ev_action)::text is distinct from ev_action::text;
select format('select %L from pg_catalog.%I t where identity.kept(t)::text is distinct from t::text limit 1', relname, relname)
    from pg_class where relnamespace = 'pg_catalog'::regnamespace and relkind = 'r' order by relname \gexec

\set ECHO all
do language pllua_bg $$ for _, s in ipairs(bg.sessions()) do s:close() end $$;
drop schema identity cascade;
