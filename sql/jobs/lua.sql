-- Jobs in Lua: submitting, handles that can be waited for, and what the code of a job can ask for.
\set SHOW_CONTEXT never
create table put (a int, b text);
do language pllua_bg $$
    _G.one = bg.submit('insert into put values ($1, $2) returning a', {1, 'x'})
    _G.two = bg.submit('select $1 * 2 as twice, $2 as list', {21, {1, 2}}, {priority = 1})
    _G.bad = bg.submit('select 1 / $1', {0}, {attempts = 1})
    _G.void = bg.submit('select pg_notify($1, $2)', {'c', 'd'})
    print(math.type(one), bg.self, bg.cancelled())
$$;
do language pllua_bg $$
    local j = bg.job(one)
    print(j:wait(60), j:result(), j:done(), j:status().state, tostring(j) == 'bg.job ' .. one)
    local result = bg.job(two):result(60)
    print(result.twice, #result.list)
    local value, err = bg.job(bad):try(60)
    print(value, err.sqlstate, err.message)
    print(pcall(bg.job(bad).result, bg.job(bad)))
    print(bg.job(void):result(60), bg.job(bad):status().error.sqlstate)
    local all = bg.settled({bg.job(one), bg.job(bad), bg.job(two)}, 60)
    print(all[1].ok, all[2].ok, all[3].ok)
$$;
do language pllua_bg $$
    local ids = {}
    for i = 1, 10 do ids[i] = bg.submit('select $1::int', {i}) end
    spi.commit()
    local list = {}
    for i, id in ipairs(ids) do list[i] = bg.job(id) end
    print(table.concat(bg.all(list, 60), ' '))
    -- Tasks that wait for jobs let the others run; a session is waited for beside them.
    local id = bg.submit('select 7')
    local child = bg.submit('select 8', nil, {after = {bg.job(id)}})
    spi.commit()
    bg.scope(function(scope)
        local a = scope:go(function() return bg.job(child):result() end)
        local b = scope:go(function() local s <close> = bg.launch() return s:exec('select 9').value end)
        print(a:get() + b:get())
    end)
    local never = bg.submit('select 1', nil, {delay = 1000})
    spi.commit()
    local first, index = bg.wait({bg.job(never), bg.job(id)}, 60)
    print(index, first:result(), bg.job(never):wait(0), (bg.job(never):result(0.01)))
    print(bg.job(never):cancel())
    spi.commit()
    print(bg.job(never):wait(60), bg.job(never):cancel())
    print(bg.job(never):retry())
$$;
select bg.cancel_job(id) from bg.jobs where state = 'scheduled' and sql = 'select 1';

-- What a job knows of itself.
create function tell() returns jsonb language pllua_bg as $$
    local self = bg.self
    bg.progress(1, 2, 'half')
    if self.attempt < 3 then error('attempt ' .. self.attempt) end
    return {attempt = self.attempt, queue = self.queue, key = self.key, cancelled = bg.cancelled(), is_number = math.type(self.id), progress = bg.progress(2, 2)}
$$;
select bg.submit('public.tell', null, '{"backoff": 0, "key": "told"}') as j \gset
select bg.wait_job(:j, 60), bg.job_result(:j);
select bg.submit('select bg.self() - ''id'' - ''submitted_at'', bg.cancelled()') as j \gset
select bg.wait_job(:j, 60), bg.job_result(:j);

-- Later again, which counts for nothing; not at all. The last call counts; an error undoes both.
create function naps() returns text language pllua_bg as $$
    local self = bg.self
    spi.execute('insert into put values ($1, $2)', self.snoozed, 'nap ' .. self.attempt)
    if self.snoozed == 0 then bg.snooze(0) end
    if self.snoozed == 1 then bg.discard('no') bg.snooze('0 s') end
    if self.snoozed == 2 then bg.snooze(5) bg.discard('enough') end
    return 'slept'
$$;
select bg.submit('public.naps') as j \gset
select bg.wait_job(:j, 60), bg.job_result(:j);
select state, snoozed, attempt, note, result from bg.jobs where id = :j;
select * from put where b like 'nap%' order by a;
select bg.submit('select bg.discard($1), 1 / 0', '["x"]', '{"attempts": 1}') as j1, bg.submit('select bg.snooze(''-1 s'')', null, '{"attempts": 1}') as j2 \gset
select bg.wait_job(:j1, 60), bg.wait_job(:j2, 60);
select error->>'message' as message from bg.jobs where id in (:j1, :j2) order by id;

-- Steps: what is done is not done again.
create procedure steps() language pllua_bg as $$
    local one = bg.step('one', function()
        spi.execute('insert into put values (1, $1)', 'step')
        return {n = 1, list = {1, 2}}
    end)
    local two = bg.step('two', function()
        spi.execute('insert into put values (2, $1)', 'step')
        if bg.self.attempt == 1 then error('first') end
    end)
    for _, value in ipairs{'text', '{"json', 5, 1.5, true, false} do
        assert(bg.step('value ' .. tostring(value), function() return value end) == value)
    end
    spi.execute('insert into put values ($1, $2)', bg.self.attempt, 'end ' .. one.n .. #one.list .. tostring(two))
    spi.commit()
    if bg.self.attempt < 3 then error('again') end
$$;
select bg.submit('public.steps', null, '{"transaction": false, "backoff": 0}') as j \gset
select bg.wait_job(:j, 60);
select jsonb_path_query_array(errors, '$[*].message') as errors from bg.jobs where id = :j;
select * from put where b like 'step%' or b like 'end%' order by b, a;
select count(*) from bg.job_step;
select bg.submit('do language pllua_bg $x$ bg.step(''a'', print) $x$', null, '{"attempts": 1}') as j1,
    bg.submit('do language pllua_bg $x$ bg.snooze(1) $x$', null, '{"attempts": 1, "transaction": false}') as j2 \gset
select bg.wait_job(:j1, 60), bg.wait_job(:j2, 60);
select error->>'message' as message from bg.jobs where id in (:j1, :j2) order by id;

drop table put;
drop function tell, naps;
drop procedure steps;
