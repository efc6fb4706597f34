// From the text of a function to a Lua function. Owns, per Lua state, the metatable of the
// functions' environments.
//
// A text becomes
//     local self = ... local function <name>(<parameters>) <text>
//     end return <name>
// so that line 1 is the text's own, the function can call itself, and a text may end the function
// itself and go on with code that is run once: `return n end local n = 0 do`. `self` is the
// function's environment: globals it sets are its own.
#pragma once

#include "lua/lua_api.h"
#include "pg/server.h"

namespace pllua_bg::pl {

// What is compiled.
struct Source {
    const char *name; // of the function; also the chunk's
    const char *text; // in the server's encoding
    int nparameters;
    const char *const *parameters; // Lua identifiers
    bool vararg;                   // `...` follows the parameters
};

// True when the name can be written in Lua source. `_ENV` cannot: it would hide the globals.
bool is_identifier(const char *name);

// Makes what this file keeps in a new state. Errors: lua (memory).
void prepare_environments(lua_State *L);

// Pushes the compiled chunk; the stack needs five slots. Errors: lua (42601, with the text and the
// position of the line as internal query; memory).
void load_text(lua_State *L, const char *text, const char *name);
// The same for a function: pushes a chunk that takes its environment as argument and returns the
// function. *error_text is what syntax errors are reported for.
void load_source(lua_State *L, const char *chunk, const Source &source);
// Gives the chunk on top a new environment, and pushes the environment; what the chunk itself sees
// of it when `strict`: strict.h. Errors: lua (memory).
void push_environment(lua_State *L, bool strict);

// The chunk of a function, allocated in CurrentMemoryContext. Errors: pg (memory).
char *generate_chunk(const Source &source);

} // namespace pllua_bg::pl
