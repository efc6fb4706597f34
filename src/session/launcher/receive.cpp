// Taking the worker's messages apart into commands, statements and notices; and what follows from a
// worker's death. Owns nothing: everything made here belongs to the session or to a command.
#include "session/launcher/launcher.h"

#include "pg/compat.h"
#include "pg/encoding.h"
#include "pg/guard.h"
#include "session/launcher/snapshot.h"
#include "session/shared/statistics.h"

extern "C" {
#include "catalog/pg_collation.h"
#include "libpq/pqformat.h"
#include "libpq/pqmq.h"
#include "utils/inval.h"
}

namespace pllua_bg::session {

// A tuple descriptor made of what the worker says, without asking the catalogs: the type may be
// unknown here.
static TupleDesc make_descriptor(int ncolumns) {
    TupleDesc descriptor = CreateTemplateTupleDesc(ncolumns);
    descriptor->tdtypeid = RECORDOID;
    descriptor->tdtypmod = -1;
    return descriptor;
}

static const char *take_bytes(const char **at, void *into, Size size) {
    memcpy(into, *at, size);
    *at += size;
    return *at;
}

// Reads one column of a row description (see send_columns in worker/row_receiver.cpp).
static void read_column(const char **at, Column *column, Form_pg_attribute attribute) {
    memset(attribute, 0, sizeof *attribute);
    int16 name_length, type_length;
    (void)take_bytes(at, &column->type, sizeof(Oid));
    (void)take_bytes(at, &column->typmod, sizeof(int32));
    (void)take_bytes(at, &column->collation, sizeof(Oid));
    (void)take_bytes(at, &column->as_text, sizeof(bool));
    (void)take_bytes(at, &column->changed, sizeof(bool));
    (void)take_bytes(at, &attribute->atttypid, sizeof(Oid));
    (void)take_bytes(at, &attribute->attlen, sizeof(int16));
    (void)take_bytes(at, &attribute->attbyval, sizeof(bool));
    (void)take_bytes(at, &attribute->attalign, sizeof(char));
    (void)take_bytes(at, &attribute->attstorage, sizeof(char));
    (void)take_bytes(at, &name_length, sizeof(int16));
    namestrcpy(&column->name, *at);
    *at += name_length + 1;
    (void)take_bytes(at, &type_length, sizeof(int16));
    column->type_name = pstrdup(*at);
    *at += type_length + 1;
    (void)take_bytes(at, &column->definitions_length, sizeof(int32));
    char *definitions = static_cast<char *>(palloc(column->definitions_length + 1));
    (void)take_bytes(at, definitions, column->definitions_length);
    column->definitions = definitions;
    attribute->attname = column->name;
    attribute->atttypmod = column->as_text ? -1 : column->typmod;
    attribute->attcollation = column->as_text ? DEFAULT_COLLATION_OID : column->collation;
}

static Statement *open_statement(const Session *session, OwnCommand *own) {
    if (own->open != nullptr) return own->open;
    auto *statement =
        static_cast<Statement *>(MemoryContextAllocZero(own->context, sizeof(Statement)));
    if (own->last != nullptr)
        own->last->next = statement;
    else
        own->statements = statement;
    statement->user = session->user;
    statement->streaming = own->streaming ? own : nullptr;
    own->last = own->open = statement;
    return statement;
}

static void take_columns(const Session *session, OwnCommand *own, const Frame *frame) {
    // A rule can make one statement return two sets of rows.
    if (own->open != nullptr && own->open->has_rows) own->open = nullptr;
    Statement *statement = open_statement(session, own);
    const char *at = frame->payload;
    int32 ncolumns;
    (void)take_bytes(&at, &ncolumns, sizeof ncolumns);
    statement->ncolumns = ncolumns;
    statement->columns = static_cast<Column *>(palloc0(sizeof(Column) * ncolumns + 1));
    statement->descriptor = make_descriptor(ncolumns);
    for (int i = 0; i < ncolumns; i++) {
        Form_pg_attribute attribute = TupleDescAttr(statement->descriptor, i);
        read_column(&at, &statement->columns[i], attribute);
        attribute->attnum = static_cast<int16>(i + 1);
        pg::complete_attribute(statement->descriptor, i);
    }
    statement->rows = spool_create(own->context);
    statement->has_rows = true;
    statement->tag = "";
    // The types may have been created a moment ago, in the worker's transaction.
    if (IsTransactionState()) AcceptInvalidationMessages();
}

static void take_rows(OwnCommand *own, const Frame *frame) {
    if (own->open == nullptr || !own->open->has_rows) elog(ERROR, "rows without a description");
    uint64 nrows;
    memcpy(&nrows, frame->payload, sizeof nrows);
    own->open->nrows += nrows;
    spool_append(own->open->rows, frame->payload, frame->length);
    if (own->streaming) own->unread += frame->length;
}

static void take_tag(const Session *session, OwnCommand *own, const Frame *frame) {
    Statement *statement = open_statement(session, own);
    statement->tag = pstrdup(frame->payload + sizeof(uint64));
    own->open = nullptr;
}

// Messages can name what all databases share, whatever encoding it has, and those of a worker's
// start come before it has the encoding of its database.
static void make_valid(ErrorData *error) {
    char **const texts[] = {&error->message,      &error->detail,        &error->hint,
                            &error->context,      &error->schema_name,   &error->table_name,
                            &error->column_name,  &error->datatype_name, &error->constraint_name,
                            &error->internalquery};
    for (char **text : texts)
        if (*text != nullptr) *text = const_cast<char *>(pg::valid_text(*text));
}

static ErrorData *read_error(const Session *session, const Frame *frame) {
    StringInfoData message;
    message.data = const_cast<char *>(frame->payload);
    message.len = message.maxlen = static_cast<int>(frame->length);
    message.cursor = 0;
    auto *error = static_cast<ErrorData *>(palloc(sizeof(ErrorData)));
    pq_parse_errornotice(&message, error);
    make_valid(error);
    char *origin = psprintf(_("background session, pid %d"), session->pid);
    error->context =
        error->context == nullptr ? origin : psprintf("%s\n%s", error->context, origin);
    return error;
}

static void remember_error(Session *session, const char *message) {
    char *copy = MemoryContextStrdup(session->context, message);
    if (session->last_error != nullptr) pfree(session->last_error);
    session->last_error = copy;
}

// An error of the command, or of the worker while it has none: who asks for the session's state
// sees it, and it may be the cause of the death that follows.
static void note_error(Session *session, OwnCommand *own, const Frame *frame) {
    MemoryContext context =
        AllocSetContextCreate(session->context, "pllua_bg error", ALLOCSET_SMALL_SIZES);
    MemoryContext old = MemoryContextSwitchTo(context);
    ErrorData *error = read_error(session, frame);
    MemoryContextSwitchTo(old);
    remember_error(session, error->message);
    if (own != nullptr) {
        count(Counter::kErrors);
        if (error->sqlerrcode == ERRCODE_T_R_DEADLOCK_DETECTED) count(Counter::kDeadlocks);
    }
    if (error->elevel > ERROR)
        session->last_words = error;
    else
        MemoryContextDelete(context);
}

static void take_error(Session *session, OwnCommand *own, const Frame *frame) {
    // Of a command the first counts.
    if (own != nullptr && own->failed) own = nullptr;
    note_error(session, own, frame);
    if (own == nullptr) return;
    own->failed = true;
    keep_frame(session, own, frame);
}

static void append_notice(Notice **first, Notice **last, Notice *notice) {
    (*first == nullptr ? *first : (*last)->next) = notice;
    *last = notice;
}

static Notice *make_notice(const Session *session, const Frame *frame) {
    auto *notice = static_cast<Notice *>(palloc0(sizeof(Notice)));
    notice->data = read_error(session, frame);
    return notice;
}

// One that comes while no command is pending.
static void take_early_notice(Session *session, const Frame *frame) {
    MemoryContext context =
        AllocSetContextCreate(session->context, "pllua_bg notice", ALLOCSET_SMALL_SIZES);
    MemoryContext old = MemoryContextSwitchTo(context);
    append_notice(&session->early_notices, &session->last_early_notice,
                  make_notice(session, frame));
    MemoryContextSwitchTo(old);
}

static void take_ready(Session *session, const Frame *frame) {
    ReadyFrame ready;
    memcpy(&ready, frame->payload, sizeof ready);
    if (!session->started) log_life(session, "is ready");
    session->started = true;
    session->transaction = ready.transaction;
    release_snapshot(session);
    while (session->current != nullptr && session->current->id <= ready.command) {
        OwnCommand *own = session->current;
        own->state = own->failed ? CommandState::kFailed : CommandState::kComplete;
        own->begun = ready.begun;
        own->ended = ready.ended;
        current_is_done(session);
    }
    OwnCommand *next = session->current;
    // What the worker has reported while it was idle is no error of a command it has not begun.
    if (next != nullptr) forget_error(session, next);
    if (next != nullptr && next->cancelled && !is_cancelled(session->header, next->id))
        cancel_command(session, next->id);
}

// Between two uses of a session: what comes belongs to the last one, until the worker has begun the
// next. The cause of its death is in the segment, too.
static void take_late_frame(Session *session, const Frame *frame) {
    if (frame->type == FrameType::kRest) session->resting = true;
    if (frame->type == FrameType::kRenew) session->waking = false;
}

void take_contents(Session *session, OwnCommand *own, const Frame *frame) {
    MemoryContext old = MemoryContextSwitchTo(own->context);
    switch (frame->type) {
    case FrameType::kColumns: take_columns(session, own, frame); break;
    case FrameType::kRows: take_rows(own, frame); break;
    case FrameType::kTag: take_tag(session, own, frame); break;
    case FrameType::kNotice:
        append_notice(&own->notices, &own->last_notice, make_notice(session, frame));
        break;
    default:
        own->error = read_error(session, frame);
        own->error->elevel = ERROR;
        break;
    }
    MemoryContextSwitchTo(old);
}

static void count_rows(const Frame *frame) {
    uint64 nrows;
    memcpy(&nrows, frame->payload, sizeof nrows);
    count(Counter::kRows, nrows);
}

static void take_frame(Session *session, const Frame *frame) {
    if (session->pooled || session->waking) {
        take_late_frame(session, frame);
        return;
    }
    OwnCommand *own = session->current;
    switch (frame->type) {
    case FrameType::kReady:
        take_ready(session, frame); // frees the command's memory when nobody wants it
        return;
    case FrameType::kError: take_error(session, own, frame); return;
    case FrameType::kNotification: take_notification(session, frame); return;
    case FrameType::kNotice:
        if (own == nullptr) take_early_notice(session, frame);
        break;
    case FrameType::kRows: count_rows(frame); break;
    case FrameType::kColumns:
    case FrameType::kTag: break;
    default: elog(ERROR, "unknown message of a background session");
    }
    if (own != nullptr) keep_frame(session, own, frame);
}

void take_message(Session *session, const char *message, Size length) {
    (void)known_pid(session);
    count(Counter::kBytes, length);
    FrameCursor cursor = {message, message + length};
    Frame frame;
    while (next_frame(&cursor, &frame)) take_frame(session, &frame);
}

} // namespace pllua_bg::session
