// A growing text whose bytes belong to Lua: nothing is lost when an error passes. Owns a userdata
// at a fixed stack slot.
#pragma once

#include "lua/lua_api.h"

#include <cstring>

namespace pllua_bg::types {

struct TextBuffer {
    lua_State *L;
    int slot;
    char *data;
    size_t length;
    size_t capacity;
};

// Pushes the userdata; the slot must stay where it is while the buffer is used.
// Errors: lua (memory).
inline void buffer_init(TextBuffer *buffer, lua_State *L) {
    buffer->L = L;
    buffer->capacity = 256;
    buffer->length = 0;
    buffer->data = static_cast<char *>(lua_newuserdatauv(L, buffer->capacity, 0));
    buffer->slot = lua_gettop(L);
}

// Room for `more` bytes; returns where they go. Errors: lua (memory).
inline char *buffer_reserve(TextBuffer *buffer, size_t more) {
    if (buffer->capacity - buffer->length < more) {
        const size_t capacity = (buffer->length + more) * 2;
        char *grown = static_cast<char *>(lua_newuserdatauv(buffer->L, capacity, 0));
        memcpy(grown, buffer->data, buffer->length);
        buffer->data = grown;
        buffer->capacity = capacity;
        lua_replace(buffer->L, buffer->slot);
    }
    return buffer->data + buffer->length;
}

inline void buffer_add(TextBuffer *buffer, const char *text, size_t length) {
    memcpy(buffer_reserve(buffer, length), text, length);
    buffer->length += length;
}

inline void buffer_add(TextBuffer *buffer, const char *text) {
    buffer_add(buffer, text, strlen(text));
}

inline void buffer_add(TextBuffer *buffer, char byte) {
    *buffer_reserve(buffer, 1) = byte;
    buffer->length++;
}

} // namespace pllua_bg::types
