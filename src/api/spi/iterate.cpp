// Iterating over the rows of a cursor, a batch at a time: memory stays flat whatever the number
// of rows.
#include "api/lang/profile.h"
#include "api/lang/result.h"
#include "api/spi/cache.h"
#include "api/spi/cursor.h"
#include "lua/error.h"
#include "pg/guard.h"
#include "types/shape.h"

extern "C" {
#include "tcop/pquery.h"
}

namespace pllua_bg::api {

namespace {

// Rows of the first batch; batches grow while they stay small in memory.
constexpr int kFirstBatch = 50;
constexpr int kLargestBatch = 1000;
constexpr Size kSmallBatch = 128 * 1024;

// Upvalues of an iterator; the third is the cursor.
constexpr int kState = 1;
constexpr int kShape = 2;
constexpr int kArena = 4;
constexpr int kUpvalues = 4;

// A plain userdata without a metatable; what it points at are the other upvalues.
struct Iterator {
    Cursor *cursor;
    ParamArena *arena;
    RowReader reader;
    int batch;
    bool adaptive;
    bool as_values; // gives the columns, not rows
    bool busy;      // making a row; Lua code that runs meanwhile may not take the batch away
    bool exhausted; // nothing comes after the present batch
    bool finished;
};

void finish(lua_State *L, Iterator *iterator) {
    iterator->finished = true;
    if (iterator->cursor->is_private) close_cursor(L, iterator->cursor);
    return_arena(L, lua_upvalueindex(kArena));
}

// Replaces the present batch by the next. Errors: lua.
void fetch_batch(lua_State *L, Iterator *iterator) {
    if (iterator->cursor->link == nullptr) lua::raise(L, "24000", "cannot iterate a closed cursor");
    RowStore *rows = &iterator->arena->rows;
    reset_arena(L, iterator->arena);
    prepare_store(rows, L, iterator->arena->context, nullptr);
    start_reading(&iterator->reader, rows);
    const Cursor *cursor = iterator->cursor;
    const long count = iterator->batch;
    pg::call(L, [cursor, rows, count] {
        Portal portal = cursor_portal(cursor);
        if (portal == nullptr) return;
        instr_time start = {};
        if (is_profiling) INSTR_TIME_SET_CURRENT(start);
        (void)PortalRunFetch(portal, FETCH_FORWARD, count, &rows->receiver);
        portal = cursor_portal(cursor); // what it ran may have closed it
        if (is_profiling && portal != nullptr) profile_command(portal->sourceText, start);
    });
    count_cursor(L, iterator->cursor);
    start_reading(&iterator->reader, rows);
    iterator->exhausted = rows->count < static_cast<uint64>(count);
    if (iterator->exhausted && iterator->cursor->is_private) close_cursor(L, iterator->cursor);
    if (iterator->adaptive && !iterator->exhausted &&
        MemoryContextMemAllocated(iterator->arena->context, false) < kSmallBatch)
        iterator->batch = Min(iterator->batch * 2, kLargestBatch);
}

int push_row(lua_State *L, const RowReader &reader) {
    types::push_row(L, lua_upvalueindex(kShape), reader.values, reader.nulls);
    return 1;
}

// A loop ends with the first value that is nil. Errors: lua 22004.
int push_values(lua_State *L, const RowReader &reader) {
    const int top = lua_gettop(L);
    const int count = types::push_columns(L, lua_upvalueindex(kShape), reader.values, reader.nulls);
    if (count == 0) lua::raise(L, "42601", "the query has no columns");
    if (lua_isnil(L, top + 1))
        lua::raise(L, "22004",
                   "the first column of a row is NULL, which would end the loop: select one before "
                   "it that never is, as true");
    return count;
}

int iterate(lua_State *L) {
    auto *iterator = static_cast<Iterator *>(lua_touserdata(L, lua_upvalueindex(kState)));
    if (iterator->finished) return 0;
    if (iterator->arena->context == nullptr) lua::raise_finalized(L, "an iterator");
    if (iterator->busy) lua::raise(L, "55000", "the iterator is running or has failed");
    iterator->busy = true;
    if (!next_row(&iterator->reader)) {
        if (!iterator->exhausted) fetch_batch(L, iterator);
        if (!next_row(&iterator->reader)) {
            finish(L, iterator);
            lua_pushnil(L);
            return 1;
        }
    }
    const int results =
        iterator->as_values ? push_values(L, iterator->reader) : push_row(L, iterator->reader);
    iterator->busy = false;
    return results;
}

} // namespace

int push_iterator(lua_State *L, int cursor_idx, bool as_values) {
    cursor_idx = lua_absindex(L, cursor_idx);
    auto *cursor = static_cast<Cursor *>(lua_touserdata(L, cursor_idx));
    if (cursor->link == nullptr) lua::raise(L, "24000", "cannot iterate a closed cursor");
    auto *iterator = static_cast<Iterator *>(lua_newuserdatauv(L, sizeof(Iterator), 0));
    *iterator = {};
    iterator->cursor = cursor;
    iterator->as_values = as_values;
    iterator->adaptive = cursor->fetch_count == 0 && cursor->is_private;
    // Whoever can see the cursor finds it behind the row the iterator has returned last.
    iterator->batch = cursor->fetch_count > 0 ? cursor->fetch_count
                      : iterator->adaptive    ? kFirstBatch
                                              : 1;
    push_cursor_shape(L, cursor_idx);
    push_row_shape(L, -1);
    lua_remove(L, -2);
    lua_pushvalue(L, cursor_idx);
    iterator->arena = take_arena(L);
    prepare_store(&iterator->arena->rows, L, iterator->arena->context, nullptr);
    start_reading(&iterator->reader, &iterator->arena->rows);
    lua_pushcclosure(L, iterate, kUpvalues);
    lua_pushnil(L);
    lua_pushnil(L);
    if (!cursor->is_private) return 3;
    lua_pushvalue(L, cursor_idx);
    return 4;
}

int statement_rows(lua_State *L) {
    check_statement(L, 1);
    push_private_cursor(L, 1, 2, lua_gettop(L) - 1);
    return push_iterator(L, -1, false);
}

int statement_values(lua_State *L) {
    check_statement(L, 1);
    push_private_cursor(L, 1, 2, lua_gettop(L) - 1);
    return push_iterator(L, -1, true);
}

} // namespace pllua_bg::api
