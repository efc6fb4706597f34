// Reading what a command has brought: rows, notices.
// Owns its readers, each in the memory context its caller gave.
#include "session/launcher/tuple_reader.h"

#include "pg/compat.h"
#include "pg/guard.h"
#include "session/launcher/launcher.h"
#include "session/shared/message.h"

namespace pllua_bg::session {

namespace {

// Only for the client: the worker has written it to the server's log.
void raise_again(ErrorData *notice) {
    const int level = pg::log_level();
    pg::log_level() = FATAL;
    ErrorData *error = pg::attempt([notice] { ThrowErrorData(notice); });
    pg::log_level() = level;
    if (error != nullptr) pg::rethrow(error);
}

} // namespace

struct TupleReader {
    StatementResult *statement;
    OwnCommand *streaming; // nullptr: rows are kept for other readers
    SpillCursor cursor;
    const char *at;  // the next tuple of the batch
    const char *end; // of the batch
    uint64 left;     // tuples left in the batch
};

TupleReader *open_reader(StatementResult *statement, MemoryContext context) {
    auto *reader = static_cast<TupleReader *>(MemoryContextAllocZero(context, sizeof(TupleReader)));
    reader->statement = statement;
    reader->streaming = statement->streaming;
    spill_rewind(&reader->cursor, context);
    return reader;
}

bool reader_has_row(TupleReader *reader) {
    if (reader->left > 0) return true;
    StatementResult *statement = reader->statement;
    if (statement->rows == nullptr) return false;
    Size length;
    const char *batch =
        spill_next(statement->rows, &reader->cursor, reader->streaming != nullptr, &length);
    if (batch == nullptr) return false;
    if (reader->streaming != nullptr) reader->streaming->unread -= length;
    const RowsMessage rows = read_rows(batch, length);
    reader->left = rows.nrows;
    reader->at = rows.tuples;
    reader->end = rows.tuples + rows.length;
    return true;
}

MinimalTuple next_tuple(TupleReader *reader) {
    if (!reader_has_row(reader)) return nullptr;
    auto *tuple = reinterpret_cast<MinimalTuple>(const_cast<char *>(reader->at));
    reader->at += MAXALIGN(tuple->t_len);
    reader->left--;
    return tuple;
}

TupleBatch next_batch(TupleReader *reader) {
    if (!reader_has_row(reader)) return {};
    TupleBatch batch = {reader->at, static_cast<Size>(reader->end - reader->at), reader->left};
    reader->left = 0;
    return batch;
}

void close_reader(TupleReader *reader) {
    if (reader->cursor.buffer != nullptr) pfree(reader->cursor.buffer);
    pfree(reader);
}

void relay_notices(Session *, Command *command) {
    while (Notice *notice = command->notices.take_first()) raise_again(notice->data);
}

} // namespace pllua_bg::session
