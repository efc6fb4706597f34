// What a settled command left behind, as Lua values: results, notices, errors.
#include "api/bg/bg.h"

#include "api/bg/rows.h"
#include "api/lang/errors.h"
#include "api/lang/result.h"
#include "lua/error.h"
#include "lua/stack.h"
#include "pg/encoding.h"
#include "pg/guard.h"

namespace pllua_bg::api {

namespace {

// Adds the rows of a batch. Errors: lua.
void add_batch(ResultBuilder *builder, RowSource *source, const session::TupleBatch *batch) {
    const char *at = batch->tuples;
    for (uint64 i = 0; i < batch->count; i++) {
        auto *tuple = reinterpret_cast<MinimalTuple>(const_cast<char *>(at));
        at += MAXALIGN(tuple->t_len);
        if (source->columns != nullptr) {
            pg::call_own_subxact(builder->L, [&] { convert_tuple(source, tuple); });
            add_row(builder, source->values, source->nulls);
        } else {
            add_minimal(builder, tuple);
        }
    }
}

// Pushes the result of one statement. Errors: lua.
void push_statement(lua_State *L, int handle_idx, session::StatementResult *statement) {
    if (!statement->has_rows) {
        push_command_result(L, statement->tag, tag_count(statement->tag));
        return;
    }
    RowSource source = {};
    pg::call_own_subxact(L, [&] { open_source(&source, statement, false); });
    push_source_shape(L, handle_idx, &source);
    ResultBuilder builder;
    begin_result(L, &builder, -1, statement->nrows);
    session::TupleBatch batch;
    do {
        // No subtransaction: what can fail here is reading a temporary file.
        pg::call_no_subxact(L, [&] { batch = session::next_batch(source.reader); });
        add_batch(&builder, &source, &batch);
    } while (batch.count > 0);
    finish_result(&builder, statement->tag);
    lua_remove(L, -2);
    pg::call_no_subxact(L, [&] { close_source(&source); });
}

// Pushes the last result, and above it a list of all of them, or nil when there is one.
void push_results(lua_State *L, int handle_idx, session::Command *command) {
    session::StatementResult *statement = command->statements.first;
    if (statement == nullptr) {
        push_command_result(L, "", 0);
        lua_pushnil(L);
        return;
    }
    if (statement->after == nullptr) {
        push_statement(L, handle_idx, statement);
        lua_pushnil(L);
        return;
    }
    lua_createtable(L, 2, 0);
    for (int i = 1; statement != nullptr; statement = statement->after, i++) {
        push_statement(L, handle_idx, statement);
        lua_rawseti(L, -2, i);
    }
    lua_rawgeti(L, -1, static_cast<lua_Integer>(lua_rawlen(L, -1)));
    lua_insert(L, -2);
}

// Pushes the list of the command's notices, each an error object.
void push_notices(lua_State *L, const session::Command *command) {
    lua_createtable(L, 0, 0);
    int n = 0;
    for (const session::Notice *notice = command->notices.first; notice != nullptr;
         notice = notice->after) {
        push_error_data(L, notice->data);
        lua_rawseti(L, -2, ++n);
    }
}

// Pushes the error of a command. Its position is one in the command's text,
// which the error names therefore.
void push_command_error(lua_State *L, const session::Command *command) {
    ErrorData error = *command->error;
    if (error.cursorpos > 0 && error.internalquery == nullptr && command->sql != nullptr &&
        pg::count_characters(command->sql, strlen(command->sql)) + 1 >=
            static_cast<Size>(error.cursorpos)) {
        error.internalquery = command->sql;
        error.internalpos = error.cursorpos;
    }
    push_error_data(L, &error);
    // It was not raised here yet: whoever lets it pass adds where that was to its context.
    auto *fields = const_cast<lua::ErrorFields *>(lua::error_fields(L, -1));
    fields->server = false;
    fields->passes = false;
}

// Hands the notices in the list at list_idx to the handler at handler_idx.
void call_handler(lua_State *L, int handler_idx, int list_idx) {
    const int n = static_cast<int>(lua_rawlen(L, list_idx));
    for (int i = 1; i <= n; i++) {
        lua_pushvalue(L, handler_idx);
        lua_rawgeti(L, list_idx, i);
        lua_call(L, 1, 0);
    }
}

// Raises the notices again in this session.
void relay(lua_State *L, const SessionHandle *handle, session::Command *command) {
    if (command->notices.first == nullptr) return;
    pg::call_own_subxact(
        L, [&] { session::relay_notices(session::by_number(handle->number), command); });
}

// Pushes the notices, the handler for them or nil, and the outcome: what `push` leaves, or the
// error. Lets the notices out and frees the command.
template <class Push>
bool push_end(lua_State *L, int handle_idx, session::Command *command, Push push) {
    lua::need_stack(L, 16);
    const SessionHandle *handle = check_handle(L, handle_idx);
    const bool good = command->state == session::CommandState::kComplete;
    push_notices(L, command);
    const int notices = lua_gettop(L);
    const bool handled = lua_getiuservalue(L, handle_idx, kHandleNotice) != LUA_TNIL;
    if (!handled) relay(L, handle, command);
    if (good)
        push(notices);
    else
        push_command_error(L, command);
    pg::call_no_subxact(L, [=] { MemoryContextDelete(command->context); });
    if (handled) call_handler(L, notices + 1, notices);
    lua_remove(L, notices + 1);
    lua_remove(L, notices);
    return good;
}

} // namespace

uint64 tag_count(const char *tag) {
    const char *last = strrchr(tag, ' ');
    return last == nullptr ? 0 : strtoull(last + 1, nullptr, 10);
}

bool push_outcome(lua_State *L, int handle_idx, session::Command *command) {
    return push_end(L, handle_idx, command, [=](int notices) {
        push_results(L, handle_idx, command);
        lua_pushvalue(L, notices);
        lua_setfield(L, -3, "notices");
    });
}

bool push_stream_end(lua_State *L, int handle_idx, session::Command *command) {
    return push_end(L, handle_idx, command, [](int) {});
}

} // namespace pllua_bg::api
