-- Modules in a table.
\c -
CREATE SCHEMA pl_modules;
SET search_path = pl_modules;
CREATE TABLE module (name text PRIMARY KEY, source text);
INSERT INTO module VALUES
  ('plain', 'local name, place = ... print("loading", name, place) return {value = 1, env = _ENV == _G}'),
  ('nothing', 'global_of_nothing = 1'),
  ('fails', E'local x = 1\nerror("broken")'),
  ('fails.deep', E'\n\nlocal x = nil + 1'),
  ('syntax', E'return 1\n+'),
  ('a', 'return {b = require "b"}'),
  ('b', 'return {a = require "a"}'),
  ('itself', 'return require "itself"'),
  ('bg', 'error "never"'),
  ('twice', 'return 1'),
  ('bytes', E'\x1bLua'),
  ('null', NULL);
SET pllua_bg.modules = 'pl_modules.module';
DO LANGUAGE pllua_bg $$
  local m = require 'plain'
  print(m.value, m.env, require 'plain' == m, package.loaded.plain == m, package.require 'plain' == m)
  print(require 'nothing', global_of_nothing, _G.global_of_nothing)
  print(require 'bg' == bg)
  for _, name in ipairs {'fails', 'fails.deep', 'syntax', 'a', 'itself', 'bytes', 'null', 'missing'} do print(name, pcall(require, name)) end
  print(pcall(require), pcall(require, {}))
$$;
SELECT 'of a function' FROM (SELECT 1) x;
CREATE FUNCTION value() RETURNS int LANGUAGE pllua_bg AS $$ return require('plain').value $$;
SELECT value();
-- it has changed
UPDATE module SET source = 'return {value = 2}' WHERE name = 'plain';
SELECT value();
BEGIN;
UPDATE module SET source = 'return {value = 3}' WHERE name = 'plain';
SELECT value();
ROLLBACK;
SELECT value();
UPDATE module SET source = 'return ' WHERE name = 'fails';
DO LANGUAGE pllua_bg $$ print(require 'fails') $$;
UPDATE module SET source = 'return }' WHERE name = 'plain';
SELECT value();
DELETE FROM module WHERE name = 'plain';
SELECT value();
INSERT INTO module VALUES ('plain', 'return {value = 4}');
SELECT value();
-- preload goes first
DO LANGUAGE pllua_bg $$ package.preload.twice = function() return 'preloaded' end print(require 'twice') $$;
-- an error with its place
DO LANGUAGE pllua_bg $$ require 'fails.deep' $$;
DO LANGUAGE pllua_bg $$ require 'syntax' $$;
-- in a finalizer there is no database
DO LANGUAGE pllua_bg $$
  setmetatable({}, {__gc = function() print(pcall(require, 'plain')) end})
  collectgarbage() collectgarbage()
$$;
-- for superusers only; as whoever runs the code, with his rights and his copy
CREATE ROLE regress_pl_modules;
GRANT USAGE ON SCHEMA pl_modules TO regress_pl_modules;
SET ROLE regress_pl_modules;
SET pllua_bg.modules = 'pl_modules.other';
SELECT value();
RESET ROLE;
GRANT SELECT ON module TO regress_pl_modules;
SET ROLE regress_pl_modules;
SELECT value();
RESET ROLE;
ALTER TABLE module ENABLE ROW LEVEL SECURITY;
CREATE POLICY readable ON module USING (name <> 'plain');
SET ROLE regress_pl_modules;
SELECT value();
DO LANGUAGE pllua_bg $$ print(require 'nothing') $$;
RESET ROLE;
SELECT value();
REVOKE SELECT ON module FROM regress_pl_modules;
SET ROLE regress_pl_modules;
DO LANGUAGE pllua_bg $$ print(pcall(require, 'nothing')) $$;
RESET ROLE;
-- another table, a view, none, and what is no table
CREATE VIEW shown AS SELECT 'plain'::varchar AS name, 'return {value = 5}'::text AS source UNION ALL SELECT 'two', '1' UNION ALL SELECT 'two', '2';
SET pllua_bg.modules = 'pl_modules.shown';
SELECT value();
DO LANGUAGE pllua_bg $$ print(pcall(require, 'two')) $$;
SET pllua_bg.modules = '';
SELECT value();
DO LANGUAGE pllua_bg $$ package.loaded.plain = {value = 6} $$;
SELECT value();
DO LANGUAGE pllua_bg $$ package.loaded.plain = nil $$;
SET pllua_bg.modules = 'module';
SELECT value();
SET pllua_bg.modules = 'pl_modules.nosuch';
SELECT value();
SET pllua_bg.modules = 'a b';
SELECT value();
CREATE TABLE other (name text, text text);
SET pllua_bg.modules = 'pl_modules.other';
SELECT value();
-- untrusted code
SET pllua_bg.modules = 'pl_modules.module';
DO LANGUAGE pllua_bgu $$ print(require('plain').value, require 'bg' == bg) print((select(2, pcall(require, 'missing')):gsub('.*\n', ''))) $$;
UPDATE module SET source = 'return {value = io ~= nil}' WHERE name = 'plain';
DO LANGUAGE pllua_bgu $$ print(require('plain').value) $$;
\set VERBOSITY terse
SET client_min_messages = warning;
DROP SCHEMA pl_modules CASCADE;
DROP ROLE regress_pl_modules;
