// Rows of a session read while they come: session:rows. The worker goes on only as far as its queue
// and a little memory here allow, so both sides use constant memory.
#include "api/bg/bg.h"

#include "api/bg/rows.h"
#include "api/lang/errors.h"
#include "api/lang/result.h"
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
// The user value of a stream.
constexpr int kStreamHandle = 1;
constexpr int kStreamValues = 1;
// Upvalues of the function that gives the next row.
constexpr int kStream = 1;
constexpr int kShape = 2; // nil until the first row
constexpr int kUpvalues = 2;
constexpr Size kLeastBlock = 32 * 1024;
// A block that is larger is let go for the next batch.
constexpr Size kLargestKept = 256 * 1024;

// A command whose rows are on their way. The command stays in its session until its end is seen, so
// each step finds it anew.
struct RowStream {
    uint64 number;
    session::CommandId id; // 0: not sent, or at an end
    MemoryContext memory;  // owned
    char *block;           // a copy of the batch: Lua code that runs while a row is made
                           // (finalizers) may end the session, and the stream
    Size capacity;         // of the block
    const char *at;        // the next row there
    uint64 left;           // rows there
    bool busy;             // making a row, or failed in it: the memory must stay
    bool finalized;        // the collector has ended it
    session::StatementResult
        *statement;   // whose rows are read; nullptr while it has not begun. Compared only
    RowSource source; // open when statement is set
};

enum class Step { kRow, kWait, kEnd, kLost, kTwoSets };

session::Command *find_command(const RowStream *stream) {
    session::Session *session = session::by_number(stream->number);
    return session == nullptr ? nullptr : session::command(session, stream->id);
}

// Begins to read when the first statement that returns rows has begun. Errors: pg.
void try_open(RowStream *stream, const session::Command *command) {
    for (session::StatementResult *s = command->statements.first; s != nullptr; s = s->after) {
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
    for (session::StatementResult *s = stream->statement->after; s != nullptr; s = s->after)
        if (s->has_rows) return true;
    return false;
}

// Copies a batch into the block, which grows if need be. Errors: pg (memory).
void keep_batch(RowStream *stream, const session::TupleBatch &batch) {
    if (stream->capacity < batch.length || stream->capacity > kLargestKept) {
        if (stream->block != nullptr) pfree(stream->block);
        stream->block = nullptr;
        stream->capacity = 0;
        const Size wanted = Max(batch.length, kLeastBlock);
        stream->block = static_cast<char *>(MemoryContextAllocHuge(stream->memory, wanted));
        stream->capacity = wanted;
    }
    memcpy(stream->block, batch.tuples, batch.length);
    stream->at = stream->block;
    stream->left = batch.count;
}

// Goes one step without waiting; kRow: a batch has come. Errors: pg.
Step take_step(RowStream *stream) {
    const session::Command *command = find_command(stream);
    if (command == nullptr) return Step::kLost;
    if (stream->left > 0) return Step::kRow;
    if (stream->statement == nullptr) try_open(stream, command);
    session::TupleBatch batch = {};
    if (stream->statement != nullptr) batch = session::next_batch(stream->source.reader);
    if (batch.count > 0) {
        keep_batch(stream, batch);
        return Step::kRow;
    }
    if (has_second_set(stream)) return Step::kTwoSets;
    return command->state == session::CommandState::kPending ? Step::kWait : Step::kEnd;
}

void describe_wait(const RowStream *stream, session::WaitFor *wait) {
    wait->id = stream->id;
    wait->rows = true;
    wait->reader = stream->statement == nullptr ? nullptr : stream->source.reader;
}

void wait_for_rows(lua_State *L, RowStream *stream) {
    pg::call_own_subxact(L, [stream] {
        session::WaitFor wait = {};
        wait.session = session::by_number(stream->number);
        if (wait.session == nullptr) return;
        session::check_owner(wait.session);
        describe_wait(stream, &wait);
        (void)session::wait_any(&wait, 1, -1);
    });
}

// Makes the shape of the rows the upvalue. Errors: lua.
void settle_shape(lua_State *L, const RowStream *stream) {
    lua_getiuservalue(L, lua_upvalueindex(kStream), kStreamHandle);
    push_source_shape(L, lua_gettop(L), &stream->source);
    push_row_shape(L, -1);
    lua_replace(L, lua_upvalueindex(kShape));
    lua_settop(L, 0);
}

// Lets go of the command and of all memory. Cancels what still runs. Errors: none.
void end_stream(RowStream *stream) {
    if (stream->memory == nullptr) return;
    const session::Command *command = stream->id == 0 ? nullptr : find_command(stream);
    if (command != nullptr) {
        if (stream->statement != nullptr) session::close_reader(stream->source.reader);
        session::cancel_command(session::by_number(stream->number), stream->id);
        session::release(session::by_number(stream->number), stream->id);
    }
    stream->statement = nullptr;
    stream->id = 0;
    stream->left = 0;
    if (stream->busy) return;
    MemoryContextDelete(stream->memory);
    stream->memory = nullptr;
}

// Pushes the next row of the batch as Lua code sees it. Errors: lua.
void push_stream_row(lua_State *L, RowStream *stream) {
    constexpr int kShapeIndex = lua_upvalueindex(kShape);
    stream->busy = true;
    auto *tuple = reinterpret_cast<MinimalTuple>(const_cast<char *>(stream->at));
    stream->at += MAXALIGN(tuple->t_len);
    stream->left--;
    if (lua_isnil(L, kShapeIndex)) settle_shape(L, stream);
    if (stream->source.columns == nullptr) {
        types::push_row_of_minimal(L, kShapeIndex, tuple);
    } else {
        pg::call_own_subxact(L, [=] { convert_tuple(&stream->source, tuple); });
        types::push_row(L, kShapeIndex, stream->source.values, stream->source.nulls);
    }
    stream->busy = false;
    if (stream->id == 0) pg::call_no_subxact(L, [stream] { end_stream(stream); });
}

// The command has settled: hands on its notices, raises its error.
int finish_stream(lua_State *L, RowStream *stream) {
    session::Command *command = nullptr;
    pg::call_own_subxact(L, [&] {
        if (stream->statement != nullptr) close_source(&stream->source);
        stream->statement = nullptr;
        command = session::take_out(session::by_number(stream->number), stream->id);
        stream->id = 0;
    });
    lua_getiuservalue(L, lua_upvalueindex(kStream), kStreamHandle);
    const bool good = push_stream_end(L, lua_gettop(L), command);
    pg::call_no_subxact(L, [stream] { end_stream(stream); });
    return good ? 0 : lua_error(L);
}

int stream_next(lua_State *L);

// The function that waits while coroutines are scheduled has returned.
int continue_stream(lua_State *L, int, lua_KContext) { return stream_next(L); }

// The next row; nothing at the end. Waits.
int stream_next(lua_State *L) {
    auto *stream = static_cast<RowStream *>(lua_touserdata(L, lua_upvalueindex(kStream)));
    lua_settop(L, 0);
    if (stream->finalized) lua::raise_finalized(L, "an iterator");
    if (stream->busy) lua::raise(L, "55000", "the iterator is running or has failed");
    while (stream->id != 0) {
        Step step = Step::kRow;
        if (stream->left == 0 || find_command(stream) == nullptr) {
            if (!pg::is_open()) pg::call_own_subxact(L, [] {}); // raises
            // No subtransaction: what can fail here is reading a temporary file.
            pg::call_no_subxact(L, [&] { step = take_step(stream); });
        }
        switch (step) {
        case Step::kRow: push_stream_row(L, stream); return 1;
        case Step::kWait:
            if (push_cooperative_rows(L)) {
                lua_getiuservalue(L, lua_upvalueindex(kStream), kStreamHandle);
                lua_pushvalue(L, lua_upvalueindex(kStream));
                lua_callk(L, 2, 0, 0, continue_stream);
                break;
            }
            wait_for_rows(L, stream);
            deliver_notifications(L);
            break;
        case Step::kEnd: return finish_stream(L, stream);
        case Step::kTwoSets:
            pg::call_no_subxact(L, [stream] { end_stream(stream); });
            lua::raise(L, "0A000", "rows takes a command with one statement that returns rows");
        case Step::kLost:
            pg::call_no_subxact(L, [stream] { end_stream(stream); });
            lua::raise(L, "08003", "the background session has been closed or detached");
        }
    }
    return 0;
}

// stream_close(stream): ends the reading early.
int stream_close(lua_State *L) {
    auto *stream = lua::check_userdata<RowStream>(L, 1, kStreamType);
    pg::call_no_subxact(L, [stream] { end_stream(stream); });
    return 0;
}

// The collector's: nobody makes a row any more.
int collect_stream(lua_State *L) {
    auto *stream = lua::check_userdata<RowStream>(L, 1, kStreamType);
    stream->busy = false;
    stream->finalized = true;
    return stream_close(L);
}

} // namespace

// stream(handle, sql, ...): the function that gives the next row, and the stream, to be closed.
int bg_stream(lua_State *L) {
    SessionHandle *handle = check_handle(L, 1);
    Outgoing outgoing;
    collect(L, 2, &outgoing);
    RowStream *stream = lua::new_userdata<RowStream>(L, kStreamType, kStreamValues);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, kStreamHandle);
    pg::call_own_subxact(L, [&] {
        session::Session *session = require_session(handle);
        stream->memory =
            AllocSetContextCreate(TopMemoryContext, "pllua_bg rows", ALLOCSET_SMALL_SIZES);
        stream->number = handle->number;
        stream->id = session::send_streaming(session, outgoing.sql, outgoing.nparams,
                                             outgoing.params, outgoing.statement);
        session::take(session, session::command(session, stream->id));
        handle->last = stream->id;
    });
    discard(L, &outgoing);
    lua_pushvalue(L, -1);
    lua_pushnil(L);
    lua_pushcclosure(L, stream_next, kUpvalues);
    lua_insert(L, -2);
    return 2;
}

bool describe_stream_wait(lua_State *L, int idx, session::WaitFor *wait) {
    const RowStream *stream = lua::to_userdata<RowStream>(L, idx, kStreamType);
    if (stream != nullptr) describe_wait(stream, wait);
    return stream != nullptr;
}

void open_streams(lua_State *L) {
    static const luaL_Reg kMetamethods[] = {
        {"__close", stream_close},
        {"__gc", collect_stream},
        {nullptr, nullptr},
    };
    lua::new_metatable(L, kStreamType);
    luaL_setfuncs(L, kMetamethods, 0);
    lua_pop(L, 1);
}

} // namespace pllua_bg::api
