// Rows and their descriptors as the server's versions have them. As compat.h; owns nothing.
#pragma once

#include "pg/server.h"

extern "C" {
#include "access/tableam.h"
}

namespace pllua_bg::pg {

// Fills in what a column's description in a tuple descriptor has besides what the caller has set:
// whole description zeroed, then name, type, modifier, collation, length, alignment, storage and
// number. Errors: none.
inline void complete_attribute(TupleDesc descriptor, int column) {
    Form_pg_attribute attribute = TupleDescAttr(descriptor, column);
    attribute->attislocal = true;
#if PG_VERSION_NUM < 180000
    attribute->attcacheoff = -1;
#endif
#if PG_VERSION_NUM < 170000
    attribute->attstattarget = -1;
#endif
#if PG_VERSION_NUM >= 180000
    populate_compact_attribute(descriptor, column);
#endif
}

// To be called when a descriptor has been built, or what its columns are has been changed, before
// it is used for anything. Errors: none.
inline void finish_descriptor(TupleDesc descriptor) {
#if PG_VERSION_NUM >= 190000
    TupleDescFinalize(descriptor);
#else
    (void)descriptor;
#endif
}

inline MinimalTuple form_minimal_tuple(TupleDesc descriptor, const Datum *values,
                                       const bool *nulls) {
#if PG_VERSION_NUM >= 180000
    return heap_form_minimal_tuple(descriptor, values, nulls, 0);
#else
    return heap_form_minimal_tuple(descriptor, const_cast<Datum *>(values),
                                   const_cast<bool *>(nulls));
#endif
}

// Deletes a row of a table, unless somebody else has changed it. Errors: pg.
inline bool delete_tuple(Relation table, ItemPointer place, CommandId command, Snapshot snapshot) {
    TM_FailureData failure;
#if PG_VERSION_NUM >= 190000
    return table_tuple_delete(table, place, command, 0, snapshot, InvalidSnapshot, true,
                              &failure) == TM_Ok;
#else
    return table_tuple_delete(table, place, command, snapshot, InvalidSnapshot, true, &failure,
                              false) == TM_Ok;
#endif
}

} // namespace pllua_bg::pg
