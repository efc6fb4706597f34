-- The extension hstore_pllua_bg: values of type hstore are Lua tables in the language pllua_bg.

\echo Use "CREATE EXTENSION hstore_pllua_bg" to load this file. \quit

-- Keys and values are strings; NULL is false, as nil would leave the key out.
CREATE FUNCTION hstore_to_pllua_bg(val internal) RETURNS internal
    LANGUAGE pllua_bg STRICT IMMUTABLE AS $lua$
    local text, at, result = tostring(val), 1, {}
    -- What is quoted at this place, and the place behind it.
    local function quoted()
        local from, escaped = at + 1, false
        local to = text:find('["\\]', from)
        while text:byte(to) == 92 do
            escaped = true
            to = text:find('["\\]', to + 2)
        end
        at = to + 1
        local inner = text:sub(from, to - 1)
        return escaped and inner:gsub('\\(.)', '%1') or inner, nil
    end
    while at <= #text do
        local key = quoted()
        at = at + 2
        if text:byte(at) == 34 then
            result[key] = quoted()
        else
            result[key], at = false, at + 4
        end
        at = at + 2
    end
    return result
$lua$;

COMMENT ON FUNCTION hstore_to_pllua_bg(internal) IS 'makes a Lua table of an hstore';

CREATE FUNCTION pllua_bg_to_hstore(val internal) RETURNS hstore
    LANGUAGE pllua_bg STRICT IMMUTABLE AS $lua$
    if type(val) ~= 'table' then return val end
    local function quote(x) return '"' .. tostring(x):gsub('["\\]', '\\%0') .. '"' end
    local pairs_of = {}
    for key, value in pairs(val) do
        pairs_of[#pairs_of + 1] = quote(key) .. '=>' .. (value == false and 'NULL' or quote(value))
    end
    return table.concat(pairs_of, ', ')
$lua$;

COMMENT ON FUNCTION pllua_bg_to_hstore(internal) IS 'makes an hstore of a Lua table';

CREATE TRANSFORM FOR hstore LANGUAGE pllua_bg (
    FROM SQL WITH FUNCTION hstore_to_pllua_bg(internal),
    TO SQL WITH FUNCTION pllua_bg_to_hstore(internal)
);
