// Entries of a stored jsonb container, without the server's iterator. Owns nothing.
#pragma once

#include "pg/server.h"

extern "C" {
#include "utils/jsonb.h"
}

namespace pllua_bg::types {

struct JsonEntry {
    enum Kind { kNull, kTrue, kFalse, kString, kNumber, kContainer } kind;
    char *data; // the string's bytes, the numeric, or the container
    size_t length;

    const JsonbContainer *container() const {
        return reinterpret_cast<const JsonbContainer *>(data);
    }
};

// The container of a value without short header or compression, as objects hold it. Errors: none.
inline const JsonbContainer *json_root(Datum plain) {
    return &reinterpret_cast<const Jsonb *>(DatumGetPointer(plain))->root;
}

// Child `index` of the container; an object of n pairs has its keys at 0..n-1 and their values at
// n..2n-1. Follows fillJsonbValue() in src/backend/utils/adt/jsonb_util.c. Errors: none.
inline JsonEntry json_entry(const JsonbContainer *container, int index) {
    JsonbContainer *c = const_cast<JsonbContainer *>(container);
    const uint32 children = JsonContainerSize(c) * (JsonContainerIsObject(c) ? 2 : 1);
    char *base = reinterpret_cast<char *>(&c->children[children]);
    const JEntry entry = c->children[index];
    const uint32 offset = getJsonbOffset(c, index);
    const uint32 length = getJsonbLength(c, index);
    if (JBE_ISNULL(entry)) return {JsonEntry::kNull, nullptr, 0};
    if (JBE_ISBOOL_TRUE(entry)) return {JsonEntry::kTrue, nullptr, 0};
    if (JBE_ISBOOL_FALSE(entry)) return {JsonEntry::kFalse, nullptr, 0};
    if (JBE_ISSTRING(entry)) return {JsonEntry::kString, base + offset, length};
    const uint32 padding = INTALIGN(offset) - offset;
    const JsonEntry::Kind kind = JBE_ISNUMERIC(entry) ? JsonEntry::kNumber : JsonEntry::kContainer;
    return {kind, base + INTALIGN(offset), length - padding};
}

// Pushes the jsonb object of an entry that is a container. json_module.cpp. Errors: lua.
void push_json_container(lua_State *L, const JsonEntry &entry);

} // namespace pllua_bg::types
