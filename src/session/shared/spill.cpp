// A queue of byte strings, in memory and then on disk. See spill.h.
// Owns nothing beyond its spools.
#include "session/shared/spill.h"

#include "pg/compat.h"

namespace pllua_bg::session {

static char *bytes_of(SpoolItem *item) {
    return reinterpret_cast<char *>(item) + MAXALIGN(sizeof(SpoolItem));
}

static void close_file(void *argument) {
    Spool *spool = static_cast<Spool *>(argument);
    if (spool->file != nullptr) BufFileClose(spool->file);
    spool->file = nullptr;
}

Spool *spool_create(MemoryContext context) {
    Spool *spool = static_cast<Spool *>(MemoryContextAllocZero(context, sizeof(Spool)));
    spool->context = context;
    return spool;
}

static SpoolItem *make_item(Spool *spool, const void *data, Size length) {
    SpoolItem *item = static_cast<SpoolItem *>(
        MemoryContextAllocHuge(spool->context, MAXALIGN(sizeof(SpoolItem)) + length));
    item->next = nullptr;
    item->length = length;
    memcpy(bytes_of(item), data, length);
    return item;
}

static void append_item(Spool *spool, SpoolItem **first, SpoolItem **last, SpoolItem *item) {
    spool->memory += GetMemoryChunkSpace(item);
    if (*last != nullptr)
        (*last)->next = item;
    else
        *first = item;
    *last = item;
}

static void open_file(Spool *spool) {
    MemoryContext old = MemoryContextSwitchTo(spool->context);
    spool->file = BufFileCreateTemp(true);
    MemoryContextSwitchTo(old);
    spool->at_end = true;
    if (spool->callback.func != nullptr) return;
    spool->callback.func = close_file;
    spool->callback.arg = spool;
    MemoryContextRegisterResetCallback(spool->context, &spool->callback);
}

static void append_to_file(Spool *spool, const void *data, Size length) {
    // Stays set when something raises: the file may then hold half an item.
    spool->file_failed = true;
    if (spool->file == nullptr) open_file(spool);
    if (!spool->at_end) {
        if (BufFileSeek(spool->file, spool->end_number, spool->end_offset, SEEK_SET) != 0)
            ereport(ERROR, (errcode_for_file_access(), errmsg("could not seek in temporary file")));
        spool->at_end = true;
    }
    pg::write_file(spool->file, &length, sizeof length);
    pg::write_file(spool->file, data, length);
    BufFileTell(spool->file, &spool->end_number, &spool->end_offset);
    spool->file_items++;
    spool->file_failed = false;
}

void spool_append(Spool *spool, const void *data, Size length) {
    if (spool->file_failed) {
        append_item(spool, &spool->late_first, &spool->late_last, make_item(spool, data, length));
        return;
    }
    bool fits = spool->memory + length <= static_cast<Size>(work_mem) * 1024;
    if (spool->file_items > 0 || (!fits && spool->first != nullptr)) {
        append_to_file(spool, data, length);
        return;
    }
    append_item(spool, &spool->first, &spool->last, make_item(spool, data, length));
}

void spool_rewind(SpoolCursor *cursor, MemoryContext context) {
    memset(cursor, 0, sizeof *cursor);
    cursor->context = context;
}

static const char *next_in_file(Spool *spool, SpoolCursor *cursor, Size *length) {
    spool->at_end = false;
    if (BufFileSeek(spool->file, cursor->number, cursor->offset, SEEK_SET) != 0)
        ereport(ERROR, (errcode_for_file_access(), errmsg("could not seek in temporary file")));
    pg::read_file(spool->file, length, sizeof *length);
    if (cursor->capacity < *length) {
        if (cursor->buffer != nullptr) pfree(cursor->buffer);
        cursor->buffer = nullptr;
        cursor->capacity = 0;
        cursor->buffer = static_cast<char *>(MemoryContextAllocHuge(cursor->context, *length));
        cursor->capacity = *length;
    }
    pg::read_file(spool->file, cursor->buffer, *length);
    BufFileTell(spool->file, &cursor->number, &cursor->offset);
    cursor->file_items++;
    return cursor->buffer;
}

// Everything in the file was consumed: its space is given back, the next item goes to memory again.
static void drop_file(Spool *spool, SpoolCursor *cursor) {
    close_file(spool);
    if (cursor->buffer != nullptr) pfree(cursor->buffer);
    cursor->buffer = nullptr;
    cursor->capacity = 0;
    spool->file_items = cursor->file_items = 0;
    spool->end_number = cursor->number = 0;
    spool->end_offset = cursor->offset = 0;
    spool->at_end = false;
    cursor->in_file = false;
}

static const char *return_item(SpoolCursor *cursor, SpoolItem *item, Size *length) {
    cursor->item = item;
    *length = item->length;
    return bytes_of(item);
}

// The item after the cursor's in one of the two lists; a consumed one is freed.
static SpoolItem *step(Spool *spool, SpoolItem **first, SpoolItem **last, SpoolCursor *cursor,
                       bool consume) {
    if (cursor->item == nullptr) return *first;
    SpoolItem *next = cursor->item->next;
    if (consume) {
        *first = next;
        if (next == nullptr) *last = nullptr;
        spool->memory -= GetMemoryChunkSpace(cursor->item);
        pfree(cursor->item);
        cursor->item = nullptr;
    }
    return next;
}

const char *spool_next(Spool *spool, SpoolCursor *cursor, bool consume, Size *length) {
    if (!cursor->in_file && !cursor->in_late) {
        SpoolItem *item = step(spool, &spool->first, &spool->last, cursor, consume);
        if (item != nullptr) return return_item(cursor, item, length);
        if (spool->file_items == 0 && spool->late_first == nullptr) return nullptr;
        cursor->in_file = true;
        cursor->item = nullptr;
    }
    if (cursor->in_file && !cursor->in_late) {
        if (cursor->file_items < spool->file_items) return next_in_file(spool, cursor, length);
        if (spool->late_first == nullptr) {
            if (consume && !spool->file_failed) drop_file(spool, cursor);
            return nullptr;
        }
        cursor->in_late = true;
    }
    SpoolItem *item = step(spool, &spool->late_first, &spool->late_last, cursor, consume);
    return item == nullptr ? nullptr : return_item(cursor, item, length);
}

static void free_items(SpoolItem *item) {
    while (item != nullptr) {
        SpoolItem *next = item->next;
        pfree(item);
        item = next;
    }
}

void spool_free(Spool *spool) {
    free_items(spool->first);
    free_items(spool->late_first);
    close_file(spool);
    // The callback stays registered with the context, so the struct does too.
    if (spool->callback.func == nullptr) pfree(spool);
}

} // namespace pllua_bg::session
