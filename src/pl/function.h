// The functions of SQL as compiled by an interpreter, kept while their pg_proc row stays the same.
// Owns the compiled functions, each in a memory context of its own;
// a running one keeps its version.
#pragma once

#include "pg/server.h"
#include "pl/interpreter.h"
#include "pl/row_use.h"

namespace pllua_bg::pl {

enum class FunctionKind { kPlain, kWindow, kTrigger, kEventTrigger };

struct Function {
    Oid oid;
    TransactionId xmin;
    ItemPointerData tid;
    uint32 hash; // of the pg_proc row in the syscache
    Interpreter *interpreter;
    MemoryContext memory;
    int reference; // of the Lua function in the registry
    int users;     // executions and suspended srfs that run it
    bool suspect;  // pg_proc has changed since it was last found there
    FunctionKind kind;
    bool returns_set;
    bool read_only;
    bool has_output;   // OUT, INOUT or TABLE arguments
    bool variadic_any; // the call may have more arguments than nargs
    Oid result;
    int nargs; // declared arguments, without VARIADIC "any"
    Oid *argument_types;
    int *order; // which argument is passed at each place: first those with a usable name
    NameData name;
    TriggerUse *use;  // of a trigger function
    Function *before; // in Interpreter::detached
    Function *after;
};

// Called in an expression, with arguments; triggers are not.
inline bool has_arguments(const Function *function) {
    return function->kind == FunctionKind::kPlain || function->kind == FunctionKind::kWindow;
}

// Grows whenever a row of pg_proc may have changed: a function found before
// that has to be found again.
extern uint64 function_generation;

// The compiled form of a function; compiles it when it is new or has changed. Errors: pg (those of
// the text's own code too).
Function *find_function(Interpreter *interpreter, Oid oid);
// Compiles without running or keeping anything. For the validator. Errors: pg (42601).
void check_function(Interpreter *interpreter, Oid oid);

// A held function is not freed. Errors: none.
inline void hold_function(Function *function) { function->users++; }
inline void release_function(Function *function) { function->users--; }

// Makes what this file keeps for an interpreter. Errors: pg (memory).
void initialize_functions(Interpreter *interpreter);
// Registers the invalidation callback. Called once from initialize().
void initialize_function_cache();

// Reports a syntax error of a function or a block at its place in the command that has its text.
struct SyntaxContext {
    const char *text;
    bool loaded; // errors from now on are others'
    ErrorContextCallback callback;
};
// Puts it on the server's stack of error context callbacks; remove it by restoring the stack.
// Errors: none.
void push_syntax_context(SyntaxContext *context, const char *text);

} // namespace pllua_bg::pl
