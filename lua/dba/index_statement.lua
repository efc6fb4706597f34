-- What a CREATE INDEX says before its columns: the table, as it is written, the name of the index, and whether it is
-- built concurrently.

local argcheck = require 'bg.argcheck'

-- Where the comment ends that begins at i; comments may be inside of each other.
local function end_of_comment(text, i)
    local depth = 0
    repeat
        local mark, place = text:match('([/*][*/])()', i)
        if mark == '/*' then
            depth, i = depth + 1, place
        elseif mark == '*/' then
            depth, i = depth - 1, place
        else
            i = mark and place - 1 or #text + 1
        end
    until depth == 0 or i > #text
    return i
end

-- Where the next token begins, beyond blanks and comments.
local function skip(text, i)
    while true do
        i = text:match('^%s*()', i)
        if text:find('^%-%-', i) then
            i = text:match('^[^\n]*()', i)
        elseif text:find('^/%*', i) then
            i = end_of_comment(text, i)
        else
            return i
        end
    end
end

-- A name in quotes, where a quote is written twice.
local function quoted(text, i)
    local from = i
    repeat i = text:match('^"[^"]*"()', i) until not i or text:sub(i, i) ~= '"'
    return i and text:sub(from, i - 1), i
end

local function next_token(text, i)
    i = skip(text, i)
    if text:sub(i, i) == '"' then return quoted(text, i) end
    local token, place = text:match('^([%a_\x80-\xff][%w_$\x80-\xff]*)()', i)
    if token then return token, place end
    return text:sub(i, i), i + 1
end

local Reader = {}
Reader.__index = Reader

function Reader:advance() -- internal
    self.token, self.place = next_token(self.text, self.place)
    if not self.token or self.token == '' then self.token, self.place = '', #self.text + 1 end
end

-- Takes that word, when it comes next.
function Reader:accept(word) -- internal
    if self.token:lower() ~= word then return false end
    self:advance()
    return true
end

-- A name, perhaps with its schema; nil when none comes next.
function Reader:name() -- internal
    local parts = {}
    repeat
        if not self.token:find('^["%a_\x80-\xff]') then return nil end
        parts[#parts + 1] = self.token
        self:advance()
    until not self:accept('.')
    return table.concat(parts, '.')
end

local function read(text)
    local reader = setmetatable({text = text, place = 1}, Reader)
    reader:advance()
    if not reader:accept('create') then return nil end
    reader:accept('unique')
    if not reader:accept('index') then return nil end
    local found = {concurrently = reader:accept('concurrently')}
    if not reader:accept('on') then
        found.index = reader:name()
        if found.index and found.index:lower() == 'if' and reader:accept('not') then
            if not reader:accept('exists') then return nil end
            found.index = reader:name()
        end
        if not found.index or not reader:accept('on') then return nil end
    end
    reader:accept('only')
    found.table = reader:name()
    return found.table and found
end

-- {table =, index =, concurrently =} of a statement; index is nil when the server is to name it.
return function(text) -- internal
    local found = read(text)
    if found then return found end
    argcheck.mismatch('each statement of bg.create_indexes must be a CREATE INDEX', text)
end
