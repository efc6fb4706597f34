// Text in fixed room, text of other databases' encodings, and bytes that are no text.
// Owns nothing.
#pragma once

#include "pg/server.h"

namespace pllua_bg::pg {

// How many bytes of a text of this database fit in `size` with the end, whole characters only; the
// text need not be valid. Errors: none.
Size clipped_length(const char *text, Size size);
// Copies as much as fits, with the end. Errors: none.
void copy_clipped(char *into, const char *text, Size size);

// The bytes of the character that begins at `at`, of which `length` are there; 1 for a byte that
// begins none. Errors: none.
Size character_length(const char *at, Size length);
// How many characters there are in `length` bytes, and how many bytes the first `count` of them
// are. A byte that belongs to no character counts as one. Errors: none.
Size count_characters(const char *text, Size length);
Size length_of_characters(const char *text, Size length, Size count);
// Makes each byte that belongs to no character a question mark, in place. Errors: none.
void blot_invalid(char *text, Size length);

// What may be shown in this database of bytes in an encoding (PG_SQL_ASCII: not known which),
// whatever the client's encoding is: converted, and what cannot be as \xNN. The result is in
// CurrentMemoryContext. Call in a transaction. Errors: pg (memory).
char *text_from(const char *bytes, int encoding);
// The same for bytes that should be text of this database: most often the argument itself. Needs no
// transaction. Errors: pg (memory).
const char *valid_text(const char *bytes);

} // namespace pllua_bg::pg
