-- The pauses between tries.

local JITTER = 0.13

-- Seconds until the next try after `failed` tries. kind: 'linear', 'exp', or seconds, also as text. `first` is the
-- first pause, `longest` the longest; chance: of 0 to 1.
return function(kind, failed, chance, first, longest) -- internal
    local fixed = tonumber(kind)
    if fixed then return fixed end
    if kind == 'linear' then return math.min(first * failed, longest) end
    local delay = math.min(first * 2.0 ^ (failed - 1), longest)
    return delay * (1 + JITTER * (2 * chance - 1))
end
