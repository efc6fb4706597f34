-- What luacheck should know: Lua 5.4, and the globals that the server side gives to our modules.
std = 'lua54'
max_line_length = 120
read_globals = { 'bg', 'lpcall', 'spi', 'pgtype', 'server' }
ignore = { '212/self', '212/_.*' }

files['lua/bg/init.lua'] = { globals = { 'bg' } }
files['test/lua'] = { globals = { 'bg', 'spi', 'pgtype', 'server' }, ignore = { '11[1-3]/[Tt]est.*', '131/[Tt]est.*' } }
files['test/fuzz'] = { globals = { '_G' }, max_line_length = 160, ignore = { '512' } }
