// The one door to Lua's headers. Owns nothing.
// The C build of Lua leaves by longjmp: no frame that can raise may hold an object with a
// destructor. Floors that may not see Lua refuse it with: #ifdef lua_h / #error.
#pragma once

#include <lua.hpp>

#if LUA_VERSION_NUM < 504
#error "Lua 5.4 is required"
#endif
