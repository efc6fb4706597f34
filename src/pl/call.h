// Calls of functions: what is kept for a call site (FmgrInfo.fn_extra), and the ways to call.
// Owns the call sites, in the memory context of their FmgrInfo.
#pragma once

#include "lua/lua_api.h"
#include "pg/server.h"
#include "pl/execution_context.h"
#include "pl/function.h"
#include "pl/result.h"

namespace pllua_bg::pl {

struct Set;

// An argument in the order in which it is passed.
struct Argument {
    const types::Type *type;
    int index; // in FunctionCallInfo.args
};

struct Site {
    Function *function;
    uint64 generation; // function_generation when `function` was found
    Oid user;          // who was the current user then
    bool trusted;
    Interpreter *interpreter;
    MemoryContext memory;
    // Plain functions:
    int nargs;
    Argument *arguments;
    Result result;
    Set *set; // the set that is being returned, or was
    // Triggers:
    Oid relation;
    uint64 shape; // of the relation's rows: identifier of the tuple descriptor
    const types::Type **columns;
};

// The call site with its function, found again when that may have changed. `resolve` completes the
// site when the function is not the one it had. Errors: pg.
using SiteResolver = void (*)(Site *site, FunctionCallInfo fcinfo);
Site *find_site(FunctionCallInfo fcinfo, bool trusted, SiteResolver resolve);
inline bool is_fresh(const Site *site) {
    return site->generation == function_generation && (!site->trusted || site->user == GetUserId());
}

// May the called code end the transaction?
bool is_atomic(FunctionCallInfo fcinfo);

// Pushes the function of the site and its arguments; the number of arguments. Errors: lua.
int push_call(lua_State *L, const Site *site, FunctionCallInfo fcinfo);

// One row of a set-returning function, or all of them (srf.cpp). Errors: pg.
Datum call_set(FunctionCallInfo fcinfo, Site *site);
// True when a set of this site is suspended: the next call goes on with it, whatever has changed.
bool is_suspended(const Site *site);

// Calls by kind of function (call.cpp, trigger.cpp, event_trigger.cpp). Errors: pg.
Datum call_function(FunctionCallInfo fcinfo, bool trusted);
Datum call_trigger(FunctionCallInfo fcinfo, bool trusted);
Datum call_event_trigger(FunctionCallInfo fcinfo, bool trusted);

// The hooks of the same names of types::Hooks and api::Hooks. Errors: none.
Oid argument_type(int n);
TupleDesc expected_row();

// Registers what this floor needs from others. Called once from _PG_init.
void initialize();

} // namespace pllua_bg::pl
