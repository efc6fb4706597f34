-- Only the fields that the text of a trigger function names are read; nothing of that can be seen.
create table fields (id int, a int, b text, c numeric, d int generated always as (a * 10) stored, e int[]);
create function show_fields() returns trigger language pllua_bg as $$ return nil $$;
create procedure try_trigger(body text) language plpgsql as $$
begin
    execute format('create or replace function show_fields() returns trigger language pllua_bg as %L', body);
    delete from fields;
    insert into fields values (1, 2, 'x', null, default, '{1,2}');
    raise info '%', (select f from fields f);
    update fields set a = 3, b = null;
    raise info '%', (select f from fields f);
exception when others then raise info '% %', sqlstate, sqlerrm;
end $$;
create trigger show before insert or update on fields for each row execute function show_fields('argument');
-- named fields
call try_trigger('new.a = new.a + 1 return new');
call try_trigger('new.a = new.a + 1');
call try_trigger('new.b = nil new.c = 1.50');
call try_trigger('if old then new.b = old.b new.id = old.a else new.b = "none" end');
call try_trigger('print(new.b, new.c, new.d, old and old.d) return new');
call try_trigger('new.e[1] = 7 return new');
call try_trigger('if new.a == 3 then return old; else return new end');
call try_trigger('if new.a == 3 then return end return new');
call try_trigger('if new.a == 3 then return nil end');
call try_trigger('print(...)');
call try_trigger('new.d = 5');
call try_trigger('new.a = "12" new.b = 12');
call try_trigger('new.c = "x" new.a = {}');
call try_trigger('return {id = 9, a = new.a, b = new.b}');
-- no column
call try_trigger('print(new.nothing)');
call try_trigger('new.nothing = 1');
call try_trigger('print(new.a, pcall(function() return new.nothing end))');
-- the row goes elsewhere
call try_trigger('local row = new row.a = 5 row.b = "by another name"');
call try_trigger('for name, value in pairs(new) do print(name, value) end');
call try_trigger('local name = "a" new[name] = 6 new["b"] = "by a string"');
call try_trigger('local function f(row) row.a = 7 end f(new) return new');
call try_trigger('local function f() return new end f().a = 8');
call try_trigger('print(new.a, #new, tostring(new))');
call try_trigger('kept = kept or new print(kept.b, kept[1])');
call try_trigger('print(new.a, trigger.row.b, trigger.new.id)');
call try_trigger('trigger.row.a = 10 trigger.row.b = trigger.name');
call try_trigger('local t = trigger t.row.a = 11');
call try_trigger('trigger.row = {id = 12, a = new.a}');
call try_trigger('print(trigger.op, trigger.args[1], trigger.when) new.a = 13');
call try_trigger('new.a = 14 return new, 1');
call try_trigger('return new.a == 3 and old or new');
call try_trigger('return (new)');
call try_trigger('local new = {a = 1} print(new.b)');
call try_trigger('local new <const> = new print(new.b)');
call try_trigger('print(_ENV.new, _ENV["new"]) print(new.b)');
call try_trigger('local _ENV = {print = print} print(new.b) new.a = 15');
call try_trigger('print(load "return new"()) print(new.b)');
call try_trigger('goto new ::new:: print(new.b)');
call try_trigger('print(pcall(function() return new:method() end)) print(new.a)');
call try_trigger('local t = setmetatable({}, {__index = function() return new.b end}) print(t.anything)');
-- what looks like a use, and what does not
call try_trigger($x$print('new', "return new", [[ new ]], [==[ ]] new ]==]) -- new
--[[ new ]] --[==[ ]] new ]==]
new . a = 16 new --[[ between ]] . --
b = 'over lines'$x$);
call try_trigger($x$print("\"new", '\'', "\\") new.a = 17$x$);
call try_trigger('print(0xE+new.a, 1e+1 ..new.b, 3 ..new.b)');
call try_trigger('print((new.a)..new.b, new.a//1, -new.a, not new.a)');
call try_trigger('local newer, t = new.a, {new = new.b, old = 1} print(newer, t.new, t.old)');
-- the text ends before its end
call try_trigger('new.a = 18 end do local x = new');
call try_trigger('return new end function other(trigger, old, new) return new');
-- columns that come later, and are no more
call try_trigger('new.a = new.a + 1');
alter table fields add column f int default 5;
call try_trigger('print(new.f) new.f = 6');
create or replace function show_fields() returns trigger language pllua_bg as $$ print(old.f, new.f, new.g) new.b = 'again' $$;
update fields set a = 5;
alter table fields add column g text default 'added', drop column f;
update fields set a = 6;
create or replace function show_fields() returns trigger language pllua_bg as $$ print(old.g, new.g) new.b = 'again' $$;
update fields set a = 7;
select * from fields;
-- more names than a table has columns
do $$ begin
  execute format('create or replace function show_fields() returns trigger language pllua_bg as %L',
    'new.b = "first" ' || (select string_agg('old.n' || i || ' = 1 new.n' || i || ' = 2 ', '') from generate_series(1, 2000) i));
end $$;
update fields set a = 8;
drop trigger show on fields;
-- after the operation
create function after_fields() returns trigger language pllua_bg as $$ print(trigger.level, old and old.d, new and new.d) $$;
create trigger show after insert or update or delete on fields for each row execute function after_fields();
insert into fields values (2, 3);
update fields set a = 4 where id = 2;
delete from fields;
drop procedure try_trigger;
drop table fields;
drop function show_fields, after_fields;
