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

// What may be shown in this database of bytes in an encoding (PG_SQL_ASCII: not known which),
// whatever the client's encoding is: converted, and what cannot be as \xNN. The result is in
// CurrentMemoryContext. Call in a transaction. Errors: pg (memory).
char *text_from(const char *bytes, int encoding);
// The same for bytes that should be text of this database: most often the argument itself. Needs no
// transaction. Errors: pg (memory).
const char *valid_text(const char *bytes);

} // namespace pllua_bg::pg
