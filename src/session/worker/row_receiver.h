// Rows a worker sends.
// Owns nothing.
#pragma once

#include "pg/server.h"

namespace pllua_bg::session {

// COPY TO STDOUT as rows of one column: text lines without their ends, or bytea when the format is
// binary. Errors: as begin_frame; pg 22021 for lines that are no text in the database encoding.
void begin_copy_rows(bool binary);
void put_copy_row(const char *data, Size length);

} // namespace pllua_bg::session
