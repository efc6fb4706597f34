// Definitions of row types that travel with their values: what each side needs to see that the
// other has another definition of a type. Owns nothing.
#pragma once

#include "pg/server.h"

namespace pllua_bg::session {

// Where in a type there is a row type: it is the type itself, or the element of an array, or of a
// domain over either. InvalidOid: nowhere.
struct RowPart {
    Oid type;
    bool in_array;
};
// Errors: pg (catalog access).
RowPart row_part(Oid type);

// A row type as the sender has it.
struct RowDefinition {
    Oid type;
    Oid relation;
    bool in_array;     // of the first: the value is an array of these
    TupleDesc columns; // an anonymous row type
    RowPart *parts;    // of the columns
    uint64 identifier; // of the definition here that it was last found equal to; 0: none yet
    RowDefinition *next;
};

// Appends the definitions of all row types in a type, also in ranges and in arrays of arrays, by
// its row_part() first where it has one; nothing when there are none. Errors: pg (catalog access).
void write_definitions(StringInfo message, Oid type);
// Reads them into CurrentMemoryContext; nullptr when there are none. Errors: pg (memory).
RowDefinition *read_definitions(const char *bytes, Size length);

// True when all types are defined here as there. False also when only a session of ours could let
// us look: it has the type open; who they are says session::is_own_worker. Errors: pg (catalog
// access; waits for locks of others).
bool definitions_hold(RowDefinition *definitions, bool (*is_own_worker)(int pid));

// The text form of a value in binary whose type is not defined here as there. Allocates in
// CurrentMemoryContext. Errors: pg.
char *text_by_definition(Datum value, const RowDefinition *definitions);

} // namespace pllua_bg::session
