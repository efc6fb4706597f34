// A call of a trigger function, and the object `trigger` that the function sees of it.
// Owns the metatable of trigger objects, per Lua state.
#pragma once

#include "lua/lua_api.h"
#include "pl/call_site.h"

extern "C" {
#include "commands/trigger.h"
}

namespace pllua_bg::pl {

// Lives in the frame of the handler.
struct TriggerCall {
    CallSite *site;
    TriggerData *data;
    HeapTuple old_tuple; // null when there is none
    HeapTuple new_tuple;
    HeapTuple result;
    bool row_assigned; // trigger.row was given a value
};

// Where the body of a trigger call has the object (nil when the function does not use it) and the
// two rows, and what the user values of the object are.
inline constexpr int kTriggerIndex = 2, kOldIndex = 3, kNewIndex = 4;
enum TriggerUserValue { kUserOld = 1, kUserNew, kUserRow };

// Pushes the object of the call that the execution with this number makes; afterwards the object is
// dead. Errors: lua (memory).
void push_trigger(lua_State *L, uint64 execution_number);

// Pushes the shape of the relation's rows. Errors: lua.
void push_relation_shape(lua_State *L, const TriggerCall *call);

} // namespace pllua_bg::pl
