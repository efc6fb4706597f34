-- pllua_pg_background from 0.1.0 to 0.2.0.

\echo Use "ALTER EXTENSION pllua_pg_background UPDATE" to load this file. \quit
