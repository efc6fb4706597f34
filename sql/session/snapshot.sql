-- bg.launch{snapshot=true}: several sessions see one state of the database, that of the statement that launches them.
\set SHOW_CONTEXT never
SET statement_timeout = '60s';
CREATE TABLE seen (i int);
INSERT INTO seen VALUES (1);
CREATE FUNCTION look(pid int) RETURNS text LANGUAGE pllua_bg AS $$
    local ok, r = pcall(function() return bg.session(pid):exec('select array_agg(i order by i)::text from seen').value end)
    return ok and r or tostring(r)
$$;
CREATE FUNCTION tell(pid int, sql text) RETURNS text LANGUAGE pllua_bg AS $$
    local s = bg.session(pid)
    local ok, r = pcall(s.exec, s, sql)
    return s:status().transaction .. ' ' .. (ok and tostring(r.value or r.tag) or tostring(r))
$$;

-- What others commit later is not seen, what the launcher has not committed neither: before, in and after a savepoint.
SELECT bg.launch() AS other \gset
BEGIN;
INSERT INTO seen VALUES (2);
SAVEPOINT a;
INSERT INTO seen VALUES (3);
SAVEPOINT b;
INSERT INTO seen VALUES (4);
ROLLBACK TO b;
INSERT INTO seen VALUES (5);
SELECT tell(:other, 'insert into seen values (10)');
SELECT bg.launch(snapshot => true) AS one, bg.launch(name => 'two', snapshot => true) AS two \gset
SELECT transaction FROM bg.backend_sessions() WHERE pid IN (:one, :two);
SELECT tell(:other, 'insert into seen values (11)');
INSERT INTO seen VALUES (6);
SELECT look(:one), look(:two), look(:other);
COMMIT;
-- the launcher has committed, others too: the state stays
SELECT tell(:other, 'insert into seen values (12)');
SELECT look(:one), look(:two), look(:other);
SELECT tell(:one, 'show transaction_isolation');
-- until the session ends the transaction; then it is a session as any other
SELECT tell(:one, 'commit'), tell(:two, 'rollback');
SELECT look(:one) = look(:other), look(:two) = look(:other);
SELECT tell(:one, 'show transaction_isolation');
SELECT count(bg.close(pid)) FROM bg.backend_sessions();

-- more subtransactions than a process shows to others
TRUNCATE seen;
SELECT bg.launch() AS other \gset
BEGIN;
DO $$
BEGIN
    FOR i IN 1 .. 100 LOOP
        BEGIN
            INSERT INTO seen VALUES (i);
            IF i % 2 = 0 THEN RAISE 'no'; END IF;
        EXCEPTION WHEN raise_exception THEN NULL;
        END;
    END LOOP;
END $$;
SELECT tell(:other, 'insert into seen values (0)');
SELECT bg.launch(snapshot => true) AS one \gset
COMMIT;
SELECT look(:one);
SELECT tell(:other, 'select count(*) from seen');
SELECT count(bg.close(pid)) FROM bg.backend_sessions();

-- In one function: the snapshot is that of the statement that called it, whatever has been committed since; pcall makes no difference.
TRUNCATE seen;
DO LANGUAGE pllua_bg $$
    local state = 'select array_agg(i order by i)::text from seen'
    spi.execute('insert into seen values (1)')
    bg.autonomous('insert into seen values (2)')
    local a <close> = bg.launch{snapshot = true}
    bg.autonomous('insert into seen values (3)')
    local _, b = pcall(function() spi.execute('insert into seen values (4)') return bg.launch{snapshot = true} end)
    local c
    print(pcall(function() spi.execute('insert into seen values (5)') c = bg.launch{snapshot = true} error('undone', 0) end))
    print(a:exec(state).value, b:exec(state).value, c:exec(state).value, spi.execute(state)[1][1])
    b:close()
    c:close()
$$;
-- REPEATABLE READ and SERIALIZABLE: what the whole transaction sees
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT count(*) FROM seen;
SELECT bg.launch() AS other \gset
SELECT tell(:other, 'insert into seen values (5)');
SELECT bg.launch(snapshot => true) AS one \gset
SELECT tell(:one, 'select count(*) from seen'), count(*) FROM seen;
SELECT tell(:one, 'show transaction_isolation');
COMMIT;
-- it may write; what was changed since is a conflict, as in any such transaction
SELECT tell(:other, 'update seen set i = i where i = 1');
SELECT tell(:one, 'insert into seen values (6)');
SELECT tell(:one, 'update seen set i = i where i = 1');
SELECT tell(:one, 'select 1');
SELECT tell(:one, 'rollback'), tell(:one, 'select count(*) from seen');
SELECT count(bg.close(pid)) FROM bg.backend_sessions();
-- read only when it is so by default
DO LANGUAGE pllua_bg $$
    local s <close> = bg.launch{snapshot = true, settings = {default_transaction_read_only = true, default_transaction_isolation = 'serializable'}}
    print(pcall(s.exec, s, 'delete from seen'))
    s:rollback()
    print(s:exec('show transaction_isolation').value)
$$;

-- A session of the pool, and back to it.
SET pllua_bg.pool_size = 0;
SET pllua_bg.pool_size = 1;
SET pllua_bg.pool_lifetime = '1h';
DO LANGUAGE pllua_bg $$
    local s = bg.launch()
    local pid = s.pid
    local function let_go(session)
        session:close()
        repeat
            spi.execute('select pg_stat_clear_snapshot()')
        until spi.execute("select from pg_stat_activity where application_name = 'pllua_bg pool' and state = 'idle' and pid = $1", pid).n == 1
    end
    s:exec('select 1')
    let_go(s)
    for i = 1, 3 do
        local again = bg.launch{snapshot = true, name = 'again'}
        print(again.pid == pid, again:status().transaction, again:exec('show transaction_isolation').value, again:exec('select count(*) from seen').value)
        again:commit()
        let_go(again)
    end
    local plain <close> = bg.launch()
    print(plain.pid == pid, plain:exec('show transaction_isolation').value, plain:status().transaction)
$$;
RESET pllua_bg.pool_size;
RESET pllua_bg.pool_lifetime;
-- one that still has its snapshot is not used again
DO LANGUAGE pllua_bg $$
    local s = bg.launch{snapshot = true}
    local pid = s.pid
    s:exec('select 1')
    s:close()
    local t <close> = bg.launch()
    print(t.pid == pid, t:status().transaction)
$$;
-- closed, detached and forgotten before it has started
DO LANGUAGE pllua_bg $$
    for i = 1, 5 do
        bg.launch{snapshot = true}:close()
        bg.launch{snapshot = true}:detach()
        local s = bg.launch{snapshot = true}
        s:run('insert into seen values (100)')
        s:run('commit')
        s:detach()
    end
$$;
DO LANGUAGE pllua_bg $$ repeat bg.sleep(0.01) until spi.execute('select from seen where i = 100').n == 5 $$;
-- begin, atomic, prepare, rows in the transaction that is open from the start
DO LANGUAGE pllua_bg $$
    local s <close> = bg.launch{snapshot = true}
    print(s:atomic(function() return s:exec('insert into seen values (200)').tag end), s:status().transaction)
    print(pcall(s.atomic, s, function() error('undone', 0) end))
    local st <close> = s:prepare('select i from seen where i >= $1')
    for row in st:rows(200) do print(row.i) end
    s:commit()
    print(spi.execute('select from seen where i = 200').n)
$$;

-- A procedure that commits: a snapshot for each of its transactions.
TRUNCATE seen;
CREATE PROCEDURE steps() LANGUAGE pllua_bg AS $$
    local first <close> = bg.launch{snapshot = true}
    spi.execute('insert into seen values (1)')
    spi.commit()
    local second <close> = bg.launch{snapshot = true}
    print(first:exec('select count(*) from seen').value, second:exec('select count(*) from seen').value)
    spi.rollback()
    print(first:exec('select count(*) from seen').value, second:exec('select count(*) from seen').value)
$$;
CALL steps();
-- with a prepared transaction
BEGIN;
INSERT INTO seen VALUES (2);
SELECT bg.launch(snapshot => true) AS one \gset
PREPARE TRANSACTION 'regress_bg_snapshot';
SELECT look(:one);
COMMIT PREPARED 'regress_bg_snapshot';
SELECT look(:one);
SELECT bg.close(:one);
-- bad ones
DO LANGUAGE pllua_bg $$ bg.launch{snapshot = 'yes'} $$;
DO LANGUAGE pllua_bg $$ local s <close> = bg.launch{snapshot = false} print(s:status().transaction) $$;
DO LANGUAGE pllua_bg $$
    local s <close> = bg.launch{snapshot = true}
    local ok, err = pcall(bg.launch, {snapshot = true, settings = {no_such = 1}})
    print(err)
    ok, err = pcall(bg.launch, {snapshot = true, queue_size = 1})
    print(err)
    print(s:exec('select 1').value)
$$;
SET ROLE pg_monitor;
SELECT bg.launch(snapshot => true);
RESET ROLE;
DROP TABLE seen;
DROP FUNCTION look(int), tell(int, text);
DROP PROCEDURE steps();
