// The rows of a set that are wanted all at once, in a tuplestore. Owns nothing: the tuplestore is
// the server's.
#pragma once

#include "pl/result.h"

namespace pllua_bg::pl {

struct RowStore {
    Result *result; // how rows are converted
    Tuplestorestate *tuples;
    TupleDesc descriptor;
    MemoryContext row_memory; // current while rows are made; emptied when they are in the store
    int kept;                 // plain rows, that go to the store together
    static constexpr int kMostKept = 64;
    Datum values[kMostKept];
    bool nulls[kMostKept];
};

// Begins one, in CurrentMemoryContext; `row_memory` is left to the caller. Errors: pg.
void open_row_store(RowStore *store, Result *result, const char *name, bool random);
// Puts the `count` values from the bottom of the stack away as one row. Errors: lua.
void put_row(lua_State *L, RowStore *store, int count);
// After the last row. Errors: pg.
void store_kept_rows(RowStore *store);

} // namespace pllua_bg::pl
