-- What the catalogs know. All of it is read with a search path of nothing but the server's own schema, so that
-- nobody's operators are taken for these; names come out with their schema.

local core = require 'bg.core'
local pattern = require 'dba.pattern'

local catalog = {}

-- Calls fn with that search path, and ends the transaction: nobody has a snapshot or a lock afterwards.
function catalog.read(fn, ...) -- internal
    spi.execute("select pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true)")
    local results = table.pack(fn(...))
    spi.commit()
    return table.unpack(results, 1, results.n)
end

-- The schemas of the caller's search path.
local function search_path()
    return spi.execute('select pg_catalog.current_schemas(false) as names')[1].names
end

-- By patterns of schema (null: $3, the search path) and name, and kinds of relations: those that match, and the parts
-- of partitioned ones. Nobody's temporary tables: sessions do not see them; and those of the server only where its
-- schema is named ($5).
local RELATIONS = [[
with recursive matched as (
    select c.oid
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relname like $2 and c.relkind = any ($4::"char"[] || 'p'::"char")
        and case when $1::text is not null then n.nspname like $1
            else n.nspname = any ($3::name[]) and not exists (
                select from pg_class e join pg_namespace s on s.oid = e.relnamespace
                where e.relname = c.relname
                    and array_position($3::name[], s.nspname) < array_position($3::name[], n.nspname))
            end
        and ($5 or n.nspname !~ '^pg_' and n.nspname <> 'information_schema') and n.nspname !~ '^pg_(toast|temp)'
),
tree as (
    select oid from matched
    union
    select i.inhrelid
    from tree join pg_class p on p.oid = tree.oid and p.relkind = 'p' join pg_inherits i on i.inhparent = p.oid
)
select c.oid::bigint as oid, format('%I.%I', n.nspname, c.relname) as name, c.relkind::text as kind,
    case when c.relpages > 0 then c.relpages::bigint * current_setting('block_size')::bigint end as size,
    pg_has_role(c.relowner, 'USAGE')
        or not c.relisshared
            and pg_has_role((select datdba from pg_database where datname = current_database()), 'USAGE')
        or case when current_setting('server_version_num')::int >= 170000
            then has_table_privilege(c.oid, 'MAINTAIN') end as may_maintain
from tree join pg_class c on c.oid = tree.oid join pg_namespace n on n.oid = c.relnamespace
where c.relkind = any ($4::"char"[]) and c.relpersistence <> 't'
order by 2]]

-- The relations that match a pattern, of the kinds in a list (r: tables, m: materialized views), the parts of
-- partitioned ones among them: oid, name with schema, kind, size in bytes (as the server last counted; nil: never),
-- whether this role may vacuum it.
function catalog.relations(text, kinds, what) -- internal
    local schema, name = pattern(text)
    local path = search_path()
    local of_server = schema ~= nil and (schema:find('^pg\\_') or schema:find('^information\\_')) ~= nil
    return catalog.read(function()
        local found = spi.execute(RELATIONS, schema, name, path, kinds, of_server)
        if found.n == 0 then
            core.raise('42P01', string.format('no %s matches the pattern "%s"', what, text),
                "Patterns are as in psql: 'public.*' is all of a schema, '*.*' of all schemas but those of the server.")
        end
        return found
    end)
end

-- The indexes of tables, by a list of their OIDs, those of their TOAST tables where this role may name them: name
-- with schema, OID of the table, whose TOAST table it is of, size in bytes.
local INDEXES = [[
select format('%I.%I', n.nspname, c.relname) as name, i.indrelid::bigint as table,
    case when i.indrelid <> t.oid then format('TOAST of %I.%I', s.nspname, t.relname) end as toast,
    case when c.relpages > 0 then c.relpages::bigint * current_setting('block_size')::bigint end as size
from pg_class t
    join pg_namespace s on s.oid = t.relnamespace
    join pg_index i on i.indrelid in (t.oid, t.reltoastrelid)
    join pg_class c on c.oid = i.indexrelid
    join pg_namespace n on n.oid = c.relnamespace
where t.oid::bigint = any ($1)
    and (i.indrelid = t.oid or i.indisvalid and has_schema_privilege('pg_toast', 'USAGE'))
order by 1]]

function catalog.indexes(tables) -- internal
    return catalog.read(spi.execute, INDEXES, tables)
end

-- By names as they are written, found by the caller's search path: oid and size in bytes of each; no oid where there
-- is no such table.
local SIZES = [[
select c.oid::bigint as oid,
    case when c.relpages > 0 then c.relpages::bigint * current_setting('block_size')::bigint end as size
from unnest($1::oid[]) with ordinality as t (oid, place) left join pg_class c on c.oid = t.oid
order by t.place]]

function catalog.tables(names) -- internal
    local found = spi.execute([[
        select pg_catalog.array_agg(pg_catalog.to_regclass(name)::pg_catalog.oid order by place) as oids
        from pg_catalog.unnest($1::pg_catalog.text[]) with ordinality as t (name, place)]], names)[1].oids
    return catalog.read(spi.execute, SIZES, found)
end

-- Of materialized views, by a list of their OIDs: which (matview) are made of which others of the list (used), also by
-- other views.
local MADE_OF = [[
with recursive uses as (
    select r.ev_class as view, d.refobjid as used
    from pg_rewrite r join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid
    where d.refclassid = 'pg_class'::regclass and d.refobjid <> r.ev_class
),
reached as (
    select u.view as matview, u.used from uses u where u.view::bigint = any ($1)
    union
    select r.matview, u.used from reached r join uses u on u.view = r.used
)
select matview::bigint as matview, used::bigint as used from reached where used::bigint = any ($1) order by 1, 2]]

function catalog.made_of(matviews) -- internal
    return catalog.read(spi.execute, MADE_OF, matviews)
end

-- A relation by its name as it is written, found by the caller's search path: oid, name with schema, temporary; nil.
function catalog.find(name) -- internal
    return spi.execute([[
        select c.oid::pg_catalog.int8 as oid, pg_catalog.format('%I.%I', n.nspname, c.relname) as name,
            c.relpersistence operator(pg_catalog.=) 't'::pg_catalog."char" as temporary
        from pg_catalog.pg_class c, pg_catalog.pg_namespace n
        where c.oid operator(pg_catalog.=) pg_catalog.to_regclass($1::pg_catalog.text)::pg_catalog.oid
            and n.oid operator(pg_catalog.=) c.relnamespace]], name)[1]
end

-- A name that is written as SQL has it, quoted where it has to be.
function catalog.quoted(name) -- internal
    return spi.execute([[
        select pg_catalog.string_agg(pg_catalog.quote_ident(part), '.' order by place) as name
        from pg_catalog.unnest(pg_catalog.parse_ident($1::pg_catalog.text)) with ordinality as p (part, place)]],
        name)[1].name
end

-- The columns of a relation that are not generated, there and in another one (nil: none), as a list of SQL.
function catalog.columns(oid, other) -- internal
    return spi.execute([[
        select pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' order by a.attnum) as list
        from pg_catalog.pg_attribute a
        where a.attrelid operator(pg_catalog.=) $1::pg_catalog.oid and a.attnum operator(pg_catalog.>) 0
            and not a.attisdropped and a.attgenerated operator(pg_catalog.=) ''::pg_catalog."char"
            and not exists (
                select from pg_catalog.pg_attribute b
                where b.attrelid operator(pg_catalog.=) $2::pg_catalog.oid
                    and b.attname operator(pg_catalog.=) a.attname
                    and b.attgenerated operator(pg_catalog.<>) ''::pg_catalog."char")]], oid, other)[1].list
end

-- A column: its quoted name, whether it may be NULL, and the schema of its operators where that is the server's own.
function catalog.key_of(oid, column) -- internal
    return spi.execute([[
        select pg_catalog.quote_ident(a.attname) as name, not a.attnotnull as nullable,
            case when t.typnamespace operator(pg_catalog.=) 'pg_catalog'::pg_catalog.regnamespace
                then 'pg_catalog' end as operators
        from pg_catalog.pg_attribute a, pg_catalog.pg_type t
        where a.attrelid operator(pg_catalog.=) $1::pg_catalog.oid and t.oid operator(pg_catalog.=) a.atttypid
            and a.attname operator(pg_catalog.=) $2::pg_catalog.name]], oid, column)[1]
end

return catalog
