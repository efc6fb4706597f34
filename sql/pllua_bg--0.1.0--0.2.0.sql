-- pllua_bg from 0.1.0 to 0.2.0.

\echo Use "ALTER EXTENSION pllua_bg UPDATE" to load this file. \quit

-- bg.stat has more columns, at its end: views that others have made of it stay.

ALTER FUNCTION bg.stat_get() RENAME TO stat_get_0_1;

CREATE FUNCTION bg.stat_get(
    OUT scope text, OUT launched bigint, OUT reused bigint, OUT jobs bigint, OUT launch_failures bigint, OUT lost bigint,
    OUT commands bigint, OUT errors bigint, OUT deadlocks bigint, OUT cancels bigint, OUT rows bigint, OUT bytes bigint,
    OUT stats_reset timestamptz, OUT no_slot bigint, OUT cancelled bigint, OUT commit_errors bigint, OUT other_database bigint,
    OUT other_server bigint) RETURNS SETOF record
    LANGUAGE c VOLATILE PARALLEL RESTRICTED ROWS 1 AS 'MODULE_PATHNAME', 'pllua_bg_sql_stat';

CREATE OR REPLACE VIEW bg.stat AS SELECT * FROM bg.stat_get();

DROP FUNCTION bg.stat_get_0_1();

GRANT EXECUTE ON FUNCTION bg.stat_get() TO PUBLIC;

COMMENT ON FUNCTION bg.stat_get() IS 'what was counted about background sessions since the last reset';
