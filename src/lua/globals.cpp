// Reads the form that lua_dump gives a chunk of Lua 5.4. See globals.h for the contract.
#include "lua/globals.h"

#include <cstdint>
#include <cstring>

#include "lua/stack.h"

#include "lua/no_server.h"

namespace pllua_bg::lua {

namespace {

// Signature, version, format, check data, sizes, an integer and a number.
constexpr size_t kHeader = 4 + 1 + 1 + 6 + 3 + sizeof(lua_Integer) + sizeof(lua_Number);
constexpr size_t kInstruction = 4;

// Instructions: the operation in the lowest 7 bits, then A (8), k (1), B (8), C (8).
constexpr unsigned kGetTabUp = 11; // R[A] = upvalue B [ constant C ]
constexpr unsigned kSetTabUp = 15; // upvalue A [ constant B ] = R[C]

// Kinds of constants that have something after their kind.
constexpr uint8_t kFloat = 0x13, kInteger = 0x03, kShortString = 0x04, kLongString = 0x14;

// In a line number: the next one is in a list of its own.
constexpr int8_t kAbsolute = -0x80;

constexpr int kLongestName = 40; // others are no operands of these instructions

struct Reader {
    const uint8_t *at;
    lua_State *L;
    void (*visit)(void *data, const char *name, int line);
    void *data;
};

struct Upvalues {
    uint8_t is_globals[256 / 8]; // a bit for each
};

bool has(const Upvalues &set, unsigned i) { return (set.is_globals[i / 8] >> (i % 8) & 1) != 0; }

size_t read_size(Reader *reader) {
    size_t value = 0;
    for (;;) {
        const uint8_t byte = *reader->at++;
        value = value << 7 | (byte & 0x7f);
        if ((byte & 0x80) != 0) return value;
    }
}

int read_int(Reader *reader) { return static_cast<int>(read_size(reader)); }

// The length of the string, whose bytes are skipped.
size_t skip_string(Reader *reader) {
    const size_t size = read_size(reader);
    const size_t length = size == 0 ? 0 : size - 1;
    reader->at += length;
    return length;
}

void skip_constants(Reader *reader, int count) {
    for (int i = 0; i < count; i++) {
        switch (*reader->at++) {
        case kFloat: reader->at += sizeof(lua_Number); break;
        case kInteger: reader->at += sizeof(lua_Integer); break;
        case kShortString:
        case kLongString: skip_string(reader); break;
        default: break;
        }
    }
}

// Where code, constants and lines of one function are.
struct Parts {
    const uint8_t *code;
    int ncode;
    const uint8_t *constants;
    int line;
    const uint8_t *lines;
    const uint8_t *absolute_lines;
};

void tell(const Reader *reader, const Parts &parts, unsigned constant, int line) {
    Reader at = *reader;
    at.at = parts.constants;
    skip_constants(&at, static_cast<int>(constant));
    if (*at.at++ != kShortString) return;
    const size_t length = skip_string(&at);
    char name[kLongestName + 1];
    if (length > kLongestName) return;
    memcpy(name, at.at - length, length);
    name[length] = '\0';
    reader->visit(reader->data, name, line);
}

void visit_code(const Reader *reader, const Parts &parts, const Upvalues &upvalues) {
    Reader absolute = *reader;
    absolute.at = parts.absolute_lines;
    int line = parts.line;
    for (int i = 0; i < parts.ncode; i++) {
        const auto step = static_cast<int8_t>(parts.lines[i]);
        if (step == kAbsolute) {
            read_int(&absolute);
            line = read_int(&absolute);
        } else {
            line += step;
        }
        uint32_t code;
        memcpy(&code, parts.code + kInstruction * static_cast<size_t>(i), kInstruction);
        const unsigned a = code >> 7 & 0xff, b = code >> 16 & 0xff, c = code >> 24;
        if ((code & 0x7f) == kGetTabUp && has(upvalues, b)) tell(reader, parts, c, line);
        if ((code & 0x7f) == kSetTabUp && has(upvalues, a)) tell(reader, parts, b, line);
    }
}

// Leaves the reader behind the function. `outer`: which upvalues of the function around it are the
// globals; null for a chunk, whose only one is.
void visit_function(Reader *reader, const Upvalues *outer) {
    check_stack(reader->L);
    Parts parts = {};
    skip_string(reader);
    parts.line = read_int(reader);
    read_int(reader);
    reader->at += 3;
    parts.ncode = read_int(reader);
    parts.code = reader->at;
    reader->at += kInstruction * static_cast<size_t>(parts.ncode);
    const int nconstants = read_int(reader);
    parts.constants = reader->at;
    skip_constants(reader, nconstants);
    Upvalues upvalues = {};
    const int nupvalues = read_int(reader);
    for (int i = 0; i < nupvalues; i++, reader->at += 3) {
        const bool is_local = reader->at[0] != 0;
        if (outer == nullptr ? i == 0 : !is_local && has(*outer, reader->at[1]))
            upvalues.is_globals[i / 8] |= static_cast<uint8_t>(1 << (i % 8));
    }
    for (int n = read_int(reader); n > 0; n--) visit_function(reader, &upvalues);
    const int nlines = read_int(reader);
    parts.lines = reader->at;
    reader->at += nlines;
    const int nabsolute = read_int(reader);
    parts.absolute_lines = reader->at;
    for (int i = 0; i < 2 * nabsolute; i++) read_int(reader);
    if (nlines == parts.ncode) visit_code(reader, parts, upvalues);
    for (int n = read_int(reader); n > 0; n--) {
        skip_string(reader);
        read_int(reader);
        read_int(reader);
    }
    for (int n = read_int(reader); n > 0; n--) skip_string(reader);
}

struct Dump {
    uint8_t *bytes; // null: they are counted only
    size_t size;
};

int write_dump(lua_State *, const void *piece, size_t size, void *data) {
    auto *dump = static_cast<Dump *>(data);
    if (dump->bytes != nullptr) memcpy(dump->bytes + dump->size, piece, size);
    dump->size += size;
    return 0;
}

} // namespace

void visit_globals(lua_State *L, void (*visit)(void *data, const char *name, int line),
                   void *data) {
    Dump dump = {};
    lua_dump(L, write_dump, &dump, 0);
    auto *bytes = static_cast<uint8_t *>(lua_newuserdatauv(L, dump.size, 0));
    lua_insert(L, -2);
    dump = {bytes, 0};
    lua_dump(L, write_dump, &dump, 0);
    Reader reader = {bytes + kHeader + 1, L, visit, data};
    if (bytes[4] == 0x54 && bytes[5] == 0) visit_function(&reader, nullptr);
    lua_remove(L, -2);
}

} // namespace pllua_bg::lua
