-- bg.on_commit: starts when the transaction commits, and only then.
\set SHOW_CONTEXT never
create table jobs (v text);
create function wait_until(condition text) returns void language pllua_bg as $$
    local limit = bg.now() + 60
    while not spi.execute('select ' .. condition .. ' as ok')[1].ok do
        if bg.now() > limit then error('never: ' .. condition) end
        bg.sleep(0.005)
    end
$$;
create function job(v text) returns void language pllua_bg as
    $$ bg.on_commit('insert into jobs values ($1)', v) $$;

begin;
select job('committed');
select count(*) from jobs;
commit;
select wait_until($$exists (select from jobs where v = 'committed')$$);

begin;
select job('rolled back');
rollback;

begin;
select job('before the savepoint');
savepoint a;
select job('rolled back to savepoint');
rollback to a;
savepoint b;
select job('released savepoint');
release b;
commit;
select wait_until($$(select count(*) = 2 from jobs where v like '%savepoint')$$);

-- a pcall that fails takes its jobs with it
do language pllua_bg $$
    pcall(function()
        bg.on_commit('insert into jobs values ($1)', 'in a failed pcall')
        error('x')
    end)
    pcall(function() bg.on_commit('insert into jobs values ($1)', 'in a pcall') end)
$$;
select wait_until($$exists (select from jobs where v = 'in a pcall')$$);

-- it sees what the transaction did
create table data (n int);
begin;
insert into data select generate_series(1, 10);
do language pllua_bg $$ bg.on_commit([[insert into jobs select 'sees ' || count(*) from data]]) $$;
commit;
select wait_until($$exists (select from jobs where v like 'sees%')$$);

-- typed parameters
do language pllua_bg $$
    bg.on_commit([[insert into jobs values (concat_ws(' ', $1 + 1, $2 * 2.0, $3, $4 is null))]], 1, 1.25, true, nil)
$$;
select wait_until($$exists (select from jobs where v like '2 %')$$);

do language pllua_bg 'bg.on_commit()';
do language pllua_bg 'bg.on_commit(5)';
begin;
select job('prepared');
prepare transaction 'p';

select v from jobs order by v collate "C";
drop table jobs, data;
drop function job, wait_until;
