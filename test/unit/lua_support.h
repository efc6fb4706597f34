// What the unit tests of src/lua share: a state that ends with its scope, and running text in it.
#pragma once

#include <cstdlib>
#include <string>

#include "lua/error.h"
#include "lua/interrupt.h"
#include "lua/sandbox.h"
#include "lua/state.h"

namespace unit {

namespace lua = pllua_bg::lua;

inline void *allocate(void *, void *block, std::size_t, std::size_t size) {
    if (size == 0) {
        std::free(block);
        return nullptr;
    }
    return std::realloc(block, size);
}

inline std::size_t own_size(std::size_t size) { return size; }

struct State {
    lua::Interp *interp;
    lua_State *L;

    explicit State(bool trusted = true, std::size_t limit = 0) {
        lua::InterpOptions options = {allocate, nullptr, own_size, limit,
                                      nullptr,  trusted, 10,       nullptr};
        interp = lua::create_interp(options);
        L = interp != nullptr ? interp->main : nullptr;
    }
    ~State() {
        if (interp != nullptr) lua::destroy_interp(interp);
    }
    State(const State &) = delete;
    State &operator=(const State &) = delete;

    // Runs text as user code; the first result as a text, or "error: ..." .
    std::string run(const std::string &text) {
        lua_settop(L, 0);
        if (luaL_loadbufferx(L, text.data(), text.size(), "=test", "t") != LUA_OK)
            return result("syntax: ");
        lua::push_user_globals(L);
        lua_setupvalue(L, -2, 1);
        if (lua::call(L, 0, 1, 0) != LUA_OK) return result("error: ");
        return result("");
    }

    std::string result(const char *prefix) {
        std::size_t size;
        const char *text = luaL_tolstring(L, -1, &size);
        std::string all = prefix + std::string(text, size);
        lua_settop(L, 0);
        return all;
    }
};

} // namespace unit
