-- Messages: spi.elog and its relatives, the module pllua.elog, print.
\set SHOW_CONTEXT never

create function elog_error(variadic a text[]) returns text language pllua_bg as $$
  local args = {}
  for i = 1, #a do args[i] = a[i] end
  local ok, e = pcall(spi.error, table.unpack(args, 1, #a))
  return string.format('%s|%s|%s|%s', e.sqlstate, e.message, e.detail, e.hint)
$$;
select elog_error('message');
select elog_error('22012', 'message');
select elog_error('division_by_zero', 'message');
select elog_error('invalid_parameter_value', 'message', 'detail');
select elog_error('P0001', 'message', 'detail', 'hint');
select elog_error('no_such_condition', 'message');
select elog_error('22012');
select elog_error('22012', 'message', null, 'hint only');
select elog_error('1', '2', '3', '4', '5');

do language pllua_bg $$
  for _, f in ipairs {{message = 'm', sqlstate = '22013', detail = 'd', hint = 'h', schema = 's', table = 't', column = 'c',
                       datatype = 'dt', constraint = 'k'},
                      {sqlstate = 'unique_violation'}, {}, {'not a field'}, {message = 5}} do
    local ok, e = pcall(spi.error, f)
    print(e.sqlstate, e.message, e.detail, e.hint, e.schema, e.table, e.column, e.datatype, e.constraint)
  end
  print(pcall(spi.error))
  print(pcall(spi.error, nil))
  print(pcall(spi.error, nil, nil))
  print(pcall(spi.error, true))
  print(pcall(spi.error, pgtype.numeric(5)))
  local ok, e = pcall(spi.error, 'x')
  print(type(e), e.severity, e, require 'pllua.error'.type(e))
  print(pcall(spi.elog, 'error', '22012', 'through elog'))
  for _, level in ipairs {'fatal', 'panic', 'ERROR', ''} do print(pcall(spi.elog, level, 'x')) end
$$;

-- an error that nobody catches
do language pllua_bg $$ spi.error('restrict_violation', 'the message', 'the detail', 'the hint') $$;
do language pllua_bg $$ spi.error {message = 'with a table', sqlstate = '23514', table = 'tab', constraint = 'con'} $$;
do language plpgsql $$ declare s text; t text; c text; begin
  execute $do$ do language pllua_bg $lua$ spi.error {message = 'm', sqlstate = '23514', table = 'tab', constraint = 'con'} $lua$ $do$;
exception when check_violation then
  get stacked diagnostics s = returned_sqlstate, t = table_name, c = constraint_name;
  raise info '% % %', s, t, c;
end $$;

-- messages that are no errors
set client_min_messages = debug1;
do language pllua_bg $$
  spi.warning('a warning')
  spi.warning('01004', 'a warning with a code')
  spi.notice('a notice')
  spi.info('an info')
  spi.log('a log line')
  spi.debug('a debug line')
  spi.notice('00000', 'with', 'a detail', 'and a hint')
  spi.notice {message = 'of a table', detail = 'd', hint = 'h'}
  spi.notice(pgtype.numeric('1.50'))
  for _, level in ipairs {'warning', 'notice', 'info', 'log', 'debug', 'debug1'} do spi.elog(level, 'elog ' .. level) end
  local elog = require 'pllua.elog'
  elog.notice('of the module')
  elog.elog('info', 'of the module')
$$;
reset client_min_messages;
set client_min_messages = error;
do language pllua_bg $$ spi.warning('not seen') spi.notice('not seen') $$;
reset client_min_messages;

-- the code of a message reaches whoever looks at it
do language pllua_bg $$
  local names = {}
  for name in pairs(require 'pllua.elog') do names[#names + 1] = name end
  table.sort(names)
  print(table.concat(names, ' '))
$$;

-- print
do language pllua_bg $$
  print('a', 1, 1.5, nil, true, pgtype.numeric('1.0'))
  print()
  print('two\nlines')
  print(setmetatable({}, {__tostring = function() return 'by its metatable' end}))
$$;
\set SHOW_CONTEXT errors

drop function elog_error;
