// Types that only this process understands: records, and what its open transaction has made or
// changed. Used by whoever sends a value to another process. Owns nothing.
#pragma once

#include "pg/server.h"

namespace pllua_bg::pg {

// How values of a type can travel.
struct OpenType {
    bool as_text; // not in binary
    bool changed; // the text may not be what the other process's definition of the type reads
    bool rows;    // there are row types of users in it, which a reader may have defined otherwise
};

// Looks through the type and all that it is made of. Errors: pg (catalog access, stack depth).
OpenType open_type(Oid type);

// Whether values of the type name cursors, or hold values that do: what a name stands for is
// another cursor in another process. Errors: pg (catalog access, stack depth).
bool names_cursors(Oid type);

// True for regclass and the like, whose values are OIDs of what a database has of its own; not for
// regrole: roles are of the cluster. Errors: none.
bool names_objects(Oid type);

// Whether values of the type, in binary, mean the same in every database of the cluster: not those
// of types of users, nor those that hold OIDs of what a database has of its own, as regclass does.
// Errors: pg (catalog access, stack depth).
bool is_known_everywhere(Oid type);

// Whether the input function of the type runs code of whoever has made it: the constraints of a
// domain, be it within the type. Errors: pg (catalog access, stack depth).
bool reads_domains(Oid type);

// What the values of a type consist of: the elements of an array, the base type of a domain,
// the bounds of a range, the ranges of a multirange. InvalidOid for other types.
// Errors: pg (catalog access).
Oid part_type(Oid type);

// True for a type whose values make sense in the process only that made them. Errors: none.
bool is_local_type(Oid type);

} // namespace pllua_bg::pg
