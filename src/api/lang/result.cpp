// Results of commands as Lua tables. See result.h for the contracts.
#include "api/lang/result.h"

#include "lua/error.h"
#include "lua/fields.h"
#include "lua/interrupt.h"
#include "lua/loader.h"
#include "lua/stack.h"
#include "pg/encoding.h"
#include "pg/guard.h"
#include "types/shape.h"

namespace pllua_bg::api {

namespace {

// A result shape is a sequence of these.
constexpr int kRowShape = 1;
constexpr int kColumns = 2;
constexpr int kOnlyColumn = 3; // the name of the only column, else false
constexpr int kMetatable = 4;  // of the last result; next to it what is known of that
constexpr int kLast = 5;

// What is known of a metatable of results is a sequence, out of reach of code that has the
// metatable.
constexpr int kShape = 1;  // the result shape; absent for commands without rows
constexpr int kPrefix = 2; // the tag, without the number of rows if it ends with that
constexpr int kCounts = 3; // whether it does

// Keys in the registry.
const char kCommands = 0; // the metatable of results without rows
const char kText = 0;     // the function that makes texts, once there is one
const char kKnown = 0;    // table, from metatables to what is known of them

// The fields of a result, which may be absent.
constexpr const char *kFields[] = {"n", "tag", "columns", "value", "notices"};

// More array slots than this are not reserved at once; a guess may be wrong.
constexpr uint64 kMaxReserved = 1 << 16;

// The names of the descriptor's types, each palloc'ed in `memory`; the array too.
const char **name_types(lua_State *L, TupleDesc descriptor, MemoryContext memory) {
    const char **names = nullptr;
    pg::call_own_subxact(L, [&] {
        MemoryContext previous = MemoryContextSwitchTo(memory);
        const int n = descriptor->natts;
        names = static_cast<const char **>(palloc(sizeof(char *) * static_cast<Size>(n)));
        for (int i = 0; i < n; i++) {
            Form_pg_attribute column = TupleDescAttr(descriptor, i);
            names[i] = format_type_extended(column->atttypid, column->atttypmod,
                                            FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_ALLOW_INVALID);
        }
        MemoryContextSwitchTo(previous);
    });
    return names;
}

void push_column(lua_State *L, Form_pg_attribute column, const char *type_name) {
    lua_createtable(L, 0, 4);
    lua::set_text(L, "name", NameStr(column->attname));
    lua::set_text(L, "type", type_name);
    lua::set_integer(L, "oid", column->atttypid);
    lua::set_integer(L, "typmod", column->atttypmod);
}

void set_field(lua_State *L, int table, const char *name) {
    lua_pushstring(L, name);
    lua_insert(L, -2);
    lua_rawset(L, table);
}

void finish_row(ResultBuilder *builder) {
    lua_rawseti(builder->L, builder->result, ++builder->n);
    lua::check_interrupt(builder->L);
}

// Pushes what is known of the metatable of the value at idx. False, and nothing pushed, when that
// is no result. Errors: none.
bool push_known(lua_State *L, int idx) {
    if (lua_type(L, idx) != LUA_TTABLE || !lua_getmetatable(L, idx)) return false;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &kKnown);
    lua_insert(L, -2);
    if (lua_rawget(L, -2) == LUA_TTABLE) {
        lua_remove(L, -2);
        return true;
    }
    lua_pop(L, 2);
    return false;
}

// Pushes the n of the result at 1, or nil. Errors: none.
void push_count(lua_State *L) {
    lua_pushliteral(L, "n");
    lua_rawget(L, 1);
}

// The rest works on the result at 1, with what is known of its metatable at 3. Each pushes one
// value.

// False and nothing pushed for a result without rows.
bool push_of_shape(lua_State *L, int what) {
    if (lua_rawgeti(L, 3, kShape) != LUA_TTABLE) {
        lua_pop(L, 1);
        return false;
    }
    lua_rawgeti(L, -1, what);
    lua_remove(L, -2);
    return true;
}

bool push_tag(lua_State *L) {
    if (lua_rawgeti(L, 3, kPrefix) != LUA_TSTRING) return false;
    lua_rawgeti(L, 3, kCounts);
    const bool counts = lua_toboolean(L, -1) != 0;
    lua_pop(L, 1);
    if (!counts) return true;
    push_count(L);
    lua_concat(L, 2);
    return true;
}

// The single value of a result of one row and one column; nil when it is NULL.
bool push_value(lua_State *L) {
    if (lua_rawgeti(L, 1, 1) != LUA_TTABLE || lua_rawlen(L, 1) != 1) return false;
    if (!push_of_shape(L, kOnlyColumn) || lua_type(L, -1) != LUA_TSTRING) return false;
    lua_pop(L, 1);
    const types::Shape *shape = types::push_shape_of_row(L, -1);
    if (shape == nullptr) return false;
    types::push_column(L, -2, 0);
    return true;
}

// Whether the result has a column of that name.
bool has_column(lua_State *L, const char *name) {
    if (!push_of_shape(L, kColumns)) return false;
    const auto n = static_cast<int>(lua_rawlen(L, -1));
    bool found = false;
    for (int i = 1; i <= n && !found; i++) {
        if (lua_rawgeti(L, -1, i) == LUA_TTABLE) {
            lua_pushliteral(L, "name");
            found = lua_rawget(L, -2) == LUA_TSTRING && strcmp(lua_tostring(L, -1), name) == 0;
            lua_pop(L, 1);
        }
        lua_pop(L, 1);
    }
    return found;
}

// __index: reached for what is absent. Beyond the last row there is nothing, as in any sequence.
int index(lua_State *L) {
    lua_settop(L, 2);
    lua::need_stack(L, 6);
    if (lua_type(L, 2) != LUA_TSTRING || !push_known(L, 1)) return 0;
    const char *name = lua_tostring(L, 2);
    if (strcmp(name, "tag") == 0) return push_tag(L) ? 1 : 0;
    if (strcmp(name, "columns") == 0) return push_of_shape(L, kColumns) ? 1 : 0;
    if (strcmp(name, "value") == 0) return push_value(L) ? 1 : 0;
    for (const char *field : kFields)
        if (strcmp(field, name) == 0) return 0;
    const char *hint = has_column(L, name)
                           ? lua_pushfstring(L, "A column is one of a row: result[1].%s.", name)
                           : "Its fields are n, tag, columns, value and notices, and its rows are "
                             "result[1] to result[result.n].";
    lua::raise_hint(L, "42703", hint, "a result has no field \"%s\"", name);
}

// cell(row, i, limit): the text of column i, at most so many characters, on one line.
int cell(lua_State *L) {
    const auto column = static_cast<int>(luaL_checkinteger(L, 2));
    const auto limit = static_cast<Size>(luaL_checkinteger(L, 3));
    lua_settop(L, 1);
    if (!types::push_column_text(L, 1, column - 1)) luaL_tolstring(L, 1, nullptr);
    size_t length;
    const char *text = lua_tolstring(L, -1, &length);
    if (text == nullptr) text = "";
    const size_t clipped = pg::length_of_characters(text, length, limit);
    luaL_Buffer buffer;
    luaL_buffinit(L, &buffer);
    for (size_t i = 0; i < clipped; i++) {
        switch (text[i]) {
        case '\n': luaL_addstring(&buffer, "\\n"); break;
        case '\r': luaL_addstring(&buffer, "\\r"); break;
        case '\t': luaL_addstring(&buffer, "\\t"); break;
        default: luaL_addchar(&buffer, text[i]);
        }
    }
    if (clipped < length) luaL_addstring(&buffer, "...");
    luaL_pushresult(&buffer);
    return 1;
}

// width(text): its number of characters.
int width(lua_State *L) {
    size_t length;
    const char *text = luaL_checklstring(L, 1, &length);
    lua_pushinteger(L, static_cast<lua_Integer>(pg::count_characters(text, length)));
    return 1;
}

// __tostring. The module that makes texts is loaded for the first one.
int to_string(lua_State *L) {
    lua_settop(L, 1);
    lua::need_stack(L, 8);
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &kText) != LUA_TFUNCTION) {
        if (lua::load_embedded(L, "pllua.result_text") == 0)
            luaL_error(L, "module pllua.result_text is missing");
        lua_pushcfunction(L, cell);
        lua_pushcfunction(L, width);
        lua_call(L, 2, 1);
        lua_pushvalue(L, -1);
        lua_rawsetp(L, LUA_REGISTRYINDEX, &kText);
    }
    lua_pushvalue(L, 1);
    lua_call(L, 1, 1);
    return 1;
}

// Pushes a new metatable of which is known what is on top, which is popped.
void push_new_metatable(lua_State *L) {
    static const luaL_Reg kMetamethods[] = {
        {"__index", index},
        {"__tostring", to_string},
        {nullptr, nullptr},
    };
    lua_createtable(L, 0, 2);
    luaL_setfuncs(L, kMetamethods, 0);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &kKnown);
    lua_pushvalue(L, -2);
    lua_pushvalue(L, -4);
    lua_rawset(L, -3);
    lua_pop(L, 1);
    lua_remove(L, -2);
}

// The length of the tag without the number at its end, when that is n; else of all of it.
size_t prefix_length(const char *tag, lua_Integer n, bool *counts) {
    char number[24];
    const auto digits =
        static_cast<size_t>(pg_snprintf(number, sizeof(number), INT64_FORMAT, int64{n}));
    const size_t length = strlen(tag);
    *counts = length > digits && tag[length - digits - 1] == ' ' &&
              strcmp(tag + length - digits, number) == 0;
    return *counts ? length - digits : length;
}

// Pushes the metatable for results of the shape with that tag: that of the last one, when it fits.
void push_metatable(lua_State *L, int shape, const char *tag, lua_Integer n) {
    bool counts = false;
    const size_t length = tag == nullptr ? 0 : prefix_length(tag, n, &counts);
    if (lua_rawgeti(L, shape, kLast) == LUA_TTABLE) {
        lua_rawgeti(L, -1, kPrefix);
        lua_rawgeti(L, -2, kCounts);
        size_t known_length = 0;
        const char *known = lua_tolstring(L, -2, &known_length);
        const bool fits = (known != nullptr) == (tag != nullptr) && known_length == length &&
                          (lua_toboolean(L, -1) != 0) == counts &&
                          (tag == nullptr || memcmp(known, tag, length) == 0);
        lua_pop(L, 2);
        if (fits) {
            lua_rawgeti(L, shape, kMetatable);
            lua_remove(L, -2);
            return;
        }
    }
    lua_pop(L, 1);
    lua_createtable(L, 3, 0);
    lua_pushvalue(L, shape);
    lua_rawseti(L, -2, kShape);
    if (tag != nullptr)
        lua_pushlstring(L, tag, length);
    else
        lua_pushboolean(L, 0);
    lua_rawseti(L, -2, kPrefix);
    lua_pushboolean(L, counts);
    lua_rawseti(L, -2, kCounts);
    lua_pushvalue(L, -1);
    push_new_metatable(L);
    lua_pushvalue(L, -1);
    lua_rawseti(L, shape, kMetatable);
    lua_insert(L, -2);
    lua_rawseti(L, shape, kLast);
}

} // namespace

void open_results(lua_State *L) {
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua::set_text(L, "__mode", "k");
    lua_setmetatable(L, -2);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &kKnown);
    lua_newtable(L);
    push_new_metatable(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &kCommands);
}

bool is_result(lua_State *L, int idx) {
    if (!push_known(L, idx)) return false;
    lua_pop(L, 1);
    return true;
}

void push_result_shape(lua_State *L, TupleDesc descriptor, const char *const *type_names) {
    lua::need_stack(L, 8);
    lua_createtable(L, 5, 0);
    types::push_shape(L, descriptor);
    lua_rawseti(L, -2, kRowShape);

    // The names live in a context of their own below the current one, which dies soon enough if Lua
    // runs out of memory here.
    MemoryContext memory = nullptr;
    const char *const *names = type_names;
    pg::call_own_subxact(L, [&] {
        memory =
            AllocSetContextCreate(CurrentMemoryContext, "pllua_bg columns", ALLOCSET_SMALL_SIZES);
    });
    const char **own_names = name_types(L, descriptor, memory);
    lua_createtable(L, descriptor->natts, 0);
    int live = 0;
    for (int i = 0; i < descriptor->natts; i++) {
        Form_pg_attribute column = TupleDescAttr(descriptor, i);
        if (column->attisdropped) continue;
        const char *name = names != nullptr && names[i] != nullptr ? names[i] : own_names[i];
        push_column(L, column, name);
        lua_rawseti(L, -2, ++live);
    }
    pg::call_no_subxact(L, [&] { MemoryContextDelete(memory); });
    lua_rawseti(L, -2, kColumns);
    if (descriptor->natts == 1)
        lua_pushstring(L, NameStr(TupleDescAttr(descriptor, 0)->attname));
    else
        lua_pushboolean(L, 0);
    lua_rawseti(L, -2, kOnlyColumn);
}

void push_row_shape(lua_State *L, int shape_idx) { lua_rawgeti(L, shape_idx, kRowShape); }

void begin_result(lua_State *L, ResultBuilder *builder, int shape_idx, uint64 expected) {
    lua::need_stack(L, 8);
    builder->L = L;
    builder->n = 0;
    builder->result_shape = lua_absindex(L, shape_idx);
    lua_createtable(L, static_cast<int>(Min(expected, kMaxReserved)), 1);
    builder->result = lua_gettop(L);
    push_row_shape(L, builder->result_shape);
    builder->row_shape = lua_gettop(L);
}

void add_row(ResultBuilder *builder, const Datum *values, const bool *nulls) {
    types::push_row(builder->L, builder->row_shape, values, nulls);
    finish_row(builder);
}

void add_minimal(ResultBuilder *builder, MinimalTuple tuple) {
    types::push_row_of_minimal(builder->L, builder->row_shape, tuple);
    finish_row(builder);
}

void finish_result(ResultBuilder *builder, const char *tag) {
    lua_State *L = builder->L;
    lua_settop(L, builder->result);
    lua_pushinteger(L, builder->n);
    set_field(L, builder->result, "n");
    push_metatable(L, builder->result_shape, tag, builder->n);
    lua_setmetatable(L, builder->result);
}

void push_command_result(lua_State *L, const char *tag, uint64 n) {
    lua::need_stack(L, 4);
    lua_createtable(L, 0, 2);
    const int result = lua_gettop(L);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &kCommands);
    lua_setmetatable(L, result);
    lua_pushinteger(L, static_cast<lua_Integer>(n));
    set_field(L, result, "n");
    if (tag != nullptr) {
        lua_pushstring(L, tag);
        set_field(L, result, "tag");
    }
}

} // namespace pllua_bg::api
