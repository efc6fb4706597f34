-- Procedures and blocks.
CREATE SCHEMA pl_procedure;
SET search_path = pl_procedure;

CREATE TABLE t (a int);
CREATE PROCEDURE add(x int) LANGUAGE pllua_bg AS $$ spi.execute('INSERT INTO t VALUES ($1)', x) return 'ignored' $$;
CALL add(1);
CREATE PROCEDURE in_out(a int, INOUT b int) LANGUAGE pllua_bg AS $$ return a + b $$;
CALL in_out(1, 2);
CREATE PROCEDURE two(INOUT a int, INOUT b text DEFAULT 'x') LANGUAGE pllua_bg AS $$ return { a = a + 1, b = b .. '!' } $$;
CALL two(1);
CREATE PROCEDURE out_only(OUT a int, OUT b text) LANGUAGE pllua_bg AS $$ return 1, 'out' $$;
CALL out_only(NULL, NULL);

-- transactions
TRUNCATE t;
CREATE PROCEDURE every_other(n int) LANGUAGE pllua_bg AS $$
  for i = 1, n do
    spi.execute('INSERT INTO t VALUES ($1)', i)
    if i % 2 == 0 then spi.commit() else spi.rollback() end
  end
$$;
CALL every_other(6);
TABLE t;
BEGIN;
CALL every_other(2);
ROLLBACK;
DO LANGUAGE pllua_bg $$ spi.execute('DELETE FROM t') spi.commit() error 'after the commit' $$;
TABLE t;
CREATE FUNCTION commits() RETURNS void LANGUAGE pllua_bg AS $$ spi.commit() $$;
SELECT commits();
CREATE PROCEDURE outer_commits() LANGUAGE pllua_bg AS $$ spi.execute('CALL every_other(2)') $$;
CALL outer_commits();
CALL in_out(1, 2);

-- blocks
DO LANGUAGE pllua_bg $$ print('hello', 1, nil, true) $$;
DO LANGUAGE pllua_bg $$ print(select('#', ...)) return 1 $$;
DO LANGUAGE pllua_bg $$ block_global = 1 print(_G.block_global) $$;
DO LANGUAGE pllua_bg $$ print(block_global) $$;
DO LANGUAGE pllua_bg $$
  local x = 1
  error('at line 3')
$$;

\set VERBOSITY terse
DO LANGUAGE pllua_bg $$ error() $$;
DO LANGUAGE pllua_bg $$ error(setmetatable({}, { __tostring = function() return 'as text' end })) $$;
DO LANGUAGE pllua_bg $$ error(setmetatable({}, { __tostring = function() error 'no text' end })) $$;

SET client_min_messages = warning;
DROP SCHEMA pl_procedure CASCADE;
