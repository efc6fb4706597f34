-- xml is a string in Lua. A server built without libxml has its own expected file.
create function pg_temp.xml_length(xml) returns text language pllua_bg as 'return type(...) .. #...';
create function pg_temp.xml_of(text) returns xml language pllua_bg as 'return (...)';
\set VERBOSITY terse
select pg_temp.xml_length('<a/>'), pg_temp.xml_of('<b>c</b>');
select pg_temp.xml_of('<b>');
