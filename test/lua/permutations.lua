-- Calls fn(list) for each order of 1..n. The list is the same table.
return function(n, fn)
    local list = {}
    for i = 1, n do list[i] = i end
    local function permute(k)
        if k == n then return fn(list) end
        for i = k, n do
            list[k], list[i] = list[i], list[k]
            permute(k + 1)
            list[k], list[i] = list[i], list[k]
        end
    end
    permute(1)
end
