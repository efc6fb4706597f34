// The one door to Lua's headers. Owns nothing.
// The C build of Lua leaves by longjmp: no frame that can raise, as that of each function that Lua
// calls, may hold an object with a destructor; and no error of the server may pass one (pg::call
// converts those). Floors that may not see Lua refuse it with: #ifdef lua_h / #error.
#pragma once

#include <lua.hpp>

#if LUA_VERSION_NUM < 504
#error "Lua 5.4 is required"
#endif
