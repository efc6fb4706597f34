// Messages to the client and the log from Lua code: the module pllua.elog, and print.
//
// Forms of the arguments, as pllua has them: (message), (sqlstate, message [, detail [, hint]]), or
// one table of fields.
#include "api/lang/elog.h"

#include "api/api.h"
#include "api/lang/result.h"
#include "lua/error.h"
#include "lua/sandbox.h"
#include "lua/sqlstate.h"
#include "lua/stack.h"
#include "pg/encoding.h"
#include "pg/guard.h"
#include "pg/subxact.h"

namespace pllua_bg::api {

namespace {

constexpr char kNoMessage[] = "(no message given)";

struct Level {
    const char *name;
    int severity;
};
constexpr Level kLevels[] = {
    {"error", ERROR},   {"warning", WARNING}, {"notice", NOTICE}, {"info", INFO},
    {"log", LOG},       {"debug", DEBUG1},    {"debug1", DEBUG1}, {"debug2", DEBUG2},
    {"debug3", DEBUG3}, {"debug4", DEBUG4},   {"debug5", DEBUG5},
};

struct FieldName {
    const char *name;
    const char *lua::ErrorFields::*field;
};
constexpr FieldName kFields[] = {
    {"message", &lua::ErrorFields::message},
    {"detail", &lua::ErrorFields::detail},
    {"hint", &lua::ErrorFields::hint},
    {"schema", &lua::ErrorFields::schema},
    {"table", &lua::ErrorFields::table},
    {"column", &lua::ErrorFields::column},
    {"datatype", &lua::ErrorFields::datatype},
    {"constraint", &lua::ErrorFields::constraint},
    {"context", &lua::ErrorFields::context},
    {"query", &lua::ErrorFields::internal_query},
    {"internal_query", &lua::ErrorFields::internal_query},
};

// Replaces the string on top by one without NUL that can be shown, and gives its text.
const char *show_nuls(lua_State *L) {
    size_t length;
    const char *text = lua_tolstring(L, -1, &length);
    if (strlen(text) == length) [[likely]]
        return text;
    luaL_Buffer buffer;
    luaL_buffinit(L, &buffer);
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\0')
            luaL_addstring(&buffer, "\\x00");
        else
            luaL_addchar(&buffer, text[i]);
    }
    luaL_pushresult(&buffer);
    lua_remove(L, -2);
    return lua_tostring(L, -1);
}

// The text of the value on top, which is replaced by it and has to stay on the stack.
const char *take_text(lua_State *L) {
    luaL_tolstring(L, -1, nullptr);
    lua_remove(L, -2);
    return show_nuls(L);
}

// The code for a code or a condition name; the default for anything else.
const char *take_sqlstate(lua_State *L) {
    const char *name = lua_tostring(L, -1);
    return name == nullptr ? nullptr : lua::sqlstate_of(name);
}

// Leaves the texts on the stack.
void take_table(lua_State *L, int idx, lua::ErrorFields *fields) {
    for (const FieldName &field : kFields) {
        if (lua_getfield(L, idx, field.name) == LUA_TNIL)
            lua_pop(L, 1);
        else
            fields->*field.field = take_text(L);
    }
    lua_getfield(L, idx, "sqlstate");
    fields->sqlstate = take_sqlstate(L);
}

void take_list(lua_State *L, int first, int count, lua::ErrorFields *fields) {
    const char **const targets[] = {&fields->message, &fields->detail, &fields->hint};
    int next = first;
    if (count > 1) {
        lua_pushvalue(L, next++);
        fields->sqlstate = take_sqlstate(L);
    }
    for (int i = 0; next < first + count; i++, next++) {
        if (i > 0 && lua_isnil(L, next)) continue;
        lua_pushvalue(L, next);
        *targets[i] = take_text(L);
    }
}

int sqlstate_number(const char *code, int severity) {
    if (code == nullptr)
        return severity >= WARNING ? ERRCODE_WARNING : ERRCODE_SUCCESSFUL_COMPLETION;
    return MAKE_SQLSTATE(code[0], code[1], code[2], code[3], code[4]);
}

void set_fields(int severity, const lua::ErrorFields &fields) {
    errcode(sqlstate_number(fields.sqlstate, severity));
    errmsg_internal("%s", fields.message);
    if (fields.detail != nullptr) errdetail_internal("%s", fields.detail);
    if (fields.hint != nullptr) errhint("%s", fields.hint);
    if (fields.context != nullptr) errcontext_msg("%s", fields.context);
    if (fields.internal_query != nullptr) internalerrquery(fields.internal_query);
    if (fields.schema != nullptr) err_generic_string(PG_DIAG_SCHEMA_NAME, fields.schema);
    if (fields.table != nullptr) err_generic_string(PG_DIAG_TABLE_NAME, fields.table);
    if (fields.column != nullptr) err_generic_string(PG_DIAG_COLUMN_NAME, fields.column);
    if (fields.datatype != nullptr) err_generic_string(PG_DIAG_DATATYPE_NAME, fields.datatype);
    if (fields.constraint != nullptr)
        err_generic_string(PG_DIAG_CONSTRAINT_NAME, fields.constraint);
}

// Fields may be any bytes: what is no text of the database is shown as \xNN.
// Errors: pg, when the severity is one.
void emit(int severity, const lua::ErrorFields &fields) {
    if (!errstart(severity, TEXTDOMAIN)) return;
    // After an error the server empties this context; since 19 after any message.
    MemoryContext outer =
        MemoryContextSwitchTo(severity >= ERROR ? ErrorContext : CurrentMemoryContext);
    lua::ErrorFields shown = fields;
    for (const FieldName &field : kFields)
        if (shown.*field.field != nullptr) shown.*field.field = pg::valid_text(shown.*field.field);
    MemoryContextSwitchTo(outer);
    set_fields(severity, shown);
    errfinish(nullptr, 0, nullptr);
    for (const FieldName &field : kFields) {
        if (shown.*field.field == fields.*field.field) continue;
        pfree(const_cast<char *>(shown.*field.field));
        shown.*field.field = fields.*field.field;
    }
}

// Sends a message that is no error. Errors: lua.
void send(lua_State *L, int severity, const lua::ErrorFields &fields) {
    pg::call<pg::Undo::kMessage>(L, [severity, &fields] { emit(severity, fields); });
}

// Raises an error as the server does, so that nobody catches it who does not undo what was done
// before. A cancel that Lua code has made up can be caught all the same. Errors: lua, always.
[[noreturn]] void raise_message(lua_State *L, lua::ErrorFields *fields) {
    ErrorData code = {};
    code.sqlerrcode = sqlstate_number(fields->sqlstate, ERROR);
    if (!pg::is_final(&code)) pg::call_no_subxact(L, [fields] { emit(ERROR, *fields); });
    fields->passes = true;
    lua::raise_fields(L, *fields);
}

// Reports with the arguments from index `first` on.
int report(lua_State *L, int severity, int first) {
    lua::need_stack(L, 24);
    const int count = lua_gettop(L) - first + 1;
    if (count < 1 || count > 4) lua::raise(L, "22023", "wrong number of parameters to elog");
    lua::ErrorFields fields = {};
    if (count == 1 && lua_istable(L, first))
        take_table(L, first, &fields);
    else
        take_list(L, first, count, &fields);
    if (fields.message == nullptr) fields.message = kNoMessage;
    if (severity >= ERROR) {
        if (sqlstate_number(fields.sqlstate, INFO) == ERRCODE_SUCCESSFUL_COMPLETION)
            fields.sqlstate = "XX000";
        raise_message(L, &fields);
    }
    send(L, severity, fields);
    return 0;
}

int elog_any(lua_State *L) {
    const char *name = luaL_checkstring(L, 1);
    for (const Level &level : kLevels)
        if (strcmp(name, level.name) == 0) return report(L, level.severity, 2);
    lua::raise(L, "22023", "unknown elevel for elog()");
}

template <int kSeverity> int elog_at(lua_State *L) { return report(L, kSeverity, 1); }

int print_line(lua_State *L) {
    lua::check_stack(L);
    const int n = lua_gettop(L);
    luaL_Buffer buffer;
    luaL_buffinit(L, &buffer);
    for (int i = 1; i <= n; i++) {
        if (i > 1) luaL_addchar(&buffer, '\t');
        const char *text = luaL_tolstring(L, i, nullptr);
        // A table begins below what the client shows in front of a message.
        if (is_result(L, i) && strchr(text, '\n') != nullptr) {
            lua_pushliteral(L, "\n");
            lua_insert(L, -2);
            lua_concat(L, 2);
        }
        luaL_addvalue(&buffer);
    }
    luaL_pushresult(&buffer);
    send_text(L, INFO);
    return 0;
}

} // namespace

void send_text(lua_State *L, int severity) {
    lua::ErrorFields fields = {};
    fields.message = show_nuls(L);
    send(L, severity, fields);
}

void add_elog_functions(lua_State *L) {
    const luaL_Reg functions[] = {
        {"elog", elog_any},          {"error", elog_at<ERROR>}, {"warning", elog_at<WARNING>},
        {"notice", elog_at<NOTICE>}, {"info", elog_at<INFO>},   {"log", elog_at<LOG>},
        {"debug", elog_at<DEBUG1>},  {nullptr, nullptr},
    };
    luaL_setfuncs(L, functions, 0);
}

void open_elog(lua_State *L) {
    lua_createtable(L, 0, 7);
    add_elog_functions(L);
    lua::set_module(L, "pllua.elog");
    lua_pushcfunction(L, print_line);
    lua::set_global(L, "print");
}

} // namespace pllua_bg::api
