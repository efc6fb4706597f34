// One Lua interpreter: its libraries, its memory account, its trust.
// Owns the lua_State and the Interp that belongs to it.
#pragma once

#include <cstddef>

#include "lua/lua_api.h"
#include "lua/stack.h"

namespace pllua_bg::lua {

struct InterpOptions {
    lua_Alloc allocate; // the allocator below the account; must not raise, returns null when it has
                        // no memory
    void *allocate_data;    // its first argument
    size_t (*cost)(size_t); // bytes that a block of this size takes there
    size_t limit;           // bytes; 0: none
    const size_t *shared;   // bytes held elsewhere that count for every interpreter; null: none
    bool trusted;
    unsigned user_id; // the role it belongs to, for the floors above
    void *host;       // for the floors above
};

// Trivially destructible. Lives in the allocator's memory, ends with destroy_interp.
// lua_getextraspace stays zero here: it belongs to the floors above.
struct Interp {
    lua_State *main;
    size_t used;     // bytes Lua holds now, as the allocator rounds them
    size_t peak;     // the most it ever held
    size_t external; // bytes held for Lua objects outside of Lua's allocator (account_external)
    size_t limit;    // for used + external + *shared; 0: none; may be changed at any time
    const size_t *shared;
    size_t refused;   // how many requests the limit or the allocator refused
    size_t unpaid;    // external bytes the collector was not told of yet
    int finalizers;   // depth of running user finalizers (gc_guard.h); they should not enter the
                      // server
    bool has_shadows; // some table got a shadow metatable (gc_guard.h)
    bool puts_off;    // user finalizers wait for another collection (gc_guard.h)
    bool trusted;
    unsigned user_id;
    void *host;
    lua_Alloc allocate;
    void *allocate_data;
    size_t (*cost)(size_t);
};

// Makes a state with the standard libraries, our own over them, the error object, and for a trusted
// one the sandbox. Null when memory (or the limit) does not suffice. Errors: none.
Interp *create_interp(const InterpOptions &options);
// Closes the state; runs all finalizers first. Errors: none (errors of finalizers become warnings).
void destroy_interp(Interp *interp);

// The interpreter of any thread of it. Errors: none.
inline Interp *interp(lua_State *L) {
    void *data;
    lua_getallocf(L, &data);
    return static_cast<Interp *>(data);
}

// Tells the account and the collector of memory that a Lua object holds elsewhere: positive when it
// takes, negative when it gives back. May run finalizers. Errors: none. account_would_exceed tests
// the limit before taking.
void account_external(lua_State *L, ptrdiff_t bytes);
bool account_would_exceed(lua_State *L, size_t bytes);
// The same where no Lua code may run: the collector learns of it at the next account_external().
// Errors: none.
void take_external(Interp *interp, size_t bytes);
void release_external(Interp *interp, size_t bytes);

} // namespace pllua_bg::lua
