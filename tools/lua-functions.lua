-- lua5.4 tools/lua-functions.lua FILE LIMIT: names the functions of FILE longer than LIMIT lines, and then fails.
-- The compiler itself knows where they begin and end: luac's listing has them.
local path, limit = arg[1], tonumber(arg[2])
local chunk = assert(loadfile(path))
local bad = false

local listing = assert(io.popen(("luac5.4 -l -p '%s'"):format(path)))
for line in listing:lines() do
  local first, last = line:match('^function <.*:(%d+),(%d+)>')
  if first and last - first + 1 > limit then
    print(('%s:%d: function of %d lines, at most %d'):format(path, first, last - first + 1, limit))
    bad = true
  end
end
assert(chunk and listing:close(), 'luac5.4 failed')
os.exit(not bad)
