-- bench/languages/load.sql: one language, in a schema of its name.
--   psql variable: language
set client_min_messages = warning;
create extension if not exists :language;
create schema :"language";
set search_path = :"language", bench, public;
\set file :language '.sql'
\ir :file
\ir tables.sql
