-- core_calls.lua calls the whole of what lua/ calls, and the fake core has it. That it is like the real one:
-- test/tap/101_fake_core.pl.
local lu = require 'luaunit'
local core = require 'fake_core'
local core_calls = require 'core_calls'

local texts = {ok = 'ok 1', failing = 'fail no', slow = 'ok 1 after 1000', several = 'many 1 2', parameter = 'ok 1'}
local lines, called = core_calls(core, texts)

if arg[1] == 'print' then
    for _, line in ipairs(lines) do print(line) end
    os.exit()
end

TestCoreCalls = {}

function TestCoreCalls:test_all_that_lua_calls_is_called()
    local missing, seen = {}, 0
    for path in io.popen('find lua -name "*.lua"'):lines() do
        for line in io.lines(path) do
            for name in line:gsub('%-%-.*', ''):gmatch('%f[%w_]core%.([a-z_]+)') do
                seen = seen + 1
                if not called[name] then missing[name] = path end
            end
        end
    end
    lu.assertTrue(seen > 100)
    lu.assertEquals(missing, {})
end

function TestCoreCalls:test_the_fake_has_it()
    for name in pairs(called) do lu.assertNotNil(core[name], name) end
end

os.exit(lu.LuaUnit.run())
