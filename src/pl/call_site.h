// What is kept for a place that calls a function (FmgrInfo.fn_extra).
// Owns the call sites, in the memory context of their FmgrInfo.
#pragma once

#include "lua/lua_api.h"
#include "pg/server.h"
#include "pl/execution_context.h"
#include "pl/function.h"
#include "pl/result.h"

namespace pllua_bg::pl {

struct Srf;

// An argument in the order in which it is passed.
struct Argument {
    const types::Type *type; // null: internal, the state of an aggregate
    int index;               // in FunctionCallInfo.args
};
inline Oid type_of(const Argument &argument) {
    return argument.type == nullptr ? INTERNALOID : types::type_oid(argument.type);
}

// The columns that a row has as a parameter of a trigger function: numbers, from 0.
struct RowColumns {
    bool whole; // the row has all columns; else only these have been looked at
    int count;
    int *numbers;
};

struct CallSite {
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
    bool direct; // its arguments and its result are plain
    Srf *srf;    // the rows that are being returned, or were
    // Triggers:
    Oid relation;
    uint64 shape; // of the relation's rows: identifier of the tuple descriptor
    const types::Type **columns;
    RowColumns old_columns;
    RowColumns new_columns;
};

// The call site with its function, found again when that may have changed. `resolve` completes the
// site when the function is not the one it had. Errors: pg.
using CallSiteResolver = void (*)(CallSite *site, FunctionCallInfo fcinfo);
CallSite *find_call_site(FunctionCallInfo fcinfo, bool trusted, CallSiteResolver resolve);
inline bool is_fresh(const CallSite *site) {
    return site->generation == function_generation && (!site->trusted || site->user == GetUserId());
}

// May the called code end the transaction?
bool is_atomic(FunctionCallInfo fcinfo);

// Opens an execution of the site's function. Errors: as open_execution().
inline void open_call(ExecutionContext *execution, CallSite *site, bool atomic = true) {
    ExecutionOptions options;
    options.function = site->function;
    options.site = site;
    options.atomic = atomic;
    options.read_only = site->function->read_only;
    open_execution(execution, site->interpreter, NameStr(site->function->name), options);
}

// Pushes the function of the site and its arguments; the number of arguments. Errors: lua.
int push_call(lua_State *L, const CallSite *site, FunctionCallInfo fcinfo);

} // namespace pllua_bg::pl
