// Entering and leaving the language. See activation.h for the contracts.
#include "pg/activation.h"

#include "pg/fault.h"
#include "pg/guard.h"
#include "pg/subxact.h"

namespace pllua_bg::pg {

Activation *current_activation = nullptr;
const char *database_closed = nullptr;

namespace {

// Keeps the caller's memory context: SPI_finish returns to the one that was
// current when SPI was connected.
ErrorData *release_spi() {
    MemoryContext memory = CurrentMemoryContext;
    ErrorData *error = attempt([] {
        if (SPI_finish() != SPI_OK_FINISH) elog(ERROR, "SPI_finish failed");
    });
    MemoryContextSwitchTo(memory);
    return error;
}

// A cursor over a transition table would read it after the server has freed it.
ErrorData *close_portals(Activation *activation) {
    return attempt([activation] {
        ListCell *cell;
        foreach (cell, activation->portals) {
            Portal portal = GetPortalByName(static_cast<char *>(lfirst(cell)));
            if (portal != nullptr && portal->queryEnv != nullptr) SPI_cursor_close(portal);
        }
        list_free_deep(activation->portals);
    });
}

} // namespace

void note_portal(Portal portal) {
    if (portal->queryEnv == nullptr) return;
    MemoryContext caller = MemoryContextSwitchTo(TopTransactionContext);
    current_activation->portals = lappend(current_activation->portals, pstrdup(portal->name));
    MemoryContextSwitchTo(caller);
}

void enter(Activation *activation, bool atomic, bool read_only, void *call) {
    check_stack_depth();
    activation->previous = current_activation;
    activation->level_base = level_count();
    activation->spi_connected = false;
    activation->portals = NIL;
    activation->atomic = atomic;
    activation->read_only = read_only;
    activation->call = call;
    activation->transition = nullptr;
    activation->outer_closed = database_closed;
    activation->at_end = nullptr;
    current_activation = activation;
}

ErrorData *leave(Activation *activation, bool failed) {
    ErrorData *error = nullptr;
    if (activation->at_end != nullptr) [[unlikely]]
        activation->at_end();
    if (level_count() > activation->level_base) error = rollback_levels(activation->level_base);
    if (!failed && error == nullptr && pending_error() != nullptr) error = copy_pending();
    clear_pending();
    if (!failed && error == nullptr && activation->portals != NIL)
        error = close_portals(activation);
    // After an error the connection need not be the innermost: others may be above it, or one that
    // was not finished. The (sub)transaction that the error ends releases them all.
    if (activation->spi_connected && !failed && error == nullptr) error = release_spi();
    current_activation = activation->previous;
    database_closed = activation->outer_closed;
    return error;
}

void ensure_spi() {
    Activation *activation = current_activation;
    if (activation == nullptr)
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("the database cannot be used outside a function call")));
    if (activation->spi_connected) return;
    const int options = activation->atomic ? 0 : SPI_OPT_NONATOMIC;
    MemoryContext caller = CurrentMemoryContext;
    fault("spi-connect");
    if (SPI_connect_ext(options) != SPI_OK_CONNECT) elog(ERROR, "SPI_connect failed");
    activation->spi_connected = true;
    fault("spi-connected");
    if (activation->transition != nullptr && SPI_register_trigger_data(activation->transition) < 0)
        elog(ERROR, "could not register transition tables");
    // SPI's own context, which it has made the current one,
    // ends before the result of the call is read.
    MemoryContextSwitchTo(caller);
}

} // namespace pllua_bg::pg
