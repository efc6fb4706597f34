// Receiving what a session's link brings, without waiting: dispatch() makes of each message what
// the session, its commands and their statements know. Owns nothing: everything made here belongs
// to the session or to a command.
#include "pg/compat.h"
#include "pg/guard.h"
#include "pg/held.h"
#include "session/launcher/launcher.h"
#include "session/shared/statistics.h"

extern "C" {
#include "catalog/pg_collation.h"
#include "storage/latch.h"
#include "utils/inval.h"
}

namespace pllua_bg::session {

// A streaming command's rows stay with the link while this much is waiting to be read here.
static constexpr Size kStreamingWindow = 256 * 1024;
// Batches taken in one go, so that one busy session does not starve the others.
static constexpr int kBatchesAtOnce = 64;

// A tuple descriptor made of what the worker says, without asking the catalogs: the type may be
// unknown here.
static TupleDesc make_descriptor(int ncolumns) {
    TupleDesc descriptor = CreateTemplateTupleDesc(ncolumns);
    descriptor->tdtypeid = RECORDOID;
    descriptor->tdtypmod = -1;
    return descriptor;
}

static void take_column(const ColumnMessage &message, Column *column, Form_pg_attribute attribute) {
    namestrcpy(&column->name, message.name);
    column->type = message.type;
    column->typmod = message.typmod;
    column->collation = message.collation;
    column->as_text = message.as_text;
    column->changed = message.changed;
    column->type_name = pstrdup(message.type_name);
    char *definitions = static_cast<char *>(palloc(message.definitions_length + 1));
    memcpy(definitions, message.definitions, message.definitions_length);
    column->definitions = definitions;
    column->definitions_length = message.definitions_length;
    memset(attribute, 0, sizeof *attribute);
    attribute->attname = column->name;
    attribute->atttypid = message.sent_type;
    attribute->attlen = message.sent_length;
    attribute->attbyval = message.sent_by_value;
    attribute->attalign = message.sent_alignment;
    attribute->attstorage = message.sent_storage;
    attribute->atttypmod = column->as_text ? -1 : column->typmod;
    attribute->attcollation = column->as_text ? DEFAULT_COLLATION_OID : column->collation;
}

static StatementResult *open_statement(const Session *session, OwnCommand *own) {
    if (own->open != nullptr) return own->open;
    auto *statement = static_cast<StatementResult *>(
        MemoryContextAllocZero(own->context, sizeof(StatementResult)));
    own->statements.append(statement);
    statement->user = session->user;
    statement->streaming = own->streaming ? own : nullptr;
    own->open = statement;
    return statement;
}

static void take_columns(const Session *session, OwnCommand *own, ColumnsMessage message) {
    // A rule can make one statement return two sets of rows.
    if (own->open != nullptr && own->open->has_rows) own->open = nullptr;
    StatementResult *statement = open_statement(session, own);
    const int ncolumns = message.ncolumns;
    statement->ncolumns = ncolumns;
    statement->columns = static_cast<Column *>(palloc0(sizeof(Column) * ncolumns + 1));
    statement->descriptor = make_descriptor(ncolumns);
    for (int i = 0; i < ncolumns; i++) {
        Form_pg_attribute attribute = TupleDescAttr(statement->descriptor, i);
        take_column(read_column(&message), &statement->columns[i], attribute);
        attribute->attnum = static_cast<int16>(i + 1);
        pg::complete_attribute(statement->descriptor, i);
    }
    statement->rows = spill_create(own->context);
    statement->has_rows = true;
    statement->tag = "";
    // The types may have been created a moment ago, in the worker's transaction.
    if (IsTransactionState()) AcceptInvalidationMessages();
}

static void take_rows(OwnCommand *own, const Message &message) {
    if (own->open == nullptr || !own->open->has_rows) elog(ERROR, "rows without a description");
    own->open->nrows += message.rows.nrows;
    spill_append(own->open->rows, message.payload, message.length);
    if (own->streaming) own->unread += message.length;
}

static void take_tag(const Session *session, OwnCommand *own, const TagMessage &message) {
    StatementResult *statement = open_statement(session, own);
    statement->tag = pstrdup(message.tag);
    own->open = nullptr;
}

static ErrorData *make_error(const Session *session, const ReportMessage &report) {
    ErrorData *error = read_report(report);
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
static void note_error(Session *session, OwnCommand *own, const ReportMessage &report) {
    MemoryContext context =
        AllocSetContextCreate(session->context, "pllua_bg error", ALLOCSET_SMALL_SIZES);
    MemoryContext old = MemoryContextSwitchTo(context);
    ErrorData *error = make_error(session, report);
    MemoryContextSwitchTo(old);
    remember_error(session, error->message);
    if (own != nullptr) {
        count(Counter::kErrors);
        if (error->sqlerrcode == ERRCODE_T_R_DEADLOCK_DETECTED) count(Counter::kDeadlocks);
    }
    if (error->elevel > ERROR)
        session->fatal = error;
    else
        MemoryContextDelete(context);
}

static void take_error(Session *session, OwnCommand *own, const Message &message) {
    // Of a command the first counts.
    if (own != nullptr && own->failure != Failure::kNone) own = nullptr;
    note_error(session, own, message.report);
    if (own == nullptr) return;
    own->failure = Failure::kError;
    keep_message(session, own, message);
}

static Notice *make_notice(const Session *session, const ReportMessage &report) {
    auto *notice = static_cast<Notice *>(palloc0(sizeof(Notice)));
    notice->data = make_error(session, report);
    return notice;
}

// One that comes while no command is pending.
static void take_early_notice(Session *session, const ReportMessage &report) {
    MemoryContext context =
        AllocSetContextCreate(session->context, "pllua_bg notice", ALLOCSET_SMALL_SIZES);
    MemoryContext old = MemoryContextSwitchTo(context);
    session->early_notices.append(make_notice(session, report));
    MemoryContextSwitchTo(old);
}

static void take_ready(Session *session, const ReadyMessage &ready) {
    if (session->life == Life::kStarting) log_life(session, "is ready");
    session->life = Life::kRunning;
    session->transaction = ready.transaction;
    while (session->current != nullptr && session->current->id <= ready.command) {
        OwnCommand *own = session->current;
        own->state =
            own->failure != Failure::kNone ? CommandState::kFailed : CommandState::kComplete;
        own->begun = ready.begun;
        own->ended = ready.ended;
        current_is_done(session);
    }
    OwnCommand *next = session->current;
    // What the worker has reported while it was idle is no error of a command it has not begun.
    if (next != nullptr) forget_error(session, next);
    if (next != nullptr && next->cancelled) session->link->remind_of_cancel(next->id);
}

void take_contents(Session *session, OwnCommand *own, const Message &message) {
    MemoryContext old = MemoryContextSwitchTo(own->context);
    switch (message.type) {
    case MessageType::kColumns: take_columns(session, own, message.columns); break;
    case MessageType::kRows: take_rows(own, message); break;
    case MessageType::kTag: take_tag(session, own, message.tag); break;
    case MessageType::kNotice: own->notices.append(make_notice(session, message.report)); break;
    default:
        own->error = make_error(session, message.report);
        own->error->elevel = ERROR;
        break;
    }
    MemoryContextSwitchTo(old);
}

void dispatch(Session *session, const Message &message) {
    OwnCommand *own = session->current;
    switch (message.type) {
    case MessageType::kReady:
        take_ready(session, message.ready); // frees the command's memory when nobody wants it
        return;
    case MessageType::kError: take_error(session, own, message); return;
    case MessageType::kNotification: take_notification(session, message.notification); return;
    case MessageType::kNotice:
        if (own == nullptr) take_early_notice(session, message.report);
        break;
    case MessageType::kRows: count(Counter::kRows, message.rows.nrows); break;
    case MessageType::kColumns:
    case MessageType::kTag: break;
    default: elog(ERROR, "unknown message of a background session");
    }
    if (own != nullptr) keep_message(session, own, message);
}

bool is_full(const Session *session) {
    return !is_gone(session) && session->current != nullptr && !session->current->discarded &&
           !pg::take_held_room(0);
}

// What comes stays with the link, and then with the worker.
static bool is_throttled(const Session *session) {
    const OwnCommand *own = session->current;
    if (own == nullptr || own->discarded) return false;
    return (own->streaming && own->unread > kStreamingWindow) || !pg::take_held_room(0);
}

// An error interrupted the taking of messages: what follows cannot be trusted.
static void give_up(Session *session) {
    session->last_error = nullptr;
    session->link->close();
    session_is_gone(session,
                    {"A message of the session was lost because of an earlier error.", false});
    session->receiving = false;
}

static void take_batch(Session *session, Size length) {
    session->receiving = true;
    (void)known_pid(session);
    count(Counter::kBytes, length);
    Message message;
    while (session->link->next(&message)) dispatch(session, message);
    session->receiving = false;
}

void receive(Session *session) {
    if (is_gone(session)) return;
    if (session->receiving) {
        give_up(session);
        return;
    }
    flush(session);
    for (int i = 0; i < kBatchesAtOnce; i++) {
        if (is_throttled(session)) return;
        Size length;
        switch (session->link->receive(&length)) {
        case Received::kBatch: take_batch(session, length); break;
        case Received::kGone: session_is_gone(session, session->link->loss()); return;
        case Received::kNothing: return;
        }
    }
    // There may be more, for which nobody will wake us: whoever waits looks again at once.
    SetLatch(MyLatch);
}

} // namespace pllua_bg::session
