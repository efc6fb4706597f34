// Levels of pcall, their lazy subtransactions and the pending error.
// See subxact.h for the contracts.
#include "pg/subxact.h"

#include "pg/activation.h"
#include "pg/guard.h"

namespace pllua_bg::pg {

namespace {

Subtransaction *levels;
int count;
int capacity;
uint64 scope_count;

ErrorData *pending;
int pending_depth;      // levels that were open when the pending error was raised
bool pending_uncertain; // only the end of a subtransaction clears it

// Keeps the first of two errors.
ErrorData *first_of(ErrorData *first, ErrorData *second) {
    if (first == nullptr) return second;
    free_error(second);
    return first;
}

ErrorData *end_levels(int index, bool commit, bool *any_open) {
    ErrorData *error = nullptr;
    *any_open = false;
    while (count > index) {
        Subtransaction *level = &levels[--count];
        if (!level->open) continue;
        *any_open = true;
        // It may have begun while a value was converted, in memory that is no more.
        if (level->scope != 0) level->memory = CurrentMemoryContext;
        error = first_of(error, end_subtransaction(level, commit));
    }
    return error;
}

// How often the end of a broken subtransaction is tried; memory was short, most likely.
constexpr int kTries = 3;

// Rolls back until the subtransaction is no more.
void roll_back_remains(const Subtransaction *level) {
    for (int i = 0; i < kTries && GetCurrentTransactionNestLevel() >= level->nest_level; i++)
        free_error(attempt([] { RollbackAndReleaseCurrentSubTransaction(); }));
}

// The server can do nothing with a subtransaction that was begun by half but to begin it again.
void undo_begin(const Subtransaction *level) {
    for (int i = 0; i < kTries && GetCurrentTransactionNestLevel() >= level->nest_level; i++) {
        ErrorData *error = attempt([] { CommitTransactionCommand(); });
        free_error(error);
        if (error == nullptr) roll_back_remains(level);
    }
}

void put_back(const Subtransaction *level) {
    MemoryContextSwitchTo(level->memory);
    CurrentResourceOwner = level->owner;
}

ErrorData *copy_error(const ErrorData *error) {
    return attempt([error] {
        // The only way to have the server copy an ErrorData is to let it throw it.
        ReThrowError(const_cast<ErrorData *>(error));
    });
}

void forget_at_transaction_end(XactEvent event, void *) {
    if (event != XACT_EVENT_ABORT && event != XACT_EVENT_COMMIT) return;
    if (current_activation != nullptr) return;
    count = 0;
    clear_pending();
    database_closed = nullptr;
}

// Begins it where its memory context is known already: code that a conversion runs may open levels
// that were there before, and their end must not make the memory of the conversion the current one.
void begin(Subtransaction *level) {
    MemoryContext current = CurrentMemoryContext;
    level->owner = CurrentResourceOwner;
    level->nest_level = GetCurrentTransactionNestLevel() + 1;
    ErrorData *error = attempt([] { BeginInternalSubTransaction(nullptr); });
    MemoryContextSwitchTo(current);
    level->open = error == nullptr;
    if (level->open) return;
    undo_begin(level);
    MemoryContextSwitchTo(current);
    CurrentResourceOwner = level->owner;
    rethrow(error);
}

} // namespace

int push_level(ErrorData **error) {
    *error = nullptr;
    if (count == capacity) {
        const int wanted = capacity == 0 ? 16 : capacity * 2;
        *error = attempt([wanted] {
            const Size size = sizeof(Subtransaction) * static_cast<Size>(wanted);
            void *grown = levels == nullptr ? MemoryContextAlloc(TopMemoryContext, size)
                                            : repalloc(levels, size);
            levels = static_cast<Subtransaction *>(grown);
            capacity = wanted;
        });
        if (*error != nullptr) return -1;
    }
    levels[count].open = false;
    levels[count].scope = 0;
    levels[count].memory = CurrentMemoryContext;
    return count++;
}

int push_scope(uint64 *number, ErrorData **error) {
    const int index = push_level(error);
    if (*error == nullptr) levels[index].scope = *number = ++scope_count;
    return index;
}

bool is_scope(int index, uint64 number) { return index < count && levels[index].scope == number; }

bool has_pcall_above(int index) {
    for (int i = index + 1; i < count; i++)
        if (levels[i].scope == 0) return true;
    return false;
}

bool has_scope(int base) {
    for (int i = base; i < count; i++)
        if (levels[i].scope != 0) return true;
    return false;
}

int level_count() { return count; }

bool levels_own_subtransaction(int base) {
    for (int i = base; i < count; i++)
        if (levels[i].open) return true;
    return false;
}

ErrorData *release_levels(int index) {
    bool any_open;
    return end_levels(index, true, &any_open);
}

ErrorData *rollback_levels(int index) {
    bool any_open;
    ErrorData *error = end_levels(index, false, &any_open);
    if (error != nullptr) {
        note_pending(error);
    } else if (pending != nullptr && pending_depth > index && !is_final(pending) &&
               (any_open || !pending_uncertain)) {
        clear_pending();
    }
    return error;
}

void open_levels() {
    // Connected outside the subtransactions: the end of one would close a
    // connection made inside it.
    ensure_spi();
    for (int i = current_activation->level_base; i < count; i++)
        if (!levels[i].open) begin(&levels[i]);
}

void begin_subtransaction(Subtransaction *subtransaction) {
    subtransaction->memory = CurrentMemoryContext;
    begin(subtransaction);
}

ErrorData *end_subtransaction(Subtransaction *level, bool commit) {
    level->open = false;
    ErrorData *error = attempt([commit] {
        if (commit)
            ReleaseCurrentSubTransaction();
        else
            RollbackAndReleaseCurrentSubTransaction();
    });
    if (error != nullptr) roll_back_remains(level);
    put_back(level);
    return error;
}

bool is_final(const ErrorData *error) {
    switch (error->sqlerrcode) {
    case ERRCODE_QUERY_CANCELED:
    case ERRCODE_ADMIN_SHUTDOWN:
    case ERRCODE_CRASH_SHUTDOWN: return true;
    default: return false;
    }
}

const ErrorData *pending_error() { return pending; }

bool pending_is_final() { return pending != nullptr && is_final(pending); }

void note_pending(const ErrorData *error) {
    if (pending != nullptr) {
        if (is_final(pending) || !is_final(error)) return;
        clear_pending();
    }
    pending = copy_error(error);
    pending_depth = count;
}

void note_uncertain(const ErrorData *error) {
    note_pending(error);
    pending_uncertain = true;
}

void begin_closing(Closing *closing) {
    static char message[] = "the query of the function was aborted";
    closing->pending = pending;
    closing->depth = pending_depth;
    closing->uncertain = pending_uncertain;
    pending = nullptr;
    ErrorData aborted = {};
    aborted.elevel = ERROR;
    aborted.sqlerrcode = ERRCODE_QUERY_CANCELED;
    aborted.message = message;
    aborted.assoc_context = CurrentMemoryContext;
    note_pending(&aborted);
}

void end_closing(Closing *closing) {
    clear_pending();
    pending = closing->pending;
    pending_depth = closing->depth;
    pending_uncertain = closing->uncertain;
}

void clear_pending() {
    free_error(pending);
    pending = nullptr;
    pending_uncertain = false;
}

ErrorData *copy_pending() { return copy_error(pending); }

void initialize_subxact() { RegisterXactCallback(forget_at_transaction_end, nullptr); }

} // namespace pllua_bg::pg
