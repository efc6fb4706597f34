// Rows of a session read while they come: session:rows. The worker goes on only as far as its queue
// and a little memory here allow, so both sides use constant memory.
#include "api/bg.h"

#include "api/bg_rows.h"
#include "api/errors.h"
#include "api/result.h"
#include "lua/entry.h"
#include "lua/error.h"
#include "lua/userdata.h"
#include "pg/guard.h"
#include "types/types.h"

extern "C" {
#include "access/htup_details.h"
}

namespace pllua_bg::api {

namespace {

constexpr char kStreamType[] = "bg.rows";
// User values of a stream.
constexpr int kStreamHandle = 1;
constexpr int kStreamShape = 2;
constexpr int kStreamValues = 2;

// A command whose rows are on their way. The command stays in its session until its end is seen, so
// each step finds it anew.
struct RowStream {
    uint64 number;
    session::CommandId id;      // 0: not sent, or at an end
    MemoryContext memory;       // owned
    MemoryContext tuple_memory; // of the row that is being handed out
    session::Statement
        *statement;   // whose rows are read; nullptr while it has not begun. Compared only
    RowSource source; // open when statement is set
};

enum class Step { kRow, kWait, kEnd, kLost, kTwoSets };

RowStream *check_stream(lua_State *L) { return lua::check_userdata<RowStream>(L, 1, kStreamType); }

session::Command *find_command(const RowStream *stream) {
    session::Session *session = session::by_number(stream->number);
    return session == nullptr ? nullptr : session::command(session, stream->id);
}

// Begins to read when the first statement that returns rows has begun. Errors: pg.
void try_open(RowStream *stream, const session::Command *command) {
    for (session::Statement *s = command->statements; s != nullptr; s = s->next) {
        if (!s->has_rows) continue;
        MemoryContext caller = MemoryContextSwitchTo(stream->memory);
        open_source(&stream->source, s, true);
        MemoryContextSwitchTo(caller);
        stream->statement = s;
        return;
    }
}

// A second set of rows would wait for a reader that it never gets.
bool has_second_set(const RowStream *stream) {
    if (stream->statement == nullptr) return false;
    for (session::Statement *s = stream->statement->next; s != nullptr; s = s->next)
        if (s->has_rows) return true;
    return false;
}

// Goes one step without waiting. A row is copied: what the session has may go while Lua code runs.
// Errors: pg.
Step take_step(RowStream *stream, MinimalTuple *tuple) {
    const session::Command *command = find_command(stream);
    if (command == nullptr) return Step::kLost;
    if (stream->statement == nullptr) try_open(stream, command);
    *tuple = stream->statement == nullptr ? nullptr : session::next_tuple(stream->source.reader);
    if (*tuple != nullptr) {
        MemoryContextReset(stream->tuple_memory);
        MemoryContext caller = MemoryContextSwitchTo(stream->tuple_memory);
        *tuple = heap_copy_minimal_tuple(*tuple);
        MemoryContextSwitchTo(caller);
        return Step::kRow;
    }
    if (has_second_set(stream)) return Step::kTwoSets;
    return command->state == session::CommandState::kPending ? Step::kWait : Step::kEnd;
}

void wait_for_rows(lua_State *L, RowStream *stream) {
    pg::call_pure(L, [stream] {
        session::Session *session = session::by_number(stream->number);
        if (session == nullptr) return;
        session::check_owner(session);
        (void)session::wait_rows(session, stream->id,
                                 stream->statement == nullptr ? nullptr : stream->source.reader,
                                 -1);
    });
}

// Pushes the row as Lua code sees it. Errors: lua.
void push_stream_row(lua_State *L, RowStream *stream, MinimalTuple tuple) {
    if (lua_getiuservalue(L, 1, kStreamShape) == LUA_TNIL) {
        lua_pop(L, 1);
        lua_getiuservalue(L, 1, kStreamHandle);
        push_source_frame(L, lua_gettop(L), &stream->source);
        push_frame_shape(L, -1);
        lua_pushvalue(L, -1);
        lua_setiuservalue(L, 1, kStreamShape);
        lua_insert(L, -3);
        lua_pop(L, 2);
    }
    const int shape = lua_gettop(L);
    if (stream->source.columns == nullptr) {
        types::push_row_of_minimal(L, shape, tuple);
    } else {
        pg::call_pure(L, [=] { convert_tuple(&stream->source, tuple); });
        types::push_row(L, shape, stream->source.values, stream->source.nulls);
    }
    lua_remove(L, shape);
}

// Lets go of the command and of all memory. Cancels what still runs. Errors: none.
void end_stream(RowStream *stream) {
    if (stream->memory == nullptr) return;
    if (stream->id != 0) {
        session::Session *session = session::by_number(stream->number);
        const session::Command *command = find_command(stream);
        if (command != nullptr && stream->statement != nullptr)
            session::close_reader(stream->source.reader);
        if (command != nullptr) {
            session::cancel_command(session, stream->id);
            session::release(session, stream->id);
        }
    }
    stream->id = 0;
    MemoryContextDelete(stream->memory);
    stream->memory = nullptr;
}

// The command has settled: hands on its notices, raises its error.
int finish_stream(lua_State *L, RowStream *stream) {
    session::Command *command = nullptr;
    pg::call_pure(L, [&] {
        if (stream->statement != nullptr) close_source(&stream->source);
        stream->statement = nullptr;
        command = session::take_out(session::by_number(stream->number), stream->id);
        stream->id = 0;
    });
    lua_getiuservalue(L, 1, kStreamHandle);
    const bool good = push_stream_end(L, lua_gettop(L), command);
    pg::call_cleanup(L, [stream] { end_stream(stream); });
    return good ? 0 : lua_error(L);
}

} // namespace

// stream(handle, sql, ...): a stream, for stream_next.
int bg_stream(lua_State *L) {
    SessionHandle *handle = check_handle(L, 1);
    Outgoing outgoing;
    collect(L, 2, &outgoing);
    RowStream *stream = lua::new_userdata<RowStream>(L, kStreamType, kStreamValues);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, kStreamHandle);
    pg::call_pure(L, [&] {
        session::Session *session = require_session(handle);
        verify_text(outgoing.sql, outgoing.length);
        stream->memory =
            AllocSetContextCreate(TopMemoryContext, "pllua_bg rows", ALLOCSET_SMALL_SIZES);
        stream->tuple_memory =
            AllocSetContextCreate(stream->memory, "pllua_bg tuple", ALLOCSET_SMALL_SIZES);
        stream->number = handle->number;
        stream->id = session::send_streaming(session, outgoing.sql, outgoing.nparams,
                                             outgoing.params, outgoing.statement);
        session::take(session, session::command(session, stream->id));
        handle->last = stream->id;
    });
    discard(L, &outgoing);
    return 1;
}

// stream_next(stream): the next row; nil at the end. Waits.
int bg_stream_next(lua_State *L) {
    RowStream *stream = check_stream(L);
    lua_settop(L, 1);
    while (stream->id != 0) {
        MinimalTuple tuple = nullptr;
        Step step = Step::kLost;
        pg::call_cleanup(L, [&] { step = take_step(stream, &tuple); });
        switch (step) {
        case Step::kRow: push_stream_row(L, stream, tuple); return 1;
        case Step::kWait: wait_for_rows(L, stream); break;
        case Step::kEnd: return finish_stream(L, stream);
        case Step::kTwoSets:
            pg::call_cleanup(L, [stream] { end_stream(stream); });
            lua::raise(L, "0A000", "rows takes a command with one statement that returns rows");
        case Step::kLost:
            pg::call_cleanup(L, [stream] { end_stream(stream); });
            lua::raise(L, "08003", "the background session has been closed or detached");
        }
    }
    return 0;
}

// stream_close(stream): ends the reading early.
int bg_stream_close(lua_State *L) {
    RowStream *stream = check_stream(L);
    pg::call_cleanup(L, [stream] { end_stream(stream); });
    return 0;
}

void open_streams(lua_State *L) {
    static const luaL_Reg kMetamethods[] = {
        {"__call", lua::entry<bg_stream_next>},
        {"__close", lua::entry<bg_stream_close>},
        {"__gc", lua::entry<bg_stream_close>},
        {nullptr, nullptr},
    };
    lua::new_metatable(L, kStreamType);
    lua::set_functions(L, kMetamethods);
    lua_pop(L, 1);
}

} // namespace pllua_bg::api
