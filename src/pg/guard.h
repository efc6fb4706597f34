// Catching server errors: the only place in the project where the server's longjmp lands.
// Owns the captured ErrorData until it is handed on. Follows PG_TRY in src/include/utils/elog.h.
//
// Rule of the house: nothing with a destructor may live in a frame that an error can cross. The
// functor given to attempt() and call() captures by reference, and nothing in it needs unwinding.
#pragma once

#include "pg/server.h"
#include "pg/subxact.h"

struct lua_State;

namespace pllua_bg::pg {

// A point to return to. Everything the server may have changed when it jumps back here
// is put right by rewind().
struct Landing {
    sigjmp_buf buffer;
    sigjmp_buf *exception_stack;
    ErrorContextCallback *context_stack;
    MemoryContext memory;
    struct Activation *activation;
    // An error lets interrupts in again; code that holds them off, as that of an abort does, goes
    // on after a guard inside it.
    uint32 interrupt_holdoff;
    uint32 cancel_holdoff;
    const char *database_closed;

    // Remembers the present state; the caller calls sigsetjmp itself. Errors: none.
    void arm();
    // Puts back what arm() saw. Errors: none.
    void rewind();
};

// Runs fn; false when it raised. The error is then still on the server's error stack, for the
// caller to report and flush. The transaction is not rolled back. Errors: none.
template <class F> bool attempt_raw(F &&fn) {
    Landing landing;
    landing.arm();
    if (sigsetjmp(landing.buffer, 0) == 0) {
        PG_exception_stack = &landing.buffer;
        fn();
        landing.rewind();
        return true;
    }
    landing.rewind();
    return false;
}

// Runs fn, which makes an error, in a context of its own below TopMemoryContext, which free_error()
// deletes. False when that raised, as attempt_raw(); nothing of it stays. Errors: none.
template <class F> bool build_error(F &&fn) {
    volatile MemoryContext context = nullptr;
    const bool built = attempt_raw([&fn, &context] {
        context = AllocSetContextCreate(TopMemoryContext, "pllua_bg error", ALLOCSET_SMALL_SIZES);
        MemoryContextSwitchTo(context);
        fn();
    });
    if (!built && context != nullptr) MemoryContextDelete(context);
    return built;
}

// Makes `place`, which is static, an error that takes no memory, for where there is none.
// free_error() is not for it. Errors: none.
ErrorData *static_error(ErrorData *place, int sqlerrcode, char *message);

// Takes the error from the server's error stack and clears it. The copy lives in a context of its
// own below TopMemoryContext until free_error(). When memory is short a prebuilt out-of-memory
// error is returned. Errors: none.
ErrorData *take_error();
void free_error(ErrorData *error);

// Runs fn; nullptr when it succeeded, else the error it raised, owned by the caller (free_error).
// Errors: none.
template <class F> ErrorData *attempt(F &&fn) {
    if (attempt_raw(static_cast<F &&>(fn))) return nullptr;
    return take_error();
}

// Raises an error again that attempt() returned, and frees it.
// The server copies it. Errors: pg, always.
[[noreturn]] void rethrow(ErrorData *error);
// Raises an error that no server code has reported yet: the context callbacks around us are asked.
// Frees it. Errors: pg, always.
[[noreturn]] void raise_fresh(ErrorData *error);

// Which subtransactions undo what the functor of a call() did when it fails.
enum class Undo {
    kLevels,  // those of every enclosing pcall, begun first: it may change the database
    kOwn,     // inside a pcall a short one of its own: it changes nothing in the database
    kMessage, // as kOwn, and runs no code of users: allowed while the database is closed
    kNone,    // none: releases something or works in memory only, runs no code of users and cannot
              // fail for a reason of theirs: allowed while an error is pending
};

// Non-template halves of call(). before_call returns the error to raise when the call may not be
// made; after_call the one that is left, if any. Errors: none.
struct CallState {
    Subtransaction own; // open when before_call began one for this call alone
};
ErrorData *before_call(Undo undo, CallState *state);
// True when no error is pending and the database is not closed (activation.h). Errors: none.
bool is_open();
ErrorData *after_call(ErrorData *error, CallState *state);

// Turns an error into a Lua error. Takes ownership.
[[noreturn]] void raise_in_lua(lua_State *L, ErrorData *error);

// Converter one: enters the server from Lua.
// Inside fn no Lua function that can raise; outside it no server function that can ereport.
// What fn computes leaves through its captured references. Errors: lua.
template <Undo kUndo = Undo::kLevels, class F> void call(lua_State *L, F &&fn) {
    CallState state;
    ErrorData *error = before_call(kUndo, &state);
    if (error == nullptr) {
        if (attempt_raw(static_cast<F &&>(fn))) {
            if (!state.own.open) return;
            error = after_call(nullptr, &state);
        } else {
            error = after_call(take_error(), &state);
        }
        if (error == nullptr) return;
    }
    raise_in_lua(L, error);
}

// With a subtransaction of its own, or none. Errors: lua.
template <class F> void call_own_subxact(lua_State *L, F &&fn) {
    call<Undo::kOwn>(L, static_cast<F &&>(fn));
}

template <class F> void call_no_subxact(lua_State *L, F &&fn) {
    call<Undo::kNone>(L, static_cast<F &&>(fn));
}

} // namespace pllua_bg::pg
