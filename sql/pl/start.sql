-- Code that runs when an interpreter starts.
\c -
SET pllua_bg.on_init = 'init = "init"';
SET pllua_bg.on_trusted_init = 'require "pllua.trusted" started = tostring(init) .. " trusted " .. type(io)';
SET pllua_bg.on_untrusted_init = 'started = tostring(init) .. " untrusted"';
SET pllua_bg.on_common_init = 'common = "common " .. type(io) .. " " .. spi.execute("SELECT 1 AS one")[1].one';
DO LANGUAGE pllua_bg $$ print(init, started, common) $$;
DO LANGUAGE pllua_bgu $$ print(init, started, common) $$;
-- when it fails, so does every call, until it succeeds
\c -
SET pllua_bg.on_common_init = 'local x =
nil + 1';
DO LANGUAGE pllua_bg $$ print 'runs' $$;
SET pllua_bg.on_common_init = 'x = ';
DO LANGUAGE pllua_bg $$ print 'runs' $$;
SET pllua_bg.on_common_init = 'spi.execute("SELECT 1/0")';
DO LANGUAGE pllua_bg $$ print 'runs' $$;
SET pllua_bg.on_common_init = 'good = 1';
DO LANGUAGE pllua_bg $$ print('runs', good) $$;
-- for superusers only
CREATE ROLE regress_pl_start;
SET ROLE regress_pl_start;
SET pllua_bg.on_common_init = 'x = 1';
SET pllua_bg.on_init = 'x = 1';
RESET ROLE;
DROP ROLE regress_pl_start;
\c -
