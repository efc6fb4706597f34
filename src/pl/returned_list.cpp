// Lists that set functions return. See returned_list.h for the contracts.
#include "pl/returned_list.h"

extern "C" {
#include "catalog/pg_type.h"
}

#include "api/lang/result.h"
#include "lua/interrupt.h"
#include "types/plan.h"

namespace pllua_bg::pl {

namespace {

// What tables are values of a type: any, those with fields (a date), none.
enum class Tables { kAny, kFields, kNone };

Tables tables_of(const types::Type *type) {
    if (type->transforms != nullptr) return Tables::kAny;
    char category;
    bool preferred;
    get_type_category_preferred(getBaseType(types::type_oid(type)), &category, &preferred);
    switch (category) {
    case TYPCATEGORY_ARRAY: return Tables::kAny;
    case TYPCATEGORY_DATETIME:
    case TYPCATEGORY_TIMESPAN: return Tables::kFields;
    default: return types::takes_tables(type) ? Tables::kAny : Tables::kNone;
    }
}

const types::Type *first_column(const Result *result) {
    for (int i = 0; i < result->descriptor->natts; i++)
        if (result->columns[i] != nullptr) return result->columns[i];
    return nullptr;
}

// The largest place; -1 when there are other keys. `n`, as table.pack sets it, counts.
lua_Integer count_places(lua_State *L, int idx) {
    lua_Integer most = 0;
    lua_pushnil(L);
    while (lua_next(L, idx) != 0) {
        const bool is_count = lua_type(L, -2) == LUA_TSTRING &&
                              strcmp(lua_tostring(L, -2), "n") == 0 && lua_isinteger(L, -1);
        const bool is_place = lua_isinteger(L, -2) && lua_tointeger(L, -2) > 0;
        if (!is_count && !is_place) {
            lua_pop(L, 2);
            return -1;
        }
        most = Max(most, lua_tointeger(L, is_count ? -1 : -2));
        lua_pop(L, 1);
        lua::check_interrupt(L);
    }
    return most;
}

} // namespace

ListRule find_list_rule(const Result *result) {
    switch (result->kind) {
    case ResultKind::kScalar:
        return tables_of(result->type) == Tables::kAny ? ListRule::kNever : ListRule::kAlways;
    case ResultKind::kRow: {
        const types::Type *first = first_column(result);
        const bool plain = first != nullptr && tables_of(first) == Tables::kNone;
        return plain ? ListRule::kAlways : ListRule::kEmpty;
    }
    case ResultKind::kRecord: return ListRule::kAlways;
    default: return ListRule::kNever;
    }
}

lua_Integer list_length(lua_State *L, int idx, const Result *result) {
    if (result->list_rule == ListRule::kNever || lua_type(L, idx) != LUA_TTABLE) return -1;
    if (result->kind != ResultKind::kScalar && api::is_result(L, idx)) return luaL_len(L, idx);
    if (lua_getmetatable(L, idx) != 0) {
        lua_pop(L, 1);
        return -1;
    }
    const lua_Integer n = count_places(L, idx);
    if (n <= 0 || result->kind != ResultKind::kRow) return n;
    // Places of one row, when they are no rows.
    const bool has_row = lua_rawgeti(L, idx, 1) == LUA_TTABLE;
    lua_pop(L, 1);
    return has_row && result->list_rule == ListRule::kAlways ? n : -1;
}

} // namespace pllua_bg::pl
