-- Ranges have pseudo-fields and a constructor; multiranges and the other types go by their text.
create schema types_range;
set search_path = types_range, public;
set datestyle = 'ISO';
do language pllua_bg $$
    local function show(r)
        print(r, r.lower, r.upper, r.lower_inc, r.upper_inc, r.lower_inf, r.upper_inf, r.isempty)
    end
    show(pgtype.int4range '[1,5)')
    show(pgtype.numrange '(,5.5]')
    show(pgtype.numrange 'empty')
    show(pgtype.daterange '[2020-01-01,2020-02-01)')
    show(pgtype.numrange '(,)')
    local r = pgtype.numrange
    print(r(1, 2), r(1, 2, '[]'), r(nil, 2), r(nil, nil), r(), r(1, 2, '()'), r{lower = 1, upper = 2, upper_inc = true})
    print(r(1, 2) == r(1, 2), r(1, 2) < r(1, 3), r(1, 2) == pgtype.int4range(1, 2), r(1, 2).nosuch, r(1, 2)[1])
    print(r(1, 2).upper + 1, pgtype.daterange({year = 2020, month = 1, day = 1}, '2020-01-03').upper.day)
    for _, f in ipairs{function() return r(2, 1) end, function() return r(1, 2, 'xx') end, function() return r(1) end,
                       function() return r 'x' end, function() r(1, 2).lower = 3 end} do
        local ok, err = pcall(f)
        print(ok, type(err) == 'string' and err:gsub('^.-:%d+: ', '') or err)
    end
    local mr = pgtype.int4multirange
    print(mr '{[1,2),[5,7)}', mr(pgtype.int4range(1, 2)), mr '{[1,2)}' == mr '{[1,2)}')
    print(pgtype.inet '1.2.3.4', pgtype.inet '1.2.3.4' < pgtype.inet '1.2.3.5', pgtype.point '(1,2)', pgtype.point '(1,2)' == pgtype.point '(1,2)')
    print(pgtype.uuid '0ab0c0d0-0000-0000-0000-000000000000', pgtype.bit '101', pgtype.regclass 'pg_class', pgtype.tsvector 'a b')
    print(select(2, pcall(function() return pgtype.point '(1,2)' < pgtype.point '(1,2)' end)))
$$;
create function grow(int4range) returns int4range language pllua_bg as $$
    local r = ...
    return {lower = r.lower - 1, upper = r.upper + 1}
$$;
create function same_multirange(int4multirange) returns int4multirange language pllua_bg as 'return (...)';
create function of_text(text) returns int4multirange language pllua_bg as 'return (...)';
create function same_inet(inet) returns inet language pllua_bg as 'return tostring((...))';
select grow('[5,7]'), same_multirange('{[1,2),[5,7)}'), of_text('{[1,3)}'), same_inet('10.0.0.0/8');
set client_min_messages = warning;
drop schema types_range cascade;
