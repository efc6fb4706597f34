-- Patterns of names, as in psql: `*` stands for any characters and `?` for one, a dot parts schema and name, letters
-- are small ones except in double quotes, where nothing has a meaning.

local argcheck = require 'bg.argcheck'

local WILD = {['*'] = '%', ['?'] = '_'}
local ESCAPED = {['%'] = '\\%', ['_'] = '\\_', ['\\'] = '\\\\'}

-- The parts between dots, each as a pattern of LIKE; nil when a quote is not closed.
local function split(text)
    local parts, part, quoted, i = {}, {}, false, 1
    while i <= #text do
        local char = text:sub(i, i)
        if char == '"' and quoted and text:sub(i + 1, i + 1) == '"' then
            part[#part + 1] = '"'
            i = i + 1
        elseif char == '"' then
            quoted = not quoted
        elseif char == '.' and not quoted then
            parts[#parts + 1] = table.concat(part)
            part = {}
        else
            part[#part + 1] = not quoted and WILD[char] or ESCAPED[char] or (quoted and char or char:lower())
        end
        i = i + 1
    end
    parts[#parts + 1] = table.concat(part)
    return not quoted and parts or nil
end

-- Patterns of LIKE for the schema (nil: those of the search path) and for the name.
return function(text) -- internal
    argcheck.text(text, 'the pattern')
    local parts = split(text)
    local name = parts and table.remove(parts)
    if not parts or #parts > 1 or name == '' or parts[1] == '' then
        argcheck.fail(string.format('"%s" is no pattern of names', argcheck.clip(text)),
            "Patterns are as in psql: 'big', 'public.*', 'public.log_*', '*.*', 'public.\"Big\"'.")
    end
    return parts[1], name
end
