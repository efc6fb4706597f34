// Rows on their way from the executor to Lua: a destination of the server that keeps copies of
// them, out of reach of SPI and of transaction ends. Owns nothing but what it puts into the memory
// context it was given.
#pragma once

#include "pg/list.h"
#include "pg/server.h"

#include "lua/lua_api.h"

extern "C" {
#include "tcop/dest.h"
}

namespace pllua_bg::api {

struct RowBlock; // some rows of one width

// Trivially destructible. Resetting the context forgets the rows.
struct RowStore {
    DestReceiver receiver; // first: the server knows the store by it
    MemoryContext context;
    lua_State *L;         // whose account of memory is asked when the store has grown
    Size counted;         // bytes of the context in it; whoever resets the context gives them back
    TupleDesc expected;   // what the rows will probably look like; may be null
    TupleDesc descriptor; // null until rows were announced; `expected` itself when equal, else a
                          // copy in context
    pg::LinkedList<RowBlock> blocks;
    uint64 count;
};

// Makes the store ready for one command; what was in it is forgotten, not freed. Errors: none.
void prepare_store(RowStore *store, lua_State *L, MemoryContext context, TupleDesc expected);

// One row after the other. The values stay valid until the context is reset.
struct RowReader {
    const RowBlock *block;
    int index;
    const Datum *values;
    const bool *nulls;
};
void start_reading(RowReader *reader, const RowStore *store);
// Sets values and nulls; false at the end. Errors: none.
bool next_row(RowReader *reader);

} // namespace pllua_bg::api
