-- Recursion in C that Lua code drives ends in an error (54001, or Lua's own "C stack overflow"), never in a crash; also where
-- the caller has nearly used up the stack.
create schema pl_stack;
set search_path = pl_stack, public;
\set VERBOSITY terse

-- coroutines that close one another
create procedure close_chain(n int) language pllua_bg as $$
    local cos = {}
    for i = 1, n do
        cos[i] = coroutine.create(function()
            local x <close> = setmetatable({}, {__close = function() if cos[i + 1] then assert(coroutine.close(cos[i + 1])) end end})
            coroutine.yield()
        end)
        coroutine.resume(cos[i])
    end
    assert(coroutine.close(cos[1]))
$$;
call close_chain(20);
call close_chain(12000);

-- suspended sets, each of which closes the cursor of the next
create function link(k int) returns setof int language pllua_bg as $$
    local x <close> = setmetatable({}, {__close = function() if _G.cursors[k - 1] then _G.cursors[k - 1]:close() end end})
    coroutine.yield(k)
    coroutine.yield(k)
$$;
create procedure cursor_chain(n int, closes bool) language pllua_bg as $$
    _G.cursors = {}
    local plan = spi.prepare('select link($1)', {'int4'})
    for k = 1, n do
        _G.cursors[k] = plan:getcursor(k)
        _G.cursors[k]:fetch(1)
    end
    if closes then
        _G.cursors[n]:close()
        print(_G.cursors[1]:isopen())
    end
    error 'the sets are left'
$$;
call cursor_chain(20, true);
set max_stack_depth = '100kB';
call cursor_chain(1000, true);
reset max_stack_depth;
call cursor_chain(4000, false);
-- what fails while its query is aborted
create function bad_link() returns setof int language pllua_bg as $$
    local x <close> = setmetatable({}, {__close = function() error 'close failed' end})
    coroutine.yield(1)
    coroutine.yield(1)
$$;
begin;
declare bad cursor for select bad_link();
fetch bad;
select 1 / 0;
rollback;

-- one of each road: what it ends with
create type pair as (a int, b text);
create function down(n int) returns int language pllua_bg as $$ return spi.execute('select down($1) as r', n + 1)[1].r $$;
create function roads() returns setof text language pllua_bg as $f$
    local depth
    local function deeper()
        depth = depth + 1
        if depth > 3000 then error('no end') end
    end
    local function object(events) return setmetatable({}, events) end
    local roads = {}
    function roads.close()
        local function open()
            local co = coroutine.create(function()
                local x <close> = object{__close = function() deeper() assert(coroutine.close(roads.open())) end}
                coroutine.yield()
            end)
            coroutine.resume(co)
            return co
        end
        roads.open = open
        assert(coroutine.close(open()))
    end
    local function caught(ok, message) if not ok then error(message, 0) end end
    function roads.wrap() deeper() coroutine.wrap(roads.wrap)() end
    function roads.resume() deeper() caught(coroutine.resume(coroutine.create(roads.resume))) end
    function roads.iterator() deeper() for _ in coroutine.wrap(roads.iterator) do end end
    function roads.pcall() deeper() caught(pcall(roads.pcall)) end
    function roads.xpcall() deeper() caught(xpcall(roads.xpcall, function(e) return e end)) end
    function roads.lpcall() deeper() caught(lpcall(roads.lpcall)) end
    function roads.gsub() deeper() return (('x'):gsub('x', roads.gsub)) end
    function roads.sort() deeper() table.sort({1, 2, 3}, roads.sort) end
    function roads.scope() deeper() local x <close> = object{__close = roads.scope} end
    function roads.load() deeper() local _, message = load(roads.load) error(message, 0) end
    function roads.require()
        package.preload.again = function() deeper() package.loaded.again = nil return require 'again' end
        require 'again'
    end
    function roads.syntax() assert(load('return ' .. ('('):rep(10000))) end
    function roads.execute() spi.execute('select down(1)') end
    function roads.json() local t = {} t[1] = t pgtype.jsonb(t) end
    function roads.json_text() pgtype.jsonb(('['):rep(1000000)) end
    function roads.json_map() deeper() pgtype.jsonb({1}, {map = roads.json_map}) end
    function roads.jsonb_map() deeper() pgtype.jsonb('[1]')(roads.jsonb_map) end
    function roads.array_map() deeper() pgtype.array.int4(1)(roads.array_map) end
    local function event(name, f)
        roads[name] = function()
            local o
            o = object{[name] = function() deeper() return f(o) end}
            return f(o)
        end
    end
    event('__tostring', function(o) return string.format('%s', o) end)
    event('__index', function(o) return table.concat(o, '', 1, 2) end)
    event('__newindex', function(o) table.insert(o, 1) end)
    event('__concat', function(o) return o .. o end)
    event('__len', function(o) return #o end)
    event('__unm', function(o) return -o end)
    event('__lt', function(o) return o < 1 end)
    event('__pairs', function(o) pgtype.jsonb(o) return next, {} end)
    roads.__name = nil
    local names = {}
    for name in pairs(roads) do names[#names + 1] = name end
    table.sort(names)
    for _, name in ipairs(names) do
        depth = 0
        local ok, message = pcall(roads[name])
        local _, text = pcall(tostring, message)
        text = tostring(text)
        if ok or not (text:find 'stack overflow' or text:find 'stack depth limit') then coroutine.yield(name .. ': ' .. text) end
    end
    coroutine.yield('all ended')
$f$;
select roads();
set max_stack_depth = '100kB';
select roads();
reset max_stack_depth;
-- from the deepest place that plpgsql reaches, and from a little above it
create function deepest() returns int language plpgsql as $$
declare low int := 1; high int := 200000; middle int;
begin
    while low + 1 < high loop
        middle := (low + high) / 2;
        begin
            perform down_to(middle);
            low := middle;
        exception when statement_too_complex then high := middle;
        end;
    end loop;
    return low;
end
$$;
create function down_to(n int) returns int language plpgsql as $$ begin return case when n = 0 then 0 else down_to(n - 1) end; end $$;
create function near_end(above int) returns text language plpgsql as $$
declare result text;
begin
    if above = 0 then select string_agg(r, ', ') into result from roads() r; return result; end if;
    return near_end(above - 1);
end
$$;
do $$
declare depth int := deepest();
begin
    for above in 1..3 loop
        begin
            if near_end(depth * (12 - above) / 12) <> 'all ended' then raise exception 'a road has no end'; end if;
        exception when statement_too_complex then null;
        end;
    end loop;
end
$$;

-- domains over domains
set max_stack_depth = '100kB';
do $$
begin
    create domain d0 as int;
    for i in 1..1000 loop execute format('create domain d%s as d%s', i, i - 1); end loop;
end
$$;
create function deep_domain(x d1000) returns d1000 language pllua_bg as 'return x';
select deep_domain(1);
do language pllua_bg $$ print(tostring(pgtype.d1000(1))) $$;
reset max_stack_depth;
select deep_domain(1);
-- With what is kept of the types a domain takes some 40 bytes of stack or some 300, as the compiler likes.
set max_stack_depth = '100kB';
do $$
begin
    if deep_domain(1) is distinct from 1 then raise notice 'wrong'; end if;
exception when statement_too_complex then null;
end
$$;
reset max_stack_depth;
set client_min_messages = warning;
drop schema pl_stack cascade;
