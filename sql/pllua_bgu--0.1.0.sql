-- The extension pllua_bgu: the untrusted language.

\echo Use "CREATE EXTENSION pllua_bgu" to load this file. \quit

CREATE FUNCTION pg_catalog.pllua_bg_untrusted_call_handler() RETURNS language_handler
    LANGUAGE c AS 'MODULE_PATHNAME', 'pllua_bg_untrusted_call_handler';

CREATE FUNCTION pg_catalog.pllua_bg_untrusted_inline_handler(internal) RETURNS void
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'pllua_bg_untrusted_inline_handler';

CREATE FUNCTION pg_catalog.pllua_bg_untrusted_validator(oid) RETURNS void
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'pllua_bg_untrusted_validator';

CREATE LANGUAGE pllua_bgu
    HANDLER pg_catalog.pllua_bg_untrusted_call_handler
    INLINE pg_catalog.pllua_bg_untrusted_inline_handler
    VALIDATOR pg_catalog.pllua_bg_untrusted_validator;

COMMENT ON LANGUAGE pllua_bgu IS 'Lua 5.4 as an untrusted procedural language';
