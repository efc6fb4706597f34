-- Every statement that the scheduler runs itself goes through here. It is a superuser's process, so that no statement
-- takes a value of a type, or calls a function, that is not the server's own; its search_path is pg_catalog.

local spi -- at the first use: tests without a server have none

local sql = {}

local statements = {}
local used = false -- since the last commit

-- The statement, prepared once.
function sql.prepared(text) -- internal
    used = true
    local statement = statements[text]
    if not statement then
        spi = spi or require 'pllua.spi'
        statement = spi.prepare(text)
        statements[text] = statement
    end
    return statement
end

-- Its result, with these values.
function sql.execute(text, ...) -- internal
    return sql.prepared(text):execute(...)
end

-- Numbers as an array of the server.
function sql.array(list) -- internal
    return '{' .. table.concat(list, ',') .. '}'
end

-- Ends the transaction, if it has done anything.
function sql.commit() -- internal
    if not used then return end
    used = false
    spi.commit()
end

return sql
