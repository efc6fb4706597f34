// A queue of byte strings, in memory and then on disk. See spill.h.
// Owns nothing beyond its spills.
#include "session/shared/spill.h"

#include "pg/compat.h"

namespace pllua_bg::session {

namespace {

char *bytes_of(SpillItem *item) {
    return reinterpret_cast<char *>(item) + MAXALIGN(sizeof(SpillItem));
}

void close_file(void *argument) {
    Spill *spill = static_cast<Spill *>(argument);
    if (spill->file != nullptr) BufFileClose(spill->file);
    spill->file = nullptr;
}

SpillItem *make_item(Spill *spill, const void *data, Size length) {
    SpillItem *item = static_cast<SpillItem *>(
        MemoryContextAllocHuge(spill->context, MAXALIGN(sizeof(SpillItem)) + length));
    item->length = length;
    memcpy(bytes_of(item), data, length);
    return item;
}

void append_item(Spill *spill, pg::LinkedList<SpillItem> *items, const void *data, Size length) {
    SpillItem *item = make_item(spill, data, length);
    spill->memory += GetMemoryChunkSpace(item);
    items->append(item);
}

void open_file(Spill *spill) {
    MemoryContext old = MemoryContextSwitchTo(spill->context);
    spill->file = BufFileCreateTemp(true);
    MemoryContextSwitchTo(old);
    spill->at_end = true;
    if (spill->callback.func != nullptr) return;
    spill->callback.func = close_file;
    spill->callback.arg = spill;
    MemoryContextRegisterResetCallback(spill->context, &spill->callback);
}

void append_to_file(Spill *spill, const void *data, Size length) {
    // Stays set when something raises: the file may then hold half an item.
    spill->file_failed = true;
    if (spill->file == nullptr) open_file(spill);
    if (!spill->at_end) {
        if (BufFileSeek(spill->file, spill->end_number, spill->end_offset, SEEK_SET) != 0)
            ereport(ERROR, (errcode_for_file_access(), errmsg("could not seek in temporary file")));
        spill->at_end = true;
    }
    pg::write_file(spill->file, &length, sizeof length);
    pg::write_file(spill->file, data, length);
    BufFileTell(spill->file, &spill->end_number, &spill->end_offset);
    spill->file_items++;
    spill->file_failed = false;
}

const char *next_in_file(Spill *spill, SpillCursor *cursor, Size *length) {
    spill->at_end = false;
    if (BufFileSeek(spill->file, cursor->number, cursor->offset, SEEK_SET) != 0)
        ereport(ERROR, (errcode_for_file_access(), errmsg("could not seek in temporary file")));
    pg::read_file(spill->file, length, sizeof *length);
    if (cursor->capacity < *length) {
        if (cursor->buffer != nullptr) pfree(cursor->buffer);
        cursor->buffer = nullptr;
        cursor->capacity = 0;
        cursor->buffer = static_cast<char *>(MemoryContextAllocHuge(cursor->context, *length));
        cursor->capacity = *length;
    }
    pg::read_file(spill->file, cursor->buffer, *length);
    BufFileTell(spill->file, &cursor->number, &cursor->offset);
    cursor->file_items++;
    return cursor->buffer;
}

// Everything in the file was consumed: its space is given back, the next item goes to memory again.
void drop_file(Spill *spill, SpillCursor *cursor) {
    close_file(spill);
    if (cursor->buffer != nullptr) pfree(cursor->buffer);
    cursor->buffer = nullptr;
    cursor->capacity = 0;
    spill->file_items = cursor->file_items = 0;
    spill->end_number = cursor->number = 0;
    spill->end_offset = cursor->offset = 0;
    spill->at_end = false;
    cursor->in_file = false;
}

const char *return_item(SpillCursor *cursor, SpillItem *item, Size *length) {
    cursor->item = item;
    *length = item->length;
    return bytes_of(item);
}

// The item after the cursor's in one of the two lists; a consumed one is freed.
SpillItem *step(Spill *spill, pg::LinkedList<SpillItem> *items, SpillCursor *cursor, bool consume) {
    if (cursor->item == nullptr) return items->first;
    SpillItem *after = cursor->item->after;
    if (consume) {
        items->remove(cursor->item);
        spill->memory -= GetMemoryChunkSpace(cursor->item);
        pfree(cursor->item);
        cursor->item = nullptr;
    }
    return after;
}

void free_items(pg::LinkedList<SpillItem> *items) {
    while (SpillItem *item = items->take_first()) pfree(item);
}

} // namespace

Spill *spill_create(MemoryContext context) {
    Spill *spill = static_cast<Spill *>(MemoryContextAllocZero(context, sizeof(Spill)));
    spill->context = context;
    return spill;
}

void spill_append(Spill *spill, const void *data, Size length) {
    if (spill->file_failed) {
        append_item(spill, &spill->late, data, length);
        return;
    }
    bool fits = spill->memory + length <= static_cast<Size>(work_mem) * 1024;
    if (spill->file_items > 0 || (!fits && spill->early.first != nullptr)) {
        append_to_file(spill, data, length);
        return;
    }
    append_item(spill, &spill->early, data, length);
}

void spill_rewind(SpillCursor *cursor, MemoryContext context) {
    memset(cursor, 0, sizeof *cursor);
    cursor->context = context;
}

const char *spill_next(Spill *spill, SpillCursor *cursor, bool consume, Size *length) {
    if (!cursor->in_file && !cursor->in_late) {
        SpillItem *item = step(spill, &spill->early, cursor, consume);
        if (item != nullptr) return return_item(cursor, item, length);
        if (spill->file_items == 0 && spill->late.first == nullptr) return nullptr;
        cursor->in_file = true;
        cursor->item = nullptr;
    }
    if (cursor->in_file && !cursor->in_late) {
        if (cursor->file_items < spill->file_items) return next_in_file(spill, cursor, length);
        if (spill->late.first == nullptr) {
            if (consume && !spill->file_failed) drop_file(spill, cursor);
            return nullptr;
        }
        cursor->in_late = true;
    }
    SpillItem *item = step(spill, &spill->late, cursor, consume);
    return item == nullptr ? nullptr : return_item(cursor, item, length);
}

void spill_free(Spill *spill) {
    free_items(&spill->early);
    free_items(&spill->late);
    close_file(spill);
    // The callback stays registered with the context, so the struct does too.
    if (spill->callback.func == nullptr) pfree(spill);
}

} // namespace pllua_bg::session
