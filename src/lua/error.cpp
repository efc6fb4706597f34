// One block holds the whole error: the fields, and behind them the texts they point at. Blocks of
// userdata never move.
#include "lua/error.h"

#include <cstring>

#include "lua/sqlstate.h"
#include "lua/stack.h"
#include "lua/userdata.h"

#include "lua/no_server.h"

namespace pllua_bg::lua {

namespace {

using TextField = const char *ErrorFields::*;

// The order of the texts in the block.
constexpr TextField kTexts[] = {
    &ErrorFields::severity,        &ErrorFields::sqlstate,   &ErrorFields::message,
    &ErrorFields::detail,          &ErrorFields::hint,       &ErrorFields::context,
    &ErrorFields::schema,          &ErrorFields::table,      &ErrorFields::column,
    &ErrorFields::datatype,        &ErrorFields::constraint, &ErrorFields::internal_query,
    &ErrorFields::query,           &ErrorFields::message_id, &ErrorFields::source_file,
    &ErrorFields::source_function,
};
constexpr int kTextCount = sizeof(kTexts) / sizeof(kTexts[0]);

struct NamedText {
    const char *name;
    TextField field;
};
constexpr NamedText kErrorFieldNames[] = {
    {"sqlstate", &ErrorFields::sqlstate},
    {"message", &ErrorFields::message},
    {"detail", &ErrorFields::detail},
    {"hint", &ErrorFields::hint},
    {"context", &ErrorFields::context},
    {"schema", &ErrorFields::schema},
    {"table", &ErrorFields::table},
    {"column", &ErrorFields::column},
    {"datatype", &ErrorFields::datatype},
    {"constraint", &ErrorFields::constraint},
    {"internal_query", &ErrorFields::internal_query},
    {"query", &ErrorFields::query},
    {"message_id", &ErrorFields::message_id},
    {"pg_source_file", &ErrorFields::source_file},
    {"pg_source_function", &ErrorFields::source_function},
    {"severity", &ErrorFields::severity},
};

struct NamedNumber {
    const char *name;
    int ErrorFields::*field;
};
constexpr NamedNumber kErrorNumberNames[] = {
    {"position", &ErrorFields::position},
    {"internal_position", &ErrorFields::internal_position},
    {"pg_source_line", &ErrorFields::source_line},
};

const char *sqlstate_in(const ErrorFields &error) {
    return error.sqlstate != nullptr ? error.sqlstate : "XX000";
}

// pllua shows severities as the words of its elog functions.
void push_severity(lua_State *L, const ErrorFields &error) {
    const char *severity = error.severity != nullptr ? error.severity : "ERROR";
    luaL_Buffer buffer;
    luaL_buffinit(L, &buffer);
    for (const char *p = severity; *p != '\0'; p++)
        luaL_addchar(&buffer, *p >= 'A' && *p <= 'Z' ? static_cast<char>(*p - 'A' + 'a') : *p);
    luaL_pushresult(&buffer);
}

void push_errcode(lua_State *L, const ErrorFields &error) {
    const char *sqlstate = sqlstate_in(error);
    const char *name = condition_of(sqlstate);
    lua_pushstring(L, name != nullptr ? name : sqlstate);
}

void push_category(lua_State *L, const ErrorFields &error) {
    const char *sqlstate = sqlstate_in(error);
    const char *name = category_of(sqlstate);
    if (name != nullptr)
        lua_pushstring(L, name);
    else
        lua_pushfstring(L, "%c%c000", sqlstate[0], sqlstate[0] == '\0' ? '0' : sqlstate[1]);
}

const ErrorFields &check_error(lua_State *L, int idx) {
    return *check_userdata<ErrorFields>(L, idx, kErrorType);
}

int error_index(lua_State *L) {
    const ErrorFields &error = check_error(L, 1);
    const char *name = luaL_checkstring(L, 2);
    if (strcmp(name, "errcode") == 0)
        push_errcode(L, error);
    else if (strcmp(name, "category") == 0)
        push_category(L, error);
    else if (strcmp(name, "severity") == 0)
        push_severity(L, error);
    else if (const char *text = error_field(L, 1, name); text != nullptr)
        lua_pushstring(L, text);
    else {
        for (const NamedNumber &number : kErrorNumberNames) {
            if (strcmp(name, number.name) == 0) {
                lua_pushinteger(L, error.*number.field);
                return 1;
            }
        }
        lua_pushnil(L);
    }
    return 1;
}

int error_tostring(lua_State *L) {
    const ErrorFields &error = check_error(L, 1);
    lua_pushfstring(L, "%s: %s %s", error.severity != nullptr ? error.severity : "ERROR",
                    sqlstate_in(error), error.message != nullptr ? error.message : "(no message)");
    return 1;
}

// pllua.error.type(x): "error" for an error object, else nil.
int error_type(lua_State *L) {
    lua_settop(L, 1);
    if (is_error(L, 1))
        lua_pushstring(L, "error");
    else
        lua_pushnil(L);
    return 1;
}

// Nothing at all for a value that is no error object.
int error_errcode(lua_State *L) {
    lua_settop(L, 1);
    if (!is_error(L, 1)) return 0;
    push_errcode(L, check_error(L, 1));
    return 1;
}

int error_category(lua_State *L) {
    lua_settop(L, 1);
    if (!is_error(L, 1)) return 0;
    push_category(L, check_error(L, 1));
    return 1;
}

[[noreturn]] void raise_formatted(lua_State *L, const char *sqlstate, const char *hint,
                                  const char *fmt, va_list arguments) {
    ErrorFields fields = {};
    need_stack(L, 4);
    fields.sqlstate = sqlstate;
    fields.hint = hint;
    fields.message = lua_pushvfstring(L, fmt, arguments);
    raise_fields(L, fields);
}

} // namespace

void push_error(lua_State *L, const ErrorFields &fields) {
    size_t size = sizeof(ErrorFields);
    size_t lengths[kTextCount];
    for (int i = 0; i < kTextCount; i++) {
        const char *text = fields.*kTexts[i];
        lengths[i] = text != nullptr ? strlen(text) + 1 : 0;
        size += lengths[i];
    }
    need_stack(L, 2);
    auto *copy = static_cast<ErrorFields *>(lua_newuserdatauv(L, size, 0));
    *copy = fields;
    char *tail = reinterpret_cast<char *>(copy + 1);
    for (int i = 0; i < kTextCount; i++) {
        if (lengths[i] == 0) continue;
        memcpy(tail, fields.*kTexts[i], lengths[i]);
        copy->*kTexts[i] = tail;
        tail += lengths[i];
    }
    push_metatable(L, kErrorType);
    lua_setmetatable(L, -2);
}

bool is_error(lua_State *L, int idx) { return test_userdata(L, idx, kErrorType) != nullptr; }

const ErrorFields *error_fields(lua_State *L, int idx) {
    return to_userdata<ErrorFields>(L, idx, kErrorType);
}

const char *error_field(lua_State *L, int idx, const char *name) {
    const ErrorFields *error = error_fields(L, idx);
    if (error == nullptr) return nullptr;
    for (const NamedText &text : kErrorFieldNames) {
        if (strcmp(name, text.name) == 0) return error->*text.field;
    }
    return nullptr;
}

void raise(lua_State *L, const char *sqlstate, const char *fmt, ...) {
    va_list arguments;
    va_start(arguments, fmt);
    raise_formatted(L, sqlstate, nullptr, fmt, arguments);
}

void raise_hint(lua_State *L, const char *sqlstate, const char *hint, const char *fmt, ...) {
    va_list arguments;
    va_start(arguments, fmt);
    raise_formatted(L, sqlstate, hint, fmt, arguments);
}

void raise_finalized(lua_State *L, const char *what) {
    raise(L, "55000", "%s cannot be used after its finalization", what);
}

void raise_fields(lua_State *L, const ErrorFields &fields) {
    push_error(L, fields);
    lua_error(L);
    __builtin_unreachable();
}

void initialize_errors(lua_State *L) {
    static const luaL_Reg kMetamethods[] = {
        {"__index", error_index},
        {"__tostring", error_tostring},
        {nullptr, nullptr},
    };
    new_metatable(L, kErrorType, "error object");
    luaL_setfuncs(L, kMetamethods, 0);
    lua_pop(L, 1);

    push_error(L, {.severity = "ERROR",
                   .sqlstate = "53200",
                   .message = "out of memory",
                   .detail = "The memory limit of the Lua interpreter was reached, or the server "
                             "has no more memory."});
    lua_rawsetp(L, LUA_REGISTRYINDEX, &kOutOfMemory);
    push_error(
        L, {.severity = "ERROR",
            .sqlstate = "54001",
            .message = "stack depth limit exceeded",
            .hint = "Calls are nested too deeply, or \"max_stack_depth\" is too low for them."});
    lua_rawsetp(L, LUA_REGISTRYINDEX, &kStackTooDeep);
}

int open_error(lua_State *L) {
    static const luaL_Reg kFunctions[] = {
        {"type", error_type},
        {"errcode", error_errcode},
        {"category", error_category},
        {nullptr, nullptr},
    };
    lua_createtable(L, 0, 12);
    luaL_setfuncs(L, kFunctions, 0);
    return 1;
}

} // namespace pllua_bg::lua
