// A queue of byte strings: in memory up to work_mem, then in a temporary file that outlives
// transactions. Owns its memory and its file; both go with the memory context it was created in.
#pragma once

#include "pg/list.h"
#include "pg/server.h"

extern "C" {
#include "storage/fd.h"
}

namespace pllua_bg::session {

struct SpillItem {
    SpillItem *before;
    SpillItem *after;
    Size length;
    // the bytes follow
};

struct Spill {
    MemoryContext context;
    pg::LinkedList<SpillItem> early; // before the file
    Size memory;                     // bytes of the items in memory
    File file;                       // 0: none
    uint64 file_items;
    off_t end;  // where the next item is to be in the file
    char *tail; // of the file, not written yet
    Size tail_length;
    bool file_failed; // writing raised; what follows stays in memory, after the file
    pg::LinkedList<SpillItem> late;
    MemoryContextCallback callback;
};

// A place in a spill. Zeroed by spill_rewind(); reads in order of writing, also what is
// written later.
struct SpillCursor {
    SpillItem *item; // the last one returned from memory
    bool in_file;
    bool in_late;
    uint64 file_items; // read from the file so far
    off_t offset;      // of the next
    char *buffer;      // a piece of the file; belongs to `context`
    off_t start;       // where in the file it is
    Size filled;       // bytes of it
    Size capacity;
    MemoryContext context;
};

// Errors: pg (memory).
Spill *spill_create(MemoryContext context);
// Copies the bytes. Errors: pg (memory, temporary file).
void spill_append(Spill *spill, const void *data, Size length);
// Begins at the first item; file items are read into memory of `context`. Errors: none.
void spill_rewind(SpillCursor *cursor, MemoryContext context);
// The next item, valid until the next call with this cursor; nullptr at the end (another call may
// find more). With `consume` everything before it is released; then there must be one cursor only.
// Errors: pg (temporary file).
const char *spill_next(Spill *spill, SpillCursor *cursor, bool consume, Size *length);
// Releases everything. Errors: none.
void spill_free(Spill *spill);

} // namespace pllua_bg::session
