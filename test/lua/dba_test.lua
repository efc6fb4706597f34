-- What the tools for databases plan and say, without a server.
local lu = require 'luaunit'
require 'fake_core'
local index_statement = require 'dba.index_statement'
local lag = require 'dba.lag'
local order = require 'dba.order'
local pattern = require 'dba.pattern'
local show = require 'dba.show'

TestDba = {}

local function named(list)
    local items, by_name = {}, {}
    for i, item in ipairs(list) do
        items[i] = item
        by_name[item.item] = item
    end
    for _, item in ipairs(items) do
        for j, name in ipairs(item.after or {}) do item.after[j] = by_name[name] end
    end
    return items, by_name
end

-- The items in the order in which they are taken until none can be; and whether there are more.
local function taken(from)
    local names = {}
    while true do
        local item, more = from:take()
        if not item then return table.concat(names, ' '), more end
        names[#names + 1] = item.item
    end
end

function TestDba:test_the_largest_comes_first()
    local items = order.largest_first{{item = 'a'}, {item = 'b', size = 1}, {item = 'c', size = 3}, {item = 'd'},
        {item = 'e', size = 3}}
    lu.assertEquals(taken(order.new(items)), 'c e b a d')
end

function TestDba:test_one_of_a_key_at_a_time()
    local items, by_name = named{{item = 'a', key = 1}, {item = 'b', key = 1}, {item = 'c', key = 2}, {item = 'd'},
        {item = 'e', key = 1}}
    local from = order.new(items)
    lu.assertEquals({taken(from)}, {'a c d', true})
    from:give(by_name.c)
    lu.assertEquals({taken(from)}, {'', true})
    from:give(by_name.a)
    lu.assertEquals({taken(from)}, {'b', true})
    from:give(by_name.b)
    lu.assertEquals({taken(from)}, {'e', false})
end

function TestDba:test_an_item_waits_for_others()
    local items, by_name = named{{item = 'a', after = {'b', 'c'}}, {item = 'b'}, {item = 'c', after = {'b'}},
        {item = 'd'}}
    local from = order.new(items)
    lu.assertEquals({taken(from)}, {'b d', true})
    from:give(by_name.b)
    lu.assertEquals({taken(from)}, {'c', true})
    from:give(by_name.d)
    lu.assertEquals({taken(from)}, {'', true})
    from:give(by_name.c)
    lu.assertEquals({taken(from)}, {'a', false})
end

function TestDba:test_nothing_to_do()
    lu.assertEquals({taken(order.new{})}, {'', false})
end

function TestDba:test_patterns()
    lu.assertEquals({pattern('big')}, {nil, 'big'})
    lu.assertEquals({pattern('Public.LOG_*')}, {'public', 'log\\_%'})
    lu.assertEquals({pattern('*.?')}, {'%', '_'})
    lu.assertEquals({pattern('"A.b"."*?%_\\"')}, {'A.b', '*?\\%\\_\\\\'})
    lu.assertEquals({pattern('"a""B"x')}, {nil, 'a"Bx'})
    for _, wrong in ipairs{'', 'a.', '.a', 'a.b.c', '"a', 1, false} do
        local ok, err = pcall(pattern, wrong)
        lu.assertFalse(ok)
        lu.assertEquals(err.sqlstate, '22023')
    end
end

function TestDba:test_the_plan()
    local items = named{{item = 'a', statement = 'vacuum a', size = 10 * 1024},
        {item = 'b', statement = 'refresh b', after = {'a'}},
        {item = 'c', statement = 'vacuum c', size = 3 << 40, refused = {message = 'no right'}},
        {item = 'd', statement = 'select'}}
    lu.assertEquals(show.plan(items),
        {'vacuum a  -- 10 kB', 'refresh b  -- after a', 'vacuum c  -- 3072 GB, not run: no right', 'select'})
    lu.assertEquals(show.size(0), '0 bytes')
    lu.assertEquals(show.size(5 << 50), '5120 TB')
end

function TestDba:test_the_line_of_progress()
    lu.assertEquals(show.progress('x', 2, 4, 4, false, {}), 'x: [##########..........] 2 of 4, 0.5/s, 4 s left')
    lu.assertEquals(show.progress('x', 0, 4, 4, false, {'a', 'b'}), 'x: [....................] 0 of 4; a, b')
    lu.assertEquals(show.progress('x', 4, 4, 130, true, {}), 'x: [####################] 4 of 4, 33 s each, 2:10 min')
    lu.assertEquals(show.progress('x', 0, 9, 1, false, {'a', 'b', 'c', 'd', 'e'}),
        'x: [....................] 0 of 9; a, b, c, 2 more')
end

function TestDba:test_statements_that_create_indexes()
    local function read(text)
        local found = index_statement(text)
        return table.concat({found.table, found.index or '-', found.concurrently and 'concurrently' or nil}, ' ')
    end
    for text, expected in pairs{
        ['create index on t (a)'] = 't -',
        ['CREATE UNIQUE INDEX CONCURRENTLY i ON s.t USING hash (a)'] = 's.t i concurrently',
        ['create index concurrently if not exists i on only "S x" . "t""(" (a)'] = '"S x"."t""(" i concurrently',
        ['create index if on t(a)'] = 't if',
        ['create /* on x /* nested */ on y */ index -- on z\n "on" on\tt2$(a)'] = 't2$ "on"',
        ['create index concurrently on on_t(a)'] = 'on_t - concurrently',
        ['create index \u{e9} on \u{e9}t (a)'] = '\u{e9}t \u{e9}',
    } do lu.assertEquals(read(text), expected) end
    for _, text in ipairs{'', 'drop table t', 'create table index (on int)', 'create index', 'create index i',
        'create index on', 'create index i (a)', 'create index if not i on t (a)',
        'create index "i on t (a)', 'create index i on (a)',
        'create index i on t.', 'create /* index i on t (a)', '-- create index i on t (a)'} do
        local ok, err = pcall(index_statement, text)
        lu.assertFalse(ok, text)
        lu.assertEquals(err.sqlstate, '22023')
    end
end

function TestDba:test_how_far_standbys_are_behind()
    local tracker = lag.new()
    lu.assertEquals(tracker:after(100, nil, 1), 0)
    lu.assertEquals(tracker:after(100, 90, 2), 0)
    lu.assertEquals(tracker:after(200, 90, 5), 3)
    lu.assertEquals(tracker:after(300, 150, 6), 1)
    lu.assertEquals(tracker:after(300, 199, 9), 4)
    lu.assertEquals(tracker:after(300, 300, 10), 0)
    lu.assertEquals(tracker:after(300, 300, 20), 0)
    lu.assertEquals(tracker:after(301, 300, 30), 0)
    lu.assertEquals(tracker:after(301, 300, 31), 1)
    lu.assertEquals(tracker:after(400, nil, 40), 0)
    lu.assertEquals(tracker:after(400, 300, 50), 0)
end

os.exit(lu.LuaUnit.run())
