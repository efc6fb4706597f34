// Small helpers that every family of types needs: memory, text checks, mismatches, input and output
// functions. Owns nothing.
#pragma once

#include "types/plan.h"

#include "lua/error.h"
#include "lua/stack.h"

namespace pllua_bg::types {

// size bytes in CurrentMemoryContext. Errors: lua (53200, 54000).
void *allocate(lua_State *L, Size size);

// The string at idx, verified for the database encoding and free of NUL. Errors: lua (22021, and
// luaL's for what is no string).
const char *checked_string(lua_State *L, int idx, size_t *length);
void check_encoding(lua_State *L, const char *text, size_t length);

// "cannot convert a Lua table to type date" and the like. Errors: lua (42804), always.
[[noreturn]] void mismatch(lua_State *L, int idx, const Type *type);
[[noreturn]] void out_of_range(lua_State *L, const char *what);
// A type object was called with too many or too few arguments. Errors: lua (42601), always.
[[noreturn]] void wrong_argument_count(lua_State *L, int expected, int given);

// Pushes the SQL name of a type, for messages. Errors: lua.
const char *push_type_name(lua_State *L, Oid oid);

// The datum that the type's input function makes of the string at idx.
// Errors: lua (what the function raises).
Datum input_from_lua(lua_State *L, int idx, const Type *type);
// Pushes what the type's output function makes of a datum that is not null. Errors: lua.
void push_output(lua_State *L, const Type *type, Datum value);

// A context for the garbage of one server call, to be used inside pg::call: what it leaves when an
// error passes goes with the subtransaction that the error ends. Errors: pg (memory).
struct Scratch {
    MemoryContext context;
    MemoryContext outer;
};
Scratch enter_scratch();
// Back to the caller's context; the scratch is still there, for its result to be copied.
inline void leave_scratch(const Scratch &scratch) { MemoryContextSwitchTo(scratch.outer); }
inline void end_scratch(const Scratch &scratch) { MemoryContextDelete(scratch.context); }
// True when the type's own functions leave no garbage worth a scratch.
bool is_tidy(const Type *type);

// Calls the input function, without garbage. Call inside pg::call. Errors: pg.
Datum call_input(const Type *type, const char *text);
// Frees a datum that to_datum() made, once it has been copied. Errors: none.
inline void free_value(const Type *type, Datum value) {
    if (!type->by_value) pfree(DatumGetPointer(value));
}

// The fields of an options table: true, and the value pushed, when it is there and not nil.
inline bool push_option(lua_State *L, int idx, const char *name) {
    if (lua_getfield(L, idx, name) != LUA_TNIL) return true;
    lua_pop(L, 1);
    return false;
}

// Pushes a table of the `count` values from index `first` on. Errors: lua.
void push_list(lua_State *L, int first, int count);

// The highest positive integer key of the table at idx, 0 when there is none. Errors: lua.
lua_Integer highest_index(lua_State *L, int idx);

// How a(map), a(null), a{map=, null=, discard=} were called: pushes map (or nil) and null (or nil),
// in this order. Returns discard. Errors: lua.
bool push_map_options(lua_State *L, int idx);

} // namespace pllua_bg::types
