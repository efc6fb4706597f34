-- Outside of a statement's snapshot a wait for sessions holds nothing back: neither vacuum nor CREATE INDEX CONCURRENTLY, which waits for
-- all snapshots. Each in a fresh backend, which has looked up most in the catalogs.
create table small as select g as a from generate_series(1, 1000) as g;
create function held_by(backend int) returns boolean language plpgsql as $$
	begin
		while (select backend_xmin is not null from pg_stat_activity where pid = backend) loop perform pg_stat_clear_snapshot(); end loop;
		return false;
	end $$;

\c
set statement_timeout = '60s';
do language pllua_bg $$
	local me = spi.execute('select pg_backend_pid()')[1][1]
	spi.commit()
	local s <close> = bg.launch()
	print('exec', s:exec('create index concurrently i1 on small (a)').tag)
	print('exec', s:exec('select held_by($1)', me).value)
	local f = s:run('select held_by($1)', me)
	print('future', f:get().value)
	for row in s:rows('select held_by($1) as held', me) do print('rows', row.held) end
	print('first of several', bg.wait{s:run('select held_by($1)', me)}:get().value)
$$;
\c
set statement_timeout = '60s';
do language pllua_bg $$
	local me = spi.execute('select pg_backend_pid()')[1][1]
	spi.commit()
	print('autonomous', bg.autonomous('select held_by($1)', me).value)
$$;
\c
set statement_timeout = '60s';
do language pllua_bg $$
	local me = spi.execute('select pg_backend_pid()')[1][1]
	spi.commit()
	for _, held in ipairs(bg.map({1, 2}, 'select held_by(' .. me .. ') and $1 = 0')) do print('map', held.value) end
$$;
\c
set statement_timeout = '60s';
do language pllua_bg $$
	local me = spi.execute('select pg_backend_pid()')[1][1]
	spi.commit()
	for held in bg.each({1, 2}, 'select held_by(' .. me .. ') and $1 = 0') do print('each', held.value) end
$$;
\c
set statement_timeout = '60s';
do language pllua_bg $$
	local me = spi.execute('select pg_backend_pid()')[1][1]
	spi.commit()
	bg.scope(function(scope)
		local task = scope:go(function() local s <close> = bg.launch() return s:exec('select held_by($1)', me).value end)
		print('scope', task:get())
	end)
$$;

drop table small;
drop function held_by;
