// Where the parts of a JSON value go: as text for json; for jsonb as tokens, of which one call of
// the server makes the value without reading text. Owns nothing but its buffer.
#pragma once

#include "types/buffer.h"
#include "types/datum_object.h"

namespace pllua_bg::types {

struct JsonSink {
    TextBuffer out;
    const Type *type; // of the value
    bool is_text;
};

// Pushes the buffer, which must stay where it is. Errors: lua (memory), as of all that follows.
void sink_init(JsonSink *sink, lua_State *L, const Type *type);

// '{', '}', '[', ']', and ',' and ':' between parts.
void sink_mark(JsonSink *sink, char mark);
void sink_null(JsonSink *sink);
void sink_boolean(JsonSink *sink, bool value);
void sink_integer(JsonSink *sink, lua_Integer value);
void sink_float(JsonSink *sink, double value); // NaN and infinities as to_jsonb() has them
// A value, or the key of one. Errors: also lua 22021.
void sink_string(JsonSink *sink, const char *text, size_t length);
void sink_key(JsonSink *sink, const char *text, size_t length);
// What to_jsonb() makes of the value. Errors: also lua (those of casts).
void sink_datum(JsonSink *sink, const Type *type, Datum value);

// The value of all of it, in CurrentMemoryContext. Errors: also lua 54000.
Datum sink_finish(JsonSink *sink);

} // namespace pllua_bg::types
