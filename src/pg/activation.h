// One entry of the server into the language, and what belongs to it: its SPI connection and its
// levels of pcall. Owns the chain of activations of this backend.
#pragma once

#include "pg/server.h"

extern "C" {
#include "utils/portal.h"
}

namespace pllua_bg::pg {

// Lives in the frame of the handler that pushes it. Trivially destructible by design.
struct Activation {
    Activation *previous;
    int level_base;     // levels of pcall below this index belong to outer activations
    bool spi_connected; // SPI_connect was called for this activation
    bool atomic;        // no transaction control allowed (SPI_OPT_NONATOMIC not possible)
    bool read_only;     // STABLE or IMMUTABLE function: SPI runs read-only
    void *call;         // the handler's own data (src/pl)
    // The trigger whose transition tables statements see; nullptr: there are none.
    struct TriggerData *transition;
    List *portals;            // names of cursors over its transition tables; they end with it
    const char *outer_closed; // what database_closed was when it began, and is again when it ends
    void (*at_end)(); // ends what may not outlive it, raises nothing; nullptr: there is none
};

// The running activation; nullptr outside the language.
extern Activation *current_activation;

// Why the database is closed; nullptr while it is open. Code that runs after its call was left, and
// finalizers, run with it closed: whoever is the current user then is not the user of that code,
// and what a SET clause had set does not hold any more. Only clean-up enters the server meanwhile.
// The text completes "the database cannot be used ".
extern const char *database_closed;

// Begins an activation. Errors: pg 54001 (stack depth).
void enter(Activation *activation, bool atomic, bool read_only, void *call);
// Ends it: checks that no level is open, and releases SPI unless it has failed. Returns the pending
// error of this activation, if any, which the caller must raise (pg::rethrow). An error may be
// caught where a subtransaction ends only: that releases SPI then. Errors: none.
ErrorData *leave(Activation *activation, bool failed);

// A cursor was opened in the running activation. Inside pg::call. Errors: pg (memory).
void note_portal(Portal portal);

// Connects to SPI once per activation; released by leave(). Call inside pg::call. Errors: pg.
void ensure_spi();

} // namespace pllua_bg::pg
