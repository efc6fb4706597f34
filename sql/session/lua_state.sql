-- A session keeps its state between commands: temporary tables, settings, transactions, prepared statements.
create table accounts (id int primary key, balance int);
insert into accounts values (1, 100), (2, 100);

do language pllua_bg $$
    local s <close> = bg.launch {settings = {work_mem = '7MB', enable_sort = false, ['my.text'] = "it's"}}
    print(s:exec('show work_mem').value, s:exec('show enable_sort').value, s:exec('show my.text').value)
    s:exec([[set work_mem = '5MB']])
    print(s:exec('show work_mem').value)
    s:exec('create temp table t as select 1 as a')
    s:exec('insert into t values (2)')
    print(s:exec('select sum(a) from t').value)
    s:exec('prepare p (int) as select $1 * 2')
    print(s:exec('execute p (21)').value)
    s:exec([[declare c cursor with hold for select generate_series(1, 3)]])
    print(s:exec('fetch 2 from c').n, s:exec('fetch 2 from c').n)
    s:exec([[select set_config('my.text', 'changed', false)]])
    print(s:exec('show my.text').value)
    s:exec('discard all')
    print(pcall(s.exec, s, 'select * from t'))
$$;

-- settings of the launcher are replayed
set search_path = pg_catalog, public;
set work_mem = '6MB';
set my.other = 'inherited';
do language pllua_bg $$
    local s <close> = bg.launch()
    print(s:exec('show search_path').value, s:exec('show work_mem').value, s:exec('show my.other').value)
$$;
reset search_path;
reset work_mem;

-- transactions across runs
do language pllua_bg $$
    local s <close> = bg.launch()
    local other <close> = bg.launch()
    local function balance(who) return who:exec('select balance from accounts where id = 1').value end
    s:begin()
    s:exec('update accounts set balance = balance - 10 where id = 1')
    print(balance(s), balance(other), s:status().transaction)
    s:rollback()
    print(balance(s), s:status().transaction)
    s:begin {isolation = 'repeatable read', readonly = true}
    print(s:exec('show transaction_isolation').value, s:exec('show transaction_read_only').value)
    print(pcall(s.exec, s, 'update accounts set balance = 0'))
    s:rollback()
    s:exec('begin; update accounts set balance = 90 where id = 1; savepoint a')
    s:exec('update accounts set balance = 0 where id = 1')
    s:exec('rollback to a')
    print(s:commit().tag, balance(other))
    -- a string of several statements is one transaction
    print(pcall(s.exec, s, 'update accounts set balance = 1 where id = 1; select 1 / 0'))
    print(balance(s))
$$;

-- atomic
do language pllua_bg $$
    local s <close> = bg.launch()
    local function transfer(session, from, to, amount)
        return session:atomic(function()
            session:exec('update accounts set balance = balance - $1 where id = $2', amount, from)
            session:exec('update accounts set balance = balance + $1 where id = $2', amount, to)
            if amount > 50 then error('too much') end
            return amount, nil, 'done'
        end)
    end
    print(transfer(s, 1, 2, 10))
    print(pcall(transfer, s, 1, 2, 60))
    print(s:status().transaction)
    s:atomic(function()
        transfer(s, 1, 2, 5)
        print((pcall(transfer, s, 1, 2, 60)))
        print(s:status().transaction)
        transfer(s, 2, 1, 1)
    end)
    for _, r in ipairs(s:exec('select id, balance from accounts order by id')) do print(r.id, r.balance) end
    print(pcall(s.atomic, s, function() s:exec('select 1 / 0') end))
    print(pcall(s.atomic, s, function() spi.execute('select 1 / 0') end))
    print(s:exec('select 1').value, s:status().transaction)
    print(pcall(s.atomic, s, 5))
$$;

-- what cannot run inside a transaction or a function runs in a session
do language pllua_bg $$
    local s <close> = bg.launch()
    for _, sql in ipairs {'vacuum accounts', 'create index concurrently on accounts (balance)',
            'reindex table concurrently accounts'} do
        s:run(sql)
    end
    -- what runs concurrently waits for the snapshots of others, so the waiting statement may hold none
    spi.commit()
    for r in s:results() do print(r.tag) end
    s:exec('create procedure pg_temp.p() language plpgsql as $x$ begin commit; rollback; end $x$')
    print(s:exec('call pg_temp.p()').tag)
    print(s:exec([[do $x$ begin commit; end $x$]]).tag)
    local r = s:exec('copy accounts to stdout')
    print(r.n, r.tag, r.columns[1].name, r.columns[1].type, r[1][1], r[2][1])
    print(pcall(s.exec, s, 'copy accounts from stdin'))
    print(s:exec([[copy accounts to program 'cat >&2' ]]).tag)
$$;
drop table accounts;
