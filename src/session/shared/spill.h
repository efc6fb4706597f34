// A queue of byte strings: in memory up to work_mem, then in a temporary file that outlives
// transactions. Owns its memory and its file; both go with the memory context it was created in.
#pragma once

#include "pg/list.h"
#include "pg/server.h"

extern "C" {
#include "storage/buffile.h"
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
    BufFile *file;
    uint64 file_items;
    int end_number; // where the next item is written: file number and offset
    off_t end_offset;
    bool at_end;      // the file is positioned there
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
    int number;
    off_t offset;
    char *buffer; // holds an item of the file; belongs to `context`
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
