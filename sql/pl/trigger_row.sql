-- Row triggers: what they see, and what becomes of the row.
CREATE SCHEMA pl_trigger_row;
SET search_path = pl_trigger_row;

CREATE TABLE t (id int PRIMARY KEY, gone int, v text, g int GENERATED ALWAYS AS (id * 2) STORED);
ALTER TABLE t DROP COLUMN gone;
CREATE FUNCTION describe() RETURNS trigger LANGUAGE pllua_bg AS $$
  print(trigger.name, trigger.when, trigger.level, trigger.op, trigger.operation)
  print(trigger.relation.name, trigger.relation.namespace, trigger.relation.schema, trigger.relation.oid == relid)
  print('old', old, 'new', new, 'row', trigger.row, 'args', ...)
  print(trigger.old == old, trigger.new == new, #trigger.args, trigger.old_table, trigger.nonsense)
end
relid = spi.execute("SELECT 'pl_trigger_row.t'::regclass::oid AS o")[1].o
do $$;
CREATE TRIGGER before BEFORE INSERT OR UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION describe('x', 'y z');
CREATE TRIGGER after AFTER INSERT OR UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION describe();
INSERT INTO t VALUES (1, 'a');
UPDATE t SET v = 'b';
DELETE FROM t;
DROP TRIGGER before ON t;
DROP TRIGGER after ON t;

-- ways to change the row
CREATE FUNCTION change() RETURNS trigger LANGUAGE pllua_bg AS $$ new.v = new.v .. '!' $$;
CREATE TRIGGER change BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION change();
INSERT INTO t VALUES (1, 'new') RETURNING *;
CREATE OR REPLACE FUNCTION change() RETURNS trigger LANGUAGE pllua_bg AS $$ trigger.new.v = 'trigger.new' $$;
INSERT INTO t VALUES (2, 'x') RETURNING *;
CREATE OR REPLACE FUNCTION change() RETURNS trigger LANGUAGE pllua_bg AS $$ trigger.row.v = 'trigger.row' $$;
INSERT INTO t VALUES (3, 'x') RETURNING *;
CREATE OR REPLACE FUNCTION change() RETURNS trigger LANGUAGE pllua_bg AS $$ trigger.row = { id = new.id, v = 'assigned' } $$;
INSERT INTO t VALUES (4, 'x') RETURNING *;
CREATE OR REPLACE FUNCTION change() RETURNS trigger LANGUAGE pllua_bg AS $$ return { id = new.id + 1, v = 'returned' } $$;
INSERT INTO t VALUES (4, 'x') RETURNING *;
CREATE OR REPLACE FUNCTION change() RETURNS trigger LANGUAGE pllua_bg AS $$ new.v = nil return new $$;
INSERT INTO t VALUES (6, 'x') RETURNING *;
CREATE OR REPLACE FUNCTION change() RETURNS trigger LANGUAGE pllua_bg AS $$ trigger.row = nil return new $$;
INSERT INTO t VALUES (7, 'returned wins') RETURNING *;
CREATE OR REPLACE FUNCTION change() RETURNS trigger LANGUAGE pllua_bg AS $$ return old $$;
UPDATE t SET v = 'lost' WHERE id = 7 RETURNING *;
CREATE OR REPLACE FUNCTION change() RETURNS trigger LANGUAGE pllua_bg AS $$ new.id = new.id + 100 new.g = 5 $$;
UPDATE t SET v = 'generated' WHERE id = 7 RETURNING *;

-- ways to suppress the operation
CREATE OR REPLACE FUNCTION change() RETURNS trigger LANGUAGE pllua_bg AS $$ return nil $$;
INSERT INTO t VALUES (8, 'x') RETURNING *;
UPDATE t SET v = 'x';
CREATE OR REPLACE FUNCTION change() RETURNS trigger LANGUAGE pllua_bg AS $$ trigger.row = nil $$;
INSERT INTO t VALUES (8, 'x') RETURNING *;
-- and not to
CREATE OR REPLACE FUNCTION change() RETURNS trigger LANGUAGE pllua_bg AS $$ new = nil $$;
INSERT INTO t VALUES (8, 'a local variable') RETURNING *;

-- errors
CREATE OR REPLACE FUNCTION change() RETURNS trigger LANGUAGE pllua_bg AS $$ new.nonsense = 1 $$;
INSERT INTO t VALUES (9, 'x');
CREATE OR REPLACE FUNCTION change() RETURNS trigger LANGUAGE pllua_bg AS $$ new.id = 'abc' $$;
INSERT INTO t VALUES (9, 'x');
CREATE OR REPLACE FUNCTION change() RETURNS trigger LANGUAGE pllua_bg AS $$ return { id = 1, nonsense = 2 } $$;
INSERT INTO t VALUES (9, 'x');
CREATE OR REPLACE FUNCTION change() RETURNS trigger LANGUAGE pllua_bg AS $$ return 5 $$;
INSERT INTO t VALUES (9, 'x');
CREATE OR REPLACE FUNCTION change() RETURNS trigger LANGUAGE pllua_bg AS $$ trigger.new = new $$;
INSERT INTO t VALUES (9, 'x');
CREATE OR REPLACE FUNCTION change() RETURNS trigger LANGUAGE pllua_bg AS $$ trigger.row = 5 $$;
INSERT INTO t VALUES (9, 'x');
CREATE OR REPLACE FUNCTION change() RETURNS trigger LANGUAGE pllua_bg AS $$ trigger.name = 'x' $$;
INSERT INTO t VALUES (9, 'x');
CREATE OR REPLACE FUNCTION change() RETURNS trigger LANGUAGE pllua_bg AS $$ error 'refused' $$;
INSERT INTO t VALUES (9, 'x');

-- an object of a call that is over
CREATE OR REPLACE FUNCTION change() RETURNS trigger LANGUAGE pllua_bg AS $$ _G.pl_kept = trigger $$;
INSERT INTO t VALUES (9, 'x');
DO LANGUAGE pllua_bg $$ print(pcall(function() return pl_kept.name end)) _G.pl_kept = nil $$;
DROP TRIGGER change ON t;

-- values that are objects, and values too long for their row: only what was changed is stored anew
CREATE TABLE rich (id int, a int[], j jsonb, n numeric, p point, long text, c char(5), d timestamptz);
CREATE FUNCTION touch() RETURNS trigger LANGUAGE pllua_bg AS $$ new.a[2] = 22 new.n = new.n * 2 $$;
CREATE TRIGGER touch BEFORE INSERT OR UPDATE ON rich FOR EACH ROW EXECUTE FUNCTION touch();
INSERT INTO rich VALUES (1, '{1,2,3}', '{"k": [1]}', 1.50, '(1,2)', repeat('x', 100000), 'ab', '2020-01-01 00:00+00');
UPDATE rich SET id = 2;
SELECT id, a, j, n, p, length(long), c || '|' AS c, d AT TIME ZONE 'UTC' AS d FROM rich;

-- the shape of the table changes between calls
CREATE TABLE grows (a int);
CREATE FUNCTION see() RETURNS trigger LANGUAGE pllua_bg AS $$ print(new) new.a = new.a + 1 $$;
CREATE TRIGGER see BEFORE INSERT ON grows FOR EACH ROW EXECUTE FUNCTION see();
INSERT INTO grows VALUES (1);
ALTER TABLE grows ADD COLUMN b text;
INSERT INTO grows VALUES (1, 'b') RETURNING *;
ALTER TABLE grows DROP COLUMN b, ADD COLUMN c int DEFAULT 7;
INSERT INTO grows VALUES (1) RETURNING *;

-- one function for several tables, partitions with columns in another order, nested triggers
CREATE TABLE other (z text, a int);
CREATE TRIGGER see BEFORE INSERT ON other FOR EACH ROW EXECUTE FUNCTION see();
INSERT INTO other VALUES ('z', 1);
CREATE TABLE parts (a int, b text) PARTITION BY LIST (a);
CREATE TABLE part1 (b text, a int);
ALTER TABLE parts ATTACH PARTITION part1 FOR VALUES IN (1, 2);
CREATE FUNCTION see_part() RETURNS trigger LANGUAGE pllua_bg AS $$ print(trigger.relation.name, new.a, new.b) new.b = new.b .. '+' $$;
CREATE TRIGGER see BEFORE INSERT ON parts FOR EACH ROW EXECUTE FUNCTION see_part();
INSERT INTO parts VALUES (1, 'x') RETURNING *;
CREATE FUNCTION chain() RETURNS trigger LANGUAGE pllua_bg AS $$
  if new.a > 0 then spi.execute('INSERT INTO chained VALUES ($1)', new.a - 1) end
  print(new.a, trigger.new.a)
$$;
CREATE TABLE chained (a int);
CREATE TRIGGER chain BEFORE INSERT ON chained FOR EACH ROW EXECUTE FUNCTION chain();
INSERT INTO chained VALUES (2);

-- trigger.new is what trigger.row was given; the parameter stays
CREATE TABLE followed (a int, b text);
CREATE FUNCTION follow() RETURNS trigger LANGUAGE pllua_bg AS $$
  trigger.row = {a = 7, b = 'given'}
  print(trigger.new == trigger.row, trigger.new and trigger.new.a, trigger.old and trigger.old.a, new and new.a)
$$;
CREATE TRIGGER follow BEFORE INSERT OR UPDATE OR DELETE ON followed FOR EACH ROW EXECUTE FUNCTION follow();
INSERT INTO followed VALUES (1, 'x') RETURNING *;
UPDATE followed SET a = 2 RETURNING *;
DELETE FROM followed;
-- What it is given becomes a row of the table there and then, a copy; a bad value raises there.
CREATE OR REPLACE FUNCTION follow() RETURNS trigger LANGUAGE pllua_bg AS $$
  local given = {a = '7', b = 'given'}
  trigger.row = given
  given.a = 8
  trigger.row.b = 'changed'
  print(math.type(trigger.row.a), trigger.row, trigger.new, trigger.old, new)
  for _, bad in ipairs{{a = 'x'}, {nonsense = 1}, {b = 'a\0b'}, 5, pgtype.numeric(1)} do
    print(pcall(function() trigger.row = bad end))
  end
  print(trigger.row)
$$;
INSERT INTO followed VALUES (1, 'x') RETURNING *;
UPDATE followed SET a = 2 RETURNING *;
DELETE FROM followed;
CREATE TRIGGER follow_all AFTER INSERT ON followed FOR EACH STATEMENT EXECUTE FUNCTION follow();
INSERT INTO followed VALUES (1, 'x');
CREATE TABLE followed_more (a int, gone int, b varchar(3), twice int GENERATED ALWAYS AS (a * 2) STORED);
ALTER TABLE followed_more DROP gone;
CREATE FUNCTION follow_more() RETURNS trigger LANGUAGE pllua_bg AS $$
  print(pcall(function() trigger.row = {b = 'longer'} end))
  trigger.row = new
  new.a = 5
  print(trigger.row, new, #trigger.row)
  trigger.row = spi.execute("select '9' as b, 8 as a")[1]
  trigger.row.a = trigger.row.a + 1
$$;
CREATE TRIGGER follow_more BEFORE INSERT ON followed_more FOR EACH ROW EXECUTE FUNCTION follow_more();
INSERT INTO followed_more VALUES (1, 'x') RETURNING *;

-- WHEN conditions and constraint triggers
CREATE TABLE conditional (a int);
CREATE FUNCTION fired() RETURNS trigger LANGUAGE pllua_bg AS $$ print(trigger.name, trigger.when, new) $$;
CREATE TRIGGER big BEFORE INSERT ON conditional FOR EACH ROW WHEN (NEW.a > 1) EXECUTE FUNCTION fired();
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON conditional DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fired();
BEGIN;
INSERT INTO conditional VALUES (1), (2);
COMMIT;

-- only as a trigger
SELECT fired();
CREATE FUNCTION plain() RETURNS int LANGUAGE pllua_bg AS $$ return 1 $$;
CREATE TRIGGER plain BEFORE INSERT ON conditional FOR EACH ROW EXECUTE FUNCTION plain();

\set VERBOSITY terse
SET client_min_messages = warning;
DROP SCHEMA pl_trigger_row CASCADE;
