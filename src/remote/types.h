// The types that the users of another server have made there, by name: what a column of one is
// here, its reader finds out. Owns the names it has read.
#pragma once

#include "remote/client.h"

namespace pllua_bg::remote {

// Reads the names, and then runs `next`, of which nobody wants the rows. Not those of the row types
// of tables, of which there may be any number. Errors: pg, those of the server too.
void read_types(const char *next);
// There may be others since, and that cannot fail a transaction: they are to be read again. Errors:
// none.
bool are_types_to_follow();
// Does so. Call before each command, with nothing in the pipeline. Errors: as read_types().
void follow_types();
// A statement was done that may have made or named types. Errors: none.
void note_statement(const char *tag);
// The name of a type there, with its schema, as format_type() writes it; nullptr: none of these. It
// stays until the names are read again. Errors: pg (memory).
const char *type_name(TypeId type);

} // namespace pllua_bg::remote
