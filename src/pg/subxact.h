// Levels of pcall, and of subtransactions that Lua code begins and ends itself, with the
// subtransactions they own: those of pcall are opened at the first use of the database inside. Owns
// the stack of levels of this backend, and the mark "server error raised and not rolled back".
#pragma once

#include "pg/server.h"

namespace pllua_bg::pg {

// A subtransaction, and what the server needs to go on as before when it ends: as plpgsql's
// exception blocks keep it.
struct Subtransaction {
    bool open;
    int nest_level;       // its own
    MemoryContext memory; // current when the level was pushed, and again when it ends
    ResourceOwner owner;
    uint64 scope; // of a level of spi.subtransaction(): no other one has it; 0: of a pcall
};

// Opens a level; nothing happens in the server yet. Returns its index. Errors: none (false memory:
// ErrorData in *error).
int push_level(ErrorData **error);
// The same for code that ends the level itself, by its number. Where it has not done so the level
// ends with what is around it.
int push_scope(uint64 *number, ErrorData **error);
// Whether that level is still at `index`, and whether a pcall inside it has not ended.
bool is_scope(int index, uint64 number);
bool has_pcall_above(int index);
// Whether there is one at or above `base`.
bool has_scope(int base);
// The number of open levels.
int level_count();
// True when any level at or above `base` owns a subtransaction (then its coroutine may not yield).
bool levels_own_subtransaction(int base);
// Ends the levels at and above `index`: commits or rolls back the subtransactions they own,
// innermost first. Rolling back clears the pending error when it was raised inside. Errors: none;
// the error of a failed end is returned.
ErrorData *release_levels(int index);
ErrorData *rollback_levels(int index);

// Begins the subtransactions of all levels of this activation that have none. Errors: pg.
void open_levels();

// A subtransaction for one call only, inside a level that has none yet.
// Errors: pg; there is none then.
void begin_subtransaction(Subtransaction *subtransaction);
// Ends it; the error of a failed end is returned: what should have been committed was rolled back.
// Errors: none.
ErrorData *end_subtransaction(Subtransaction *subtransaction, bool commit);

// True for an error that Lua code may never catch: cancel and shutdown.
bool is_final(const ErrorData *error);
// The pending error: raised by the server, seen by Lua, not yet rolled back.
// nullptr when there is none.
const ErrorData *pending_error();
// True when the pending error may never be caught (cancel, shutdown).
bool pending_is_final();
// Remembers a copy of error as pending until the innermost level that is open
// now has been rolled back.
void note_pending(const ErrorData *error);
// The same, and only a level that owns a subtransaction counts: SPI may be left connected by half.
void note_uncertain(const ErrorData *error);
// While code is closed whose query was aborted, an error is pending that cannot be caught: nothing
// but clean-up enters the server. What was pending before is put back at the end. Errors: none.
struct Closing {
    ErrorData *pending;
    int depth;
    bool uncertain;
};
void begin_closing(Closing *closing);
void end_closing(Closing *closing);
// Forgets the pending error. For leave() and the end of a transaction.
void clear_pending();
// A copy to raise again, owned by the caller. Errors: none.
ErrorData *copy_pending();

// Registers the callbacks that forget all levels when the transaction ends.
// Called once from _PG_init.
void initialize_subxact();

} // namespace pllua_bg::pg
