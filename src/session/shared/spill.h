// A queue of byte strings: in memory up to work_mem, then in a temporary file that outlives
// transactions. Owns its memory and its file; both go with the memory context it was created in.
#pragma once

#include "pg/server.h"

extern "C" {
#include "storage/buffile.h"
}

namespace pllua_bg::session {

struct SpoolItem {
    SpoolItem *next;
    Size length;
    // the bytes follow
};

struct Spool {
    MemoryContext context;
    SpoolItem *first; // before the file
    SpoolItem *last;
    Size memory; // bytes of the items in memory
    BufFile *file;
    uint64 file_items;
    int end_number; // where the next item is written: file number and offset
    off_t end_offset;
    bool at_end;      // the file is positioned there
    bool file_failed; // writing raised; what follows stays in memory, after the file
    SpoolItem *late_first;
    SpoolItem *late_last;
    MemoryContextCallback callback;
};

// A place in a spool. Zeroed by spool_rewind(); reads in order of writing, also what is written
// later.
struct SpoolCursor {
    SpoolItem *item; // the last one returned from memory
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
Spool *spool_create(MemoryContext context);
// Copies the bytes. Errors: pg (memory, temporary file).
void spool_append(Spool *spool, const void *data, Size length);
// Begins at the first item; file items are read into memory of `context`. Errors: none.
void spool_rewind(SpoolCursor *cursor, MemoryContext context);
// The next item, valid until the next call with this cursor; nullptr at the end (another call may
// find more). With `consume` everything before it is released; then there must be one cursor only.
// Errors: pg (temporary file).
const char *spool_next(Spool *spool, SpoolCursor *cursor, bool consume, Size *length);
// Releases everything. Errors: none.
void spool_free(Spool *spool);

} // namespace pllua_bg::session
