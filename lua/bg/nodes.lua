-- Which servers there are: foreign servers that a session can be on, and the nodes and shards of Citus.

local core = require 'bg.core'
local argcheck = require 'bg.argcheck'
local server_text = require 'bg.server'
local map = require 'bg.map'
local spi -- at the first call: tests without a server have none

local nodes = {citus = {}}

-- Operators and functions are named with their schema, as in chunks.lua.
local SERVERS = [[
select s.srvname::pg_catalog.text as name, pg_catalog.has_server_privilege(s.oid, 'usage') as usable,
    (select pg_catalog.split_part(o, '=', 2) from pg_catalog.unnest(s.srvoptions) o
        where o operator(pg_catalog.~~) 'host=%') as host,
    (select pg_catalog.split_part(o, '=', 2) from pg_catalog.unnest(s.srvoptions) o
        where o operator(pg_catalog.~~) 'port=%') as port
from pg_catalog.pg_foreign_server s, pg_catalog.pg_foreign_data_wrapper w, pg_catalog.pg_proc p
where w.oid operator(pg_catalog.=) s.srvfdw and p.oid operator(pg_catalog.=) w.fdwvalidator
    and p.proname operator(pg_catalog.=)
        any (array['postgres_fdw_validator', 'dblink_fdw_validator', 'postgresql_fdw_validator']::pg_catalog.name[])
    and s.srvname::pg_catalog.text operator(pg_catalog.~~) $1
order by s.srvname]]

local function execute(...)
    spi = spi or require 'pllua.spi'
    return spi.execute(...)
end

-- The names of the foreign servers whose names are like the pattern and that the current user may use; or the names
-- of a list, each of which has to be one.
function nodes.nodes(which)
    local names = {n = 0}
    if type(which) == 'table' then
        local known = {}
        for _, server in ipairs(execute(SERVERS, '%')) do known[server.name] = server end
        for _, name in ipairs(which) do
            local server = known[argcheck.text(name, 'each name of bg.nodes')]
            if not server then
                core.raise('42704', string.format('server "%s" does not exist', server_text.shown(name)),
                    'bg.nodes() has the names of those that there are for sessions.')
            end
            if not server.usable then
                core.raise('42501', string.format('permission denied for foreign server %s', name))
            end
            names.n = names.n + 1
            names[names.n] = name
        end
        return names
    end
    if which ~= nil then argcheck.text(which, 'the pattern of bg.nodes, unless it is a list,') end
    for _, server in ipairs(execute(SERVERS, which or '%')) do
        if server.usable then
            names.n = names.n + 1
            names[names.n] = server.name
        end
    end
    return names
end

-- A relation of Citus; an error where there is none.
local function require_citus(relation)
    local found = execute("select pg_catalog.to_regclass($1) is not null as found", 'pg_catalog.' .. relation)[1].found
    if found then return end
    core.raise('55000', 'this database has no nodes of Citus', 'bg.citus needs the extension citus.')
end

local function address(host, port) return string.format('%s:%s', host, port) end

-- The servers by host and port.
local function servers_by_address()
    local servers = {}
    for _, server in ipairs(execute(SERVERS, '%')) do
        if server.usable and server.host then
            local key = address(server.host, server.port or '5432')
            servers[key] = servers[key] or server.name
        end
    end
    return servers
end

-- The nodes of the cluster: {id=, group=, host=, port=, role=, active=, has_shards=, server=}, server: a foreign server
-- with this host and port, if there is one.
function nodes.citus.nodes()
    require_citus('pg_dist_node')
    local servers, list = servers_by_address(), execute([[
select nodeid as id, groupid as group, nodename as host, nodeport as port, noderole::pg_catalog.text as role,
    isactive as active, shouldhaveshards as has_shards from pg_catalog.pg_dist_node order by nodeid]])
    local found = {n = #list}
    for i, node in ipairs(list) do
        found[i] = {id = node.id, group = node.group, host = node.host, port = node.port, role = node.role,
            active = node.active, has_shards = node.has_shards, server = servers[address(node.host, node.port)]}
    end
    return found
end

-- The shards of a table, once for each place: {id=, name=, host=, port=, size=, server=}.
function nodes.citus.shards(relation)
    argcheck.text(relation, 'the table of bg.citus.shards')
    require_citus('citus_shards')
    local servers, list = servers_by_address(), execute([[
select shardid as id, shard_name as name, nodename as host, nodeport as port, shard_size as size
from pg_catalog.citus_shards where table_name operator(pg_catalog.=) $1::pg_catalog.regclass
order by shardid, nodename, nodeport]], relation)
    local found = {n = #list}
    for i, shard in ipairs(list) do
        found[i] = {id = shard.id, name = shard.name, host = shard.host, port = shard.port, size = shard.size,
            server = servers[address(shard.host, shard.port)]}
    end
    return found
end

-- A shard's name is quoted already where it has to be.
local function statement_for(shard, template)
    return (template:gsub('%%(.)', function(letter)
        if letter == 'I' or letter == 's' then return shard.name end
        if letter == 'L' then return spi.quote_literal(shard.name) end
        if letter == '%' then return '%' end
        argcheck.fail(string.format('"%%%s" in the statement of bg.citus.map is none of %%I, %%L and %%%%', letter))
    end))
end

-- Runs a statement on each shard of a table, on the node where it is: bg.map with `per_node` for workers. In the
-- statement %I is the name of the shard, %L the same as a literal. And the shards, in the order of the results.
function nodes.citus.map(relation, template, options)
    argcheck.text(template, 'the statement of bg.citus.map')
    if options ~= nil and type(options) ~= 'table' then
        argcheck.mismatch('bg.citus.map takes a table of options', options)
    end
    local shards, own = nodes.citus.shards(relation), {}
    for name, value in pairs(options or {}) do own[name] = value end
    own.workers, own.per_node = own.per_node or own.workers, nil
    own.server = function(shard)
        if shard.server then return shard.server end
        core.raise('42704', string.format('there is no foreign server for node %s', address(shard.host, shard.port)),
            'CREATE SERVER ... FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host, port, dbname)')
    end
    local results, errors = map.map(shards, function(session, shard)
        return session:exec(statement_for(shard, template))
    end, own)
    return results, errors, shards
end

return nodes
