// The text of the commonest values, read without the server's input functions, which accept far
// more than a server writes. Owns nothing.
#pragma once

#include "pg/server.h"

namespace pllua_bg::remote {

// Makes a value of text that ends with a zero byte; false: the input function has to read it, or
// refuse it. What needs memory is in CurrentMemoryContext. Errors: pg (memory).
using Reader = bool (*)(const char *text, int length, Datum *value);
// nullptr: there is none for the type. Errors: none.
Reader reader_of(Oid type);

} // namespace pllua_bg::remote
