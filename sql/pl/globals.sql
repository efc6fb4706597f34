-- Globals that pllua has beside its modules.
do language pllua_bg $$
  print(_PG_VERSION == spi.execute('show server_version').value, _PG_VERSION_NUM == tonumber(spi.execute('show server_version_num').value))
  print(_PLVERSION, _PLREVISION, _PL_IDENT == '', math.type(_PL_LOAD_TIME), os.time() - _PL_LOAD_TIME < 3600, math.type(_PG_VERSION_NUM))
  print(pcall(require, 'pllua.paths') == false, trusted)
$$;
-- a block gets its environment, as a function's text does
do language pllua_bg $$ print(select('#', ...), ... == _ENV) x = 1 print((...).x, rawget(_G, 'x')) $$;
do language pllua_bgu $$ print(select('#', ...), ... == _ENV) $$;
-- warn
do language pllua_bg $$
  warn('on ', 'from ', 'the ', 'start ', 5)
  warn('@off') warn('not shown') warn('@unknown') warn('not shown either') warn('@on') warn('@', 'on') warn('')
  print(pcall(warn)) print(pcall(warn, {})) print(pcall(warn, 'x', nil))
$$;
do language pllua_bgu $$ warn('untrusted') $$;
-- spi.readonly
create function globals_stable() returns bool stable language pllua_bg as 'return spi.readonly()';
create function globals_volatile() returns bool language pllua_bg as 'return spi.readonly()';
select globals_stable(), globals_volatile();
drop function globals_stable, globals_volatile;
-- pllua.paths is of the untrusted language
do language pllua_bgu $$
  local paths = require 'pllua.paths'
  local names = {}
  for name, path in pairs(paths) do names[#names + 1] = name assert(#path() > 0) end
  table.sort(names)
  print(table.concat(names, ' '))
  print(paths.bin():match('[^/]*$'), paths.bin() == spi.execute("select setting from pg_config where name = 'BINDIR'").value, paths.share() == spi.execute("select setting from pg_config where name = 'SHAREDIR'").value)
$$;
-- settings of pllua
\c -
load 'pllua_bg';
set pllua_bg.install_globals = off;
set pllua_bg.on_init = 'print(type(trusted), spi)';
set pllua_bg.on_trusted_init = 'trusted.require("os", "system") print(trusted == require "pllua.trusted", bg)';
set pllua_bg.on_untrusted_init = 'print(trusted)';
do language pllua_bg $$ print(spi, pgtype, bg, type(require 'pllua.spi'), type(require 'pllua.pgtype'), type(require 'bg'), type(system.getenv), rawget(_G, "trusted"), type(quote_ident)) $$;
do language pllua_bgu $$ print(spi, pgtype, bg, type(require 'pllua.spi'), trusted) $$;
set pllua_bg.check_for_interrupts = off;
set statement_timeout = '50ms';
do language pllua_bg $$ while true do end $$;
reset statement_timeout;
set pllua_bg.extra_gc_multiplier = 100;
set pllua_bg.extra_gc_threshold = '1e6';
set pllua_bg.extra_gc_multiplier = -1;
set pllua_bg.extra_gc_threshold = 'much';
set pllua_bg.prebuilt_interpreters = 2;
set pllua_bg.interpreter_reload_ident = 'x';
create role globals_user;
set role globals_user;
set pllua_bg.extra_gc_threshold = 5;
set pllua_bg.install_globals = on;
set pllua_bg.check_for_interrupts = on;
reset role;
drop role globals_user;
select name, setting, unit, context, vartype, min_val, max_val, boot_val from pg_settings
where name in ('pllua_bg.install_globals', 'pllua_bg.check_for_interrupts', 'pllua_bg.prebuilt_interpreters', 'pllua_bg.interpreter_reload_ident',
  'pllua_bg.extra_gc_multiplier', 'pllua_bg.extra_gc_threshold') order by name;
