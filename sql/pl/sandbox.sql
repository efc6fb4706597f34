-- What trusted code can reach.
\set VERBOSITY terse
DO LANGUAGE pllua_bg $$ print(io, os.execute, os.getenv, os.exit, os.remove, dofile, loadfile, package.loadlib, package.cpath) $$;
DO LANGUAGE pllua_bg $$ print(debug and debug.getregistry, debug and debug.sethook, debug and debug.getupvalue, debug and debug.setmetatable) $$;
DO LANGUAGE pllua_bg $$ print(load(string.dump and string.dump(function() end) or '\27Lua')) $$;
DO LANGUAGE pllua_bg $$ print(pcall(load('return 1', 'x', 'b'))) $$;
DO LANGUAGE pllua_bg $$ print(load('return io, spi ~= nil')()) $$;
DO LANGUAGE pllua_bg $$ print(pcall(require, 'io')) $$;
DO LANGUAGE pllua_bg $$ print(getmetatable(''), ('x').rep == string.rep, pcall(setmetatable, '', {})) $$;
-- a role cannot reach another's interpreter through shared libraries' tables
CREATE ROLE regress_pl_sandbox;
DO LANGUAGE pllua_bg $$ string.planted = 'x' math.planted = 'x' $$;
SET ROLE regress_pl_sandbox;
DO LANGUAGE pllua_bg $$ print(string.planted, math.planted) $$;
RESET ROLE;
DO LANGUAGE pllua_bg $$ string.planted = nil math.planted = nil $$;
DROP ROLE regress_pl_sandbox;
-- the untrusted language has it all
DO LANGUAGE pllua_bgu $$ print(type(io.open), type(os.getenv), type(debug.getregistry), type(package.loadlib)) $$;

-- the parts of a module cannot be required
do language pllua_bg $$ print((pcall(require, 'bg.wait')), (pcall(require, 'bg.core')), require('bg') == bg) $$;
