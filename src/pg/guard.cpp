// Catching server errors. See guard.h for the contracts.
#include "pg/guard.h"

#include "pg/activation.h"
#include "pg/fault.h"
#include "pg/hooks.h"
#include "pg/reserve.h"
#include "pg/subxact.h"

namespace pllua_bg::pg {

Hooks hooks;

namespace {

// Returned when there is no memory to copy an error; never freed.
ErrorData out_of_memory_error;
// An error whose memory is released at the next occasion,
// because its owner had to jump away from it.
ErrorData *parked_error;

ErrorData *prebuilt_out_of_memory() {
    static char message[] = "out of memory";
    return static_error(&out_of_memory_error, ERRCODE_OUT_OF_MEMORY, message);
}

// No transaction has to be rolled back because of it, so it may be caught.
ErrorData *closed_error() {
    return attempt([] {
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("the database cannot be used %s", database_closed),
                        errhint("Close handlers and finalizers may only release what they hold.")));
    });
}

void park(ErrorData *error) {
    free_error(parked_error);
    parked_error = error;
}

} // namespace

void Landing::arm() {
    exception_stack = PG_exception_stack;
    context_stack = error_context_stack;
    memory = CurrentMemoryContext;
    activation = current_activation;
    database_closed = pg::database_closed;
    interrupt_holdoff = InterruptHoldoffCount;
    cancel_holdoff = QueryCancelHoldoffCount;
}

void Landing::rewind() {
    PG_exception_stack = exception_stack;
    error_context_stack = context_stack;
    CurrentMemoryContext = memory;
    current_activation = activation;
    pg::database_closed = database_closed;
    InterruptHoldoffCount = interrupt_holdoff;
    QueryCancelHoldoffCount = cancel_holdoff;
}

ErrorData *static_error(ErrorData *place, int sqlerrcode, char *message) {
    *place = {};
    place->elevel = ERROR;
    place->output_to_server = true;
    place->output_to_client = true;
    place->sqlerrcode = sqlerrcode;
    place->message = message;
    place->assoc_context = ErrorContext;
    return place;
}

ErrorData *take_error() {
    if (geterrcode() == ERRCODE_OUT_OF_MEMORY) release_reserve();
    ErrorData *volatile copy = nullptr;
    const bool copied = build_error([&copy] {
        fault("copy-error");
        copy = CopyErrorData();
    });
    FlushErrorState();
    return copied ? copy : prebuilt_out_of_memory();
}

void free_error(ErrorData *error) {
    if (error == nullptr || error == &out_of_memory_error) return;
    MemoryContextDelete(GetMemoryChunkContext(error));
}

void rethrow(ErrorData *error) {
    park(error);
    // An error is reported with the message contexts of its first raise; adding those around us
    // again would name them twice.
    ReThrowError(error);
}

void raise_fresh(ErrorData *error) {
    park(error);
    ThrowErrorData(error);
    pg_unreachable();
}

void raise_in_lua(lua_State *L, ErrorData *error) {
    hooks.raise_in_lua(L, error);
    pg_unreachable();
}

bool is_open() { return pending_error() == nullptr && database_closed == nullptr; }

ErrorData *before_call(Undo undo, CallState *state) {
    state->own.open = false;
    if (undo == Undo::kNone) return nullptr;
    if (pending_error() != nullptr) return copy_pending();
    if (database_closed != nullptr) return undo == Undo::kMessage ? nullptr : closed_error();
    if (current_activation == nullptr || level_count() == current_activation->level_base)
        return nullptr;
    if (undo == Undo::kLevels) {
        ErrorData *error = attempt([] { open_levels(); });
        if (error != nullptr) note_uncertain(error);
        return error;
    }
    if (levels_own_subtransaction(level_count() - 1) || IsInParallelMode()) return nullptr;
    return attempt([state] { begin_subtransaction(&state->own); });
}

ErrorData *after_call(ErrorData *error, CallState *state) {
    if (!state->own.open) {
        if (error != nullptr) note_pending(error);
        return error;
    }
    ErrorData *end_error = end_subtransaction(&state->own, error == nullptr);
    if (end_error != nullptr) {
        note_pending(end_error);
        free_error(error);
        return end_error;
    }
    if (error != nullptr && is_final(error)) note_pending(error);
    return error;
}

} // namespace pllua_bg::pg
