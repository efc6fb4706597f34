-- Metamethods that run while a value is converted change what is converted, and use the database.
\set SHOW_CONTEXT never
set client_min_messages = error;
create type with_json as (j jsonb);
set client_min_messages = info;
-- an array of rows: what is assigned to a field is converted then, and grows the array before it is converted itself
do language pllua_bg $$
    local function array() return spi.execute("select array[row('{}'), row('{}')]::with_json[] as a").value end
    local a = array()
    a[1].j = setmetatable({}, {__pairs = function()
        for i = 3, 5 do a[i] = {j = i} end
        return next, {}, nil
    end})
    print(tostring(a), #a)
    a = array()
    local row = a[1]
    row.j = setmetatable({}, {__pairs = function()
        a[-2], a[4] = {j = 1}, {j = 2}
        row.j = 5
        return next, {x = 1}, nil
    end})
    print(spi.execute('select array_dims($1), $1::text', a)[1], row.j)
    print(pcall(a, {map = function(element, array, i) array[i + 5000] = element return 1 end, discard = true}))
$$;
-- an error of a metamethod that has used the database, below a pcall that had not: the memory of the conversion is not used
-- afterwards
do language pllua_bg $$
    local s <close> = bg.launch()
    for i = 1, 50 do
        pcall(s.exec, s, 'select $1::jsonb', setmetatable({}, {__pairs = function()
            spi.execute('select 1')
            error('x')
        end}))
        collectgarbage()
    end
    print(#spi.execute('select $1::text', ('y'):rep(100)).value, s:exec('select $1::jsonb', {1}).value)
$$;
-- the name of a time zone that nothing but the conversion holds
do language pllua_bg $$
    local fields = setmetatable({year = 2020, month = 7, day = 1}, {__index = function(_, name)
        if name == 'timezone' then return table.concat{'Europe', '/', 'Berlin'} end
        collectgarbage()
        for i = 1, 100 do local _ = ('%013d'):format(i) end
    end})
    print(pgtype.timestamptz(fields):as_table('UTC').hour)
$$;
-- elements are moved in a loop that can be cancelled, and then all is as it was
do language pllua_bg $$
    _G.wide = pgtype.array.int4({1})
    wide[1.3e8] = 2
$$;
set statement_timeout = '100ms';
do language pllua_bg $$ wide[0] = 3 $$;
reset statement_timeout;
do language pllua_bg $$ print(wide[0], wide[1], wide[1.3e8], #wide) _G.wide = nil $$;
drop type with_json;
