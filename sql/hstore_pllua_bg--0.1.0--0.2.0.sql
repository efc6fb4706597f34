-- hstore_pllua_bg from 0.1.0 to 0.2.0.

\echo Use "ALTER EXTENSION hstore_pllua_bg UPDATE" to load this file. \quit
