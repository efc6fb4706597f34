-- Giving a role what it needs for pg_background's functions, and taking it away. As the current
-- user: who may not grant, or create roles, cannot do it here.

-- The role that pg_background's own scripts make, and the comment on it when it was made here.
local executor, mark = 'pgbackground_role', 'made by pllua_pg_background'

local members = [[
    select 'function ' || p.oid::pg_catalog.regprocedure::pg_catalog.text as object,
           'execute' as privilege
    from pg_catalog.pg_depend d
    join pg_catalog.pg_extension e on d.refobjid = e.oid
    join pg_catalog.pg_proc p on d.objid = p.oid
    where d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass
      and d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
      and e.extname = 'pllua_pg_background' and d.deptype = 'e'
      and p.proname !~ '((grant|revoke)_(pg_background_)?privileges|drop_executor_role)$'
    union all
    select c.oid::pg_catalog.regclass::pg_catalog.text, 'select'
    from pg_catalog.pg_depend d
    join pg_catalog.pg_extension e on d.refobjid = e.oid
    join pg_catalog.pg_class c on d.objid = c.oid
    where d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass
      and d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
      and e.extname = 'pllua_pg_background' and d.deptype = 'e' and c.relkind = 'v'
    order by 1]]

local function execute(statement, print_it)
    if print_it then print(statement) end
    spi.execute(statement)
end

local function change(form, role, print_it)
    local name = spi.execute('select pg_catalog.quote_ident($1) as name', role)[1].name
    execute(form:format('usage', 'schema bg', name), print_it)
    for _, member in ipairs(spi.execute(members)) do
        execute(form:format(member.privilege, member.object, name), print_it)
    end
    return true
end

-- The comment on the role ('': none); nil when there is no such role.
local function comment_on(role)
    local found = spi.execute([[
        select coalesce(pg_catalog.shobj_description(oid, 'pg_authid'), '') as comment
        from pg_catalog.pg_roles where rolname = $1]], role)[1]
    return found and found.comment
end

local function grant(role, print_it)
    if role == executor and not comment_on(executor) then
        execute('create role ' .. executor, print_it)
        execute(("comment on role %s is '%s'"):format(executor, mark), print_it)
    end
    return change('grant %s on %s to %s', role, print_it)
end

local function revoke(role, print_it) return change('revoke %s on %s from %s', role, print_it) end

-- Drops the role if it was made here; true when it was.
local function drop_executor_role()
    if comment_on(executor) ~= mark then
        spi.notice(('there is no role "%s" that pllua_pg_background has made'):format(executor))
        return false
    end
    revoke(executor)
    spi.execute('drop role ' .. executor)
    return true
end

return {grant = grant, revoke = revoke, drop_executor_role = drop_executor_role}
