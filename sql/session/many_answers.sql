-- More answers than are taken at a time have come before somebody waits: the wait does not sleep over the rest. It would for
-- deadlock_timeout.
set deadlock_timeout = '1h';
create function await_table(name text) returns void language plpgsql as $$
	begin while not exists (select from pg_class where relname = name) loop end loop; end $$;

-- Commands: none ends before the last is sent.
select bg.launch() as pid \gset
select pg_advisory_lock(76);
select bg.run(:pid, 'select pg_advisory_lock_shared(76)') \g /dev/null
select count(bg.run(:pid, 'select 1')) from generate_series(1, 500);
select bg.run(:pid, 'create table answered ()') \g /dev/null
select pg_advisory_unlock(76);
select await_table('answered');
select bg.wait(:pid);
select bg.close(:pid);

-- Notices.
select bg.launch(queue_size => 4 * 1024 * 1024) as pid \gset
select bg.run(:pid, 'do $d$ begin for i in 1 .. 2000 loop raise notice ''%'', i; end loop; end $d$; create table noticed ()') \g /dev/null
select await_table('noticed');
set client_min_messages = warning;
select bg.wait(:pid);
select bg.close(:pid);
reset client_min_messages;

-- Of several sessions, for the last; and for the first of any.
do language pllua_bg $$
	local sessions, futures = {}, {}
	spi.execute('select pg_advisory_lock(76)')
	for i = 1, 3 do
		sessions[i] = bg.launch()
		sessions[i]:run('select pg_advisory_lock_shared(76)')
		for j = 1, 500 do sessions[i]:run('select $1::int', j) end
		futures[i] = sessions[i]:run('create table many_' .. i .. ' ()')
	end
	spi.execute('select pg_advisory_unlock(76)')
	for i = 1, 3 do spi.execute('select await_table($1)', 'many_' .. i) end
	print(bg.any(futures) ~= nil, futures[3]:get().tag, futures[1]:get().tag)
	for _, s in ipairs(sessions) do s:close() end
$$;
drop table answered, noticed, many_1, many_2, many_3;
drop function await_table;
