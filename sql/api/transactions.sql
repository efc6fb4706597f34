-- spi.commit and spi.rollback in procedures and DO blocks.
create table tx_t (id int);

create procedure tx_loop() language pllua_bg as $$
  for i = 1, 10 do
    spi.execute('insert into tx_t values ($1)', i)
    if i % 2 == 0 then spi.commit() else spi.rollback() end
  end
$$;
call tx_loop();
select * from tx_t;
truncate tx_t;

do language pllua_bg $$
  print(spi.is_atomic())
  spi.execute('insert into tx_t values (1)')
  spi.commit()
  spi.execute('insert into tx_t values (2)')
  spi.rollback()
  print(spi.execute('select count(*) from tx_t').value)
$$;

-- a loop over a query goes on; one over a command that writes may not
truncate tx_t;
do language pllua_bg $$
  local n = 0
  for row in spi.rows('select generate_series(1, 120) as x') do
    n = n + 1
    spi.execute('insert into tx_t values ($1)', row.x)
    if row.x % 50 == 0 then spi.commit() elseif row.x % 60 == 0 then spi.rollback() end
  end
  print(n, spi.execute('select count(*) from tx_t').value)
$$;
select count(*), min(id), max(id) from tx_t;
do language pllua_bg $$
  for row in spi.rows('insert into tx_t select generate_series(1, 200) returning id') do spi.commit() end
$$;
-- a left-over iterator does no harm
do language pllua_bg $$
  _G.tx_left = spi.rows('select generate_series(1, 120) as x')
  print(tx_left().x)
  spi.commit()
  print(tx_left().x)
$$;
do language pllua_bg $$ print(tx_left().x, tx_left().x) _G.tx_left = nil $$;

-- where it is refused
create function tx_function() returns void language pllua_bg as $$
  print(spi.is_atomic())
  spi.commit()
$$;
select tx_function();
begin;
call tx_loop();
rollback;
do language pllua_bg $$
  print(pcall(spi.commit))
  print(pcall(function() spi.execute('select 1') spi.rollback() end))
  print(pcall(spi.is_atomic), spi.is_atomic())
$$;

-- procedures that call procedures
create procedure tx_outer() language pllua_bg as $$
  spi.execute('insert into tx_t values (1000)')
  spi.execute('call tx_loop()')
  spi.execute('insert into tx_t values (1001)')
  spi.rollback()
  print(spi.execute('select count(*) from tx_t where id >= 1000').value)
$$;
truncate tx_t;
call tx_outer();
select * from tx_t order by 1;
truncate tx_t;
do language plpgsql $$ begin insert into tx_t values (5); call tx_loop(); end $$;
select count(*) from tx_t;
do language pllua_bg $$
  print(pcall(spi.execute, 'call tx_loop()'))
$$;

-- statements, results and cursors across the end of a transaction
truncate tx_t;
do language pllua_bg $$
  local s = spi.prepare('insert into tx_t values ($1) returning id, repeat($2, 3) as t')
  local kept = s:execute(1, 'ab')
  local c = spi.newcursor('tx_c'):open('select generate_series(1, 3) as x')
  spi.commit()
  print(kept[1].t, s:execute(2, 'cd')[1].t, c:isopen())
  spi.rollback()
  print(kept[1].t, spi.execute('select count(*) from tx_t').value)
  local h = spi.execute('declare tx_h cursor with hold for select generate_series(1, 3) as x')
  local held = spi.findcursor('tx_h')
  spi.commit()
  print(held:isopen(), held:fetch(2).n)
  held:close()
$$;

-- an error at commit is an error of the call
create table tx_u (id int unique deferrable initially deferred);
create procedure tx_bad() language pllua_bg as $$
  spi.execute('insert into tx_u values (1), (1)')
  lpcall(spi.commit)
  print('never reached')
$$;
call tx_bad();
select count(*) from tx_u;

-- AND CHAIN: the next transaction is like the one that ends
do language pllua_bg $$
  local function like() return spi.execute("select current_setting('transaction_isolation') || ' ' || current_setting('transaction_read_only')").value end
  for _, finish in ipairs {spi.commit, spi.rollback} do
    for _, chain in ipairs {true, false} do
      spi.commit()
      spi.execute('set transaction isolation level repeatable read, read only')
      finish(chain)
      print(chain, like())
      finish()
      print(like())
    end
  end
$$;
do language pllua_bg $$ print(pcall(spi.commit, true)) $$;

drop table tx_t, tx_u;
drop procedure tx_loop, tx_outer, tx_bad;
drop function tx_function;
