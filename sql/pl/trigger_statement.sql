-- Statement triggers, transition tables, triggers on views.
CREATE SCHEMA pl_trigger_statement;
SET search_path = pl_trigger_statement;

CREATE TABLE t (id int, v text);
CREATE FUNCTION describe() RETURNS trigger LANGUAGE pllua_bg AS $$
  print(trigger.name, trigger.when, trigger.level, trigger.op, old, new, trigger.row)
  return 'ignored'
$$;
CREATE TRIGGER b BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON t FOR EACH STATEMENT EXECUTE FUNCTION describe();
CREATE TRIGGER a AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON t FOR EACH STATEMENT EXECUTE FUNCTION describe();
INSERT INTO t SELECT g, 'v' || g FROM generate_series(1, 3) g;
UPDATE t SET v = v || '+';
DELETE FROM t WHERE id = 3;
TRUNCATE t;
DROP TRIGGER b ON t;
DROP TRIGGER a ON t;

-- transition tables
INSERT INTO t SELECT g, 'v' || g FROM generate_series(1, 3) g;
CREATE FUNCTION compare() RETURNS trigger LANGUAGE pllua_bg AS $$
  print(trigger.op, trigger.old_table, trigger.new_table)
  if trigger.old_table and trigger.new_table then
    for row in spi.rows('SELECT o.v AS before, n.v AS after FROM o JOIN n USING (id) ORDER BY id') do print(row.before, row.after) end
    print(pcall(function() return spi.execute('SELECT count(*) AS n FROM o')[1].n end))
    local statement = spi.prepare('SELECT count(*) AS n FROM n WHERE id > $1', { 'int4' })
    print(statement:execute(1)[1].n, statement:execute(2)[1].n)
  end
$$;
CREATE TRIGGER u AFTER UPDATE ON t REFERENCING OLD TABLE AS o NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION compare();
UPDATE t SET v = v || '!';
UPDATE t SET v = 'none' WHERE false;
CREATE FUNCTION count_new() RETURNS trigger LANGUAGE pllua_bg AS $$ print(trigger.level, new, spi.execute('SELECT count(*) AS c FROM added')[1].c) $$;
CREATE TRIGGER i AFTER INSERT ON t REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION count_new();
CREATE TRIGGER ir AFTER INSERT ON t REFERENCING NEW TABLE AS added FOR EACH ROW EXECUTE FUNCTION count_new();
INSERT INTO t VALUES (10, 'x'), (11, 'y');
-- a cursor over a transition table that is left open
CREATE FUNCTION half_read() RETURNS trigger LANGUAGE pllua_bg AS $$
  for row in spi.rows('SELECT * FROM gone') do print(row.id) break end
  local next_row = spi.rows('SELECT * FROM gone')
  print(next_row().id)
  spi.execute('SELECT 1')
  print(next_row().id)
$$;
CREATE TRIGGER d AFTER DELETE ON t REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION half_read();
DELETE FROM t WHERE id >= 10;
DROP TRIGGER d ON t;

-- views
CREATE VIEW view AS SELECT id, v FROM t;
CREATE FUNCTION instead() RETURNS trigger LANGUAGE pllua_bg AS $$
  print(trigger.when, trigger.level, trigger.op, old, new, ...)
  if trigger.op == 'insert' then spi.execute('INSERT INTO t VALUES ($1, $2)', new.id, new.v) new.v = 'seen' return new end
  if trigger.op == 'delete' then spi.execute('DELETE FROM t WHERE id = $1', old.id) return old end
  if new.id == 1 then return nil end
$$;
CREATE TRIGGER view INSTEAD OF INSERT OR UPDATE OR DELETE ON view FOR EACH ROW EXECUTE FUNCTION instead('arg');
INSERT INTO view VALUES (5, 'five') RETURNING *;
UPDATE view SET v = 'u' WHERE id IN (1, 5) RETURNING *;
DELETE FROM view WHERE id = 5 RETURNING *;
TABLE t ORDER BY id;

\set VERBOSITY terse
SET client_min_messages = warning;
DROP SCHEMA pl_trigger_statement CASCADE;
