-- Event triggers.
CREATE SCHEMA pl_event;
SET search_path = pl_event;

CREATE FUNCTION on_event() RETURNS event_trigger LANGUAGE pllua_bg AS $$
  print(trigger.event, trigger.tag)
  if trigger.event == 'ddl_command_end' then
    for row in spi.rows('SELECT object_identity AS name FROM pg_event_trigger_ddl_commands()') do print(row.name) end
  elseif trigger.tag == 'DROP TABLE' then
    spi.error('insufficient_privilege', 'not this table')
  end
$$;
CREATE EVENT TRIGGER pl_event_end ON ddl_command_end EXECUTE FUNCTION on_event();
CREATE EVENT TRIGGER pl_event_drop ON sql_drop EXECUTE FUNCTION on_event();
CREATE TABLE made (a int);
DROP TABLE made;
DROP EVENT TRIGGER pl_event_end;
DROP EVENT TRIGGER pl_event_drop;
DROP TABLE made;
SELECT on_event();

\set VERBOSITY terse
SET client_min_messages = warning;
DROP SCHEMA pl_event CASCADE;
