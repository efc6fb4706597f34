-- What is kept with a session for pg_background: a flat table of strings, numbers and booleans, as
-- bytes. It belongs to the session, not to an interpreter: another role that may use the session
-- finds it too.

local core = require 'bg.core'

local formats = {string = 's4', integer = 'j', float = 'n', boolean = 'B'}
local letters = {string = 's', integer = 'i', float = 'f', boolean = 'b'}
local by_letter = {s = 's4', i = 'j', f = 'n', b = 'B'}

local function kind_of(value)
    return math.type(value) or type(value)
end

local function encode(fields)
    local parts = {}
    for key, value in pairs(fields) do
        local kind = kind_of(value)
        if kind == 'boolean' then value = value and 1 or 0 end
        parts[#parts + 1] = string.pack('s1c1' .. formats[kind], key, letters[kind], value)
    end
    return table.concat(parts)
end

local function decode(bytes)
    local fields, at = {}, 1
    while at <= #bytes do
        local key, letter, value
        key, letter, at = string.unpack('s1c1', bytes, at)
        value, at = string.unpack(by_letter[letter], bytes, at)
        if letter == 'b' then value = value ~= 0 end
        fields[key] = value
    end
    return fields
end

-- The note of a session; nil when it is not one of pg_background.
local function read(session)
    local bytes = core.note(session)
    return bytes and decode(bytes)
end

local function write(session, fields)
    core.note(session, encode(fields))
end

return {encode = encode, decode = decode, read = read, write = write}
