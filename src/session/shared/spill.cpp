// A queue of byte strings, in memory and then on disk. See spill.h.
// Owns nothing beyond its spills.
//
// The file is written and read in large pieces, past the server's BufFile, whose pieces have the
// size of a page: that takes the system three times as long. In the file each item has its length
// before it and begins at a MAXALIGNed offset. The last items are in `tail` until it is full.
#include "session/shared/spill.h"

#include "pg/compat.h"

extern "C" {
#include "commands/tablespace.h"
#include "utils/wait_event.h"
}

namespace pllua_bg::session {

namespace {

constexpr Size kPiece = 128 * 1024;

char *bytes_of(SpillItem *item) {
    return reinterpret_cast<char *>(item) + MAXALIGN(sizeof(SpillItem));
}

void close_file(void *argument) {
    Spill *spill = static_cast<Spill *>(argument);
    if (spill->file != 0) FileClose(spill->file);
    spill->file = 0;
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
    if (spill->tail == nullptr)
        spill->tail = static_cast<char *>(MemoryContextAlloc(spill->context, kPiece));
    if (spill->callback.func == nullptr) {
        spill->callback.func = close_file;
        spill->callback.arg = spill;
        MemoryContextRegisterResetCallback(spill->context, &spill->callback);
    }
    PrepareTempTablespaces();
    spill->file = OpenTemporaryFile(true);
}

void write_at(Spill *spill, const void *data, Size length, off_t offset) {
    auto *at = static_cast<const char *>(data);
    while (length > 0) {
        const auto written = FileWrite(spill->file, const_cast<char *>(at), length, offset,
                                       WAIT_EVENT_BUFFILE_WRITE);
        if (written <= 0)
            ereport(ERROR, (errcode_for_file_access(), errmsg("could not write to file \"%s\": %m",
                                                              FilePathName(spill->file))));
        at += written;
        offset += written;
        length -= static_cast<Size>(written);
    }
}

void read_at(Spill *spill, void *into, Size length, off_t offset) {
    auto *at = static_cast<char *>(into);
    while (length > 0) {
        const auto read = FileRead(spill->file, at, length, offset, WAIT_EVENT_BUFFILE_READ);
        if (read <= 0)
            ereport(ERROR, (errcode_for_file_access(),
                            errmsg("could not read file \"%s\": %m", FilePathName(spill->file))));
        at += read;
        offset += read;
        length -= static_cast<Size>(read);
    }
}

// Where in the file the tail will be.
off_t tail_offset(const Spill *spill) {
    return spill->end - static_cast<off_t>(spill->tail_length);
}

void write_tail(Spill *spill) {
    write_at(spill, spill->tail, spill->tail_length, tail_offset(spill));
    spill->tail_length = 0;
}

// Of an item in the file.
Size whole_size(Size length) { return MAXALIGN(sizeof length) + MAXALIGN(length); }

void append_to_file(Spill *spill, const void *data, Size length) {
    const Size whole = whole_size(length);
    // Stays set when something raises.
    spill->file_failed = true;
    if (spill->file == 0) open_file(spill);
    if (spill->tail_length + whole > kPiece) write_tail(spill);
    if (whole > kPiece) {
        constexpr char kPadding[MAXIMUM_ALIGNOF] = {};
        const off_t at = spill->end + static_cast<off_t>(MAXALIGN(sizeof length));
        write_at(spill, &length, sizeof length, spill->end);
        write_at(spill, data, length, at);
        write_at(spill, kPadding, MAXALIGN(length) - length, at + static_cast<off_t>(length));
    } else {
        char *at = spill->tail + spill->tail_length;
        memcpy(at, &length, sizeof length);
        memcpy(at + MAXALIGN(sizeof length), data, length);
        spill->tail_length += whole;
    }
    spill->end += static_cast<off_t>(whole);
    spill->file_items++;
    spill->file_failed = false;
}

// Reads what there is of the file from the cursor on, at least so many bytes.
void fill(Spill *spill, SpillCursor *cursor, Size least) {
    cursor->filled = 0;
    if (cursor->capacity < least) {
        if (cursor->buffer != nullptr) pfree(cursor->buffer);
        cursor->buffer = nullptr;
        cursor->capacity = 0;
        const Size capacity = Max(least, kPiece);
        cursor->buffer = static_cast<char *>(MemoryContextAllocHuge(cursor->context, capacity));
        cursor->capacity = capacity;
    }
    cursor->start = cursor->offset;
    const auto offset = tail_offset(spill);
    if (cursor->offset < offset) {
        const Size size = Min(static_cast<Size>(offset - cursor->offset), cursor->capacity);
        read_at(spill, cursor->buffer, size, cursor->offset);
        cursor->filled = size;
    } else {
        const auto skipped = static_cast<Size>(cursor->offset - offset);
        const Size size = Min(spill->tail_length - skipped, cursor->capacity);
        memcpy(cursor->buffer, spill->tail + skipped, size);
        cursor->filled = size;
    }
}

// The bytes at the cursor, of which there are at least so many.
const char *look(Spill *spill, SpillCursor *cursor, Size least) {
    const auto skipped = static_cast<Size>(cursor->offset - cursor->start);
    if (skipped + least <= cursor->filled) return cursor->buffer + skipped;
    fill(spill, cursor, least);
    return cursor->buffer;
}

const char *next_in_file(Spill *spill, SpillCursor *cursor, Size *length) {
    memcpy(length, look(spill, cursor, sizeof *length), sizeof *length);
    const Size whole = whole_size(*length);
    const char *item = look(spill, cursor, whole) + MAXALIGN(sizeof *length);
    cursor->offset += static_cast<off_t>(whole);
    cursor->file_items++;
    return item;
}

// Everything in the file was consumed: its space is given back, the next item goes to memory again.
void drop_file(Spill *spill, SpillCursor *cursor) {
    close_file(spill);
    pfree(spill->tail);
    spill->tail = nullptr;
    if (cursor->buffer != nullptr) pfree(cursor->buffer);
    cursor->buffer = nullptr;
    cursor->capacity = cursor->filled = 0;
    spill->file_items = cursor->file_items = 0;
    spill->end = cursor->offset = cursor->start = 0;
    spill->tail_length = 0;
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
    if (spill->tail != nullptr) pfree(spill->tail);
    spill->tail = nullptr;
    // The callback stays registered with the context, so the struct does too.
    if (spill->callback.func == nullptr) pfree(spill);
}

} // namespace pllua_bg::session
