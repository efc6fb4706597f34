// Errors on their way between the server and Lua. See errors.h for the contracts.
#include "api/lang/errors.h"

#include "lua/error.h"
#include "lua/interrupt.h"
#include "lua/stack.h"
#include "pg/encoding.h"
#include "pg/guard.h"

namespace pllua_bg::api {

namespace {

const char *severity_name(int level) {
    if (level >= PANIC) return "PANIC";
    if (level >= FATAL) return "FATAL";
    if (level >= ERROR) return "ERROR";
    if (level >= WARNING) return "WARNING";
    if (level == NOTICE) return "NOTICE";
    if (level == INFO) return "INFO";
    if (level >= LOG) return "LOG";
    return "DEBUG";
}

// Lua code makes texts of any bytes; whoever catches the error in SQL may keep them in a table.
char *copy(const char *text) { return text == nullptr ? nullptr : pstrdup(pg::valid_text(text)); }

// Fills a new ErrorData in the current memory context.
ErrorData *new_error_data(const lua::ErrorFields *fields, const char *message) {
    ErrorData *error = static_cast<ErrorData *>(palloc0(sizeof(ErrorData)));
    error->elevel = ERROR;
    error->output_to_server = true;
    error->output_to_client = true;
    error->assoc_context = CurrentMemoryContext;
    if (fields == nullptr) {
        error->sqlerrcode = ERRCODE_EXTERNAL_ROUTINE_EXCEPTION;
        error->message = copy(message);
        return error;
    }
    const char *code = fields->sqlstate;
    error->sqlerrcode = code == nullptr || strlen(code) != 5
                            ? ERRCODE_INTERNAL_ERROR
                            : MAKE_SQLSTATE(code[0], code[1], code[2], code[3], code[4]);
    error->message = copy(fields->message);
    error->detail = copy(fields->detail);
    error->hint = copy(fields->hint);
    error->context = copy(fields->context);
    error->schema_name = copy(fields->schema);
    error->table_name = copy(fields->table);
    error->column_name = copy(fields->column);
    error->datatype_name = copy(fields->datatype);
    error->constraint_name = copy(fields->constraint);
    error->internalquery = copy(fields->internal_query);
    // A position in a statement that the error names itself is none in the client's.
    error->cursorpos = fields->internal_query != nullptr ? 0 : fields->position;
    error->internalpos = fields->internal_position;
    error->filename = copy(fields->source_file);
    error->funcname = copy(fields->source_function);
    error->lineno = fields->source_line;
    return error;
}

// Leaves the text of the value at the bottom of the stack. Runs protected: a __tostring may raise.
int describe_value(lua_State *L) {
    luaL_tolstring(L, 1, nullptr);
    return 1;
}

// The message of an error value that is no error object;
// valid while the pushed value stays on the stack.
const char *push_message(lua_State *L, int idx) {
    if (lua_type(L, idx) == LUA_TSTRING) {
        lua_pushvalue(L, idx);
        return lua_tostring(L, -1);
    }
    lua_pushcfunction(L, describe_value);
    lua_pushvalue(L, idx < 0 ? idx - 1 : idx);
    if (lua::call(L, 1, 1, 0) == LUA_OK) return lua_tostring(L, -1);
    return "error value has no text";
}

int copy_error_data(lua_State *L) {
    push_error_data(L, static_cast<const ErrorData *>(lua_touserdata(L, 1)));
    return 1;
}

} // namespace

// A finalizer that the collector runs meanwhile may raise errors of its own, so nobody else may
// have the error; and it is freed also where there is no memory for the copy.
void raise_error_data(lua_State *L, ErrorData *error) {
    int status = LUA_ERRMEM;
    if (lua_checkstack(L, 2) != 0) {
        lua_pushcfunction(L, copy_error_data);
        lua_pushlightuserdata(L, error);
        status = lua::call(L, 1, 1, 0);
    } else {
        lua_settop(L, 0);
    }
    pg::free_error(error);
    if (status == LUA_ERRMEM) lua::push_out_of_memory(L);
    lua_error(L);
}

void push_error_data(lua_State *L, const ErrorData *error) {
    lua::need_stack(L, 8);
    lua::ErrorFields fields = {};
    fields.severity = severity_name(error->elevel);
    char code[6];
    strlcpy(code, unpack_sql_state(error->sqlerrcode), sizeof(code));
    fields.sqlstate = code;
    fields.message = error->message;
    fields.detail = error->detail;
    fields.hint = error->hint;
    fields.context = error->context;
    fields.schema = error->schema_name;
    fields.table = error->table_name;
    fields.column = error->column_name;
    fields.datatype = error->datatype_name;
    fields.constraint = error->constraint_name;
    fields.internal_query = error->internalquery;
    fields.message_id = error->message_id;
    fields.source_file = error->filename;
    fields.source_function = error->funcname;
    fields.source_line = error->lineno;
    fields.position = error->cursorpos;
    fields.internal_position = error->internalpos;
    fields.server = true;
    fields.passes = true;
    lua::push_error(L, fields);
}

ErrorData *error_from_lua(lua_State *L, int idx, bool *fresh) {
    const lua::ErrorFields *fields = lua::error_fields(L, idx);
    *fresh = fields == nullptr || !fields->server;
    const int top = lua_gettop(L);
    const char *message = fields == nullptr ? push_message(L, idx) : nullptr;
    ErrorData *error = nullptr;
    const bool built =
        pg::build_error([&error, fields, message] { error = new_error_data(fields, message); });
    lua_settop(L, top);
    return built ? error : pg::take_error();
}

void raise_pending(lua_State *L) {
    if (pg::pending_error() != nullptr) pg::raise_in_lua(L, pg::copy_pending());
}

void pass_on(lua_State *L) {
    raise_pending(L);
    const lua::ErrorFields *fields = lua::error_fields(L, -1);
    if (fields != nullptr && fields->passes) lua_error(L);
}

} // namespace pllua_bg::api
