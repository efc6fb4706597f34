// The table behind sqlstate.h. Owns nothing.
#pragma once

namespace pllua_bg::lua {

struct Condition {
    char code[6];
    const char *name;
};

extern const Condition kConditions[]; // sorted by code; no code twice
extern const int kConditionCount;

} // namespace pllua_bg::lua
