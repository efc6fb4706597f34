-- Lets modules into the sandbox of the trusted language. For the administrator's start-up code
-- (pllua_bg.on_trusted_init).
-- Called by the interpreter with the sandbox's globals, its package.loaded, and the list of allowed modules.
local sandbox, loaded, allowed = ...

local trusted = { sandbox = sandbox }

-- A table that stands for module: reads go through, writes stay in it. Tables inside are proxied too when deep.
local function proxy(module, deep, seen)
    if type(module) ~= "table" then return module end
    if seen[module] then return seen[module] end
    local result = {}
    seen[module] = result
    if deep then
        for key, value in next, module do
            if type(value) == "table" then result[key] = proxy(value, deep, seen) end
        end
    end
    local meta = { __index = module, __metatable = true }
    local origin = getmetatable(module)
    if type(origin) == "table" and origin.__call then
        function meta.__call(_, ...) return module(...) end
    end
    return setmetatable(result, meta)
end

local function copy(module, deep, seen)
    if type(module) ~= "table" then return module end
    if seen[module] then return seen[module] end
    local result = {}
    seen[module] = result
    for key, value in next, module do
        result[key] = deep and copy(value, deep, seen) or value
    end
    return result
end

-- How code in the sandbox sees a module. A function here is a mode that allow() takes by its name.
trusted.modes = {
    direct = function(module) return module end,
    copy = function(module) return copy(module, true, {}) end,
    scopy = function(module) return copy(module, false, {}) end,
    proxy = function(module) return proxy(module, true, {}) end,
    sproxy = function(module) return proxy(module, false, {}) end,
}

local function mode_function(mode)
    if type(mode) ~= "function" then mode = trusted.modes[mode == nil and "proxy" or mode] end
    if type(mode) ~= "function" then error("trusted.modes value is not a function", 4) end
    return mode
end

local function allow_one(name, newname, mode, global, immediate)
    if name == nil then return end
    newname = newname or name
    mode = mode_function(mode)
    loaded[newname] = nil
    allowed[newname] = function() return mode(require(name)) end
    if not (global or immediate) then return end
    local module = allowed[newname]()
    loaded[newname] = module
    if global then sandbox[global == true and newname or global] = module end
end

-- allow(name, newname, mode, global, immediate), or a list of names and of such argument lists. The
-- sandbox's require finds
-- the
-- module under newname; global (true or a name) also makes it a global there.
function trusted.allow(name, newname, mode, global, immediate)
    if type(name) ~= "table" then return allow_one(name, newname, mode, global, immediate) end
    for _, item in ipairs(name) do
        if type(item) == "table" then
            allow_one(table.unpack(item, 1, 5))
        else
            allow_one(item, nil, mode, global, immediate)
        end
    end
end

-- The same, loaded at once and made a global.
function trusted.require(name, newname, mode)
    return trusted.allow(name, newname, mode, true, true)
end

-- Takes a module out again, and the global when one is named.
function trusted.remove(newname, global)
    allowed[newname] = nil
    loaded[newname] = nil
    if global then sandbox[global == true and newname or global] = nil end
end

return trusted
