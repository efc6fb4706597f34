-- pllua_bg_jobs from 0.1.0 to 0.2.0.

\echo Use "ALTER EXTENSION pllua_bg_jobs UPDATE" to load this file. \quit
