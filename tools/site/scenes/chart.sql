-- psql: bg.trace, as a chart
-- until: [|] [0-9.]+ ms$
do language pllua_bg $$
    local trace = bg.trace(function()
        local function ends(chunk) return chunk.lo, chunk.hi end
        bg.map(bg.chunks('measure', {rows = 200000}),
            'select sum(value) from measure where id between $1 and $2', {workers = 3, args = ends})
    end)
    print('\n' .. trace:gantt{width = 100})
$$;
