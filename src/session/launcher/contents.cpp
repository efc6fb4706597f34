// What has come of a command: statements with their columns and rows, notices, an error, made of
// the messages of its link. Owns nothing: everything made here belongs to the command.
#include "session/launcher/launcher.h"

#include "pg/compat_rows.h"
#include "pg/fault.h"

extern "C" {
#include "access/xact.h"
#include "catalog/pg_collation.h"
#include "utils/inval.h"
}

namespace pllua_bg::session {

namespace {

// A tuple descriptor made of what the worker says, without asking the catalogs:
// the type may be unknown here. The caller calls finish_descriptor.
TupleDesc make_descriptor(int ncolumns) {
    TupleDesc descriptor = CreateTemplateTupleDesc(ncolumns);
    descriptor->tdtypeid = RECORDOID;
    descriptor->tdtypmod = -1;
    return descriptor;
}

// The caller calls complete_attribute and finish_descriptor.
void take_column(const ColumnMessage &message, Column *column, Form_pg_attribute attribute) {
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

StatementResult *make_statement(const Session *session, OwnCommand *own) {
    auto *statement = static_cast<StatementResult *>(palloc0(sizeof(StatementResult)));
    statement->user = session->user;
    statement->streaming = own->streaming ? own : nullptr;
    return statement;
}

// What is seen of a result is whole: it joins the others when all of it is there.
void take_columns(const Session *session, OwnCommand *own, ColumnsMessage message) {
    StatementResult *statement = make_statement(session, own);
    const int ncolumns = message.ncolumns;
    statement->ncolumns = ncolumns;
    statement->columns = static_cast<Column *>(palloc0(sizeof(Column) * ncolumns + 1));
    pg::fault("take-columns");
    statement->descriptor = make_descriptor(ncolumns);
    for (int i = 0; i < ncolumns; i++) {
        Form_pg_attribute attribute = TupleDescAttr(statement->descriptor, i);
        take_column(read_column(&message), &statement->columns[i], attribute);
        attribute->attnum = static_cast<int16>(i + 1);
        pg::complete_attribute(statement->descriptor, i);
    }
    pg::finish_descriptor(statement->descriptor);
    statement->rows = spill_create(own->context);
    statement->has_rows = true;
    statement->tag = "";
    // The types may have been created a moment ago, in the worker's transaction.
    if (IsTransactionState()) AcceptInvalidationMessages();
    own->statements.append(statement);
    own->open = statement; // a rule can make one statement return two sets of rows
}

void take_rows(OwnCommand *own, const Message &message) {
    if (own->open == nullptr) elog(ERROR, "rows without a description");
    spill_append(own->open->rows, message.payload, message.length);
    own->open->nrows += message.rows.nrows;
    if (own->streaming) own->unread += message.length;
}

void take_tag(const Session *session, OwnCommand *own, const TagMessage &message) {
    const char *tag = pstrdup(message.tag);
    StatementResult *statement = own->open;
    if (statement == nullptr) {
        statement = make_statement(session, own);
        own->statements.append(statement);
    }
    statement->tag = tag;
    own->open = nullptr;
}

void add_context(ErrorData *error, char *line) {
    error->context = error->context == nullptr ? line : psprintf("%s\n%s", error->context, line);
}

// A deadlock with the transaction that waits here has a way out, which the server cannot know.
void explain_deadlock(ErrorData *error) {
    if (error->sqlerrcode != ERRCODE_T_R_DEADLOCK_DETECTED || error->detail == nullptr) return;
    if (strstr(error->detail, psprintf(" %d", MyProcPid)) == nullptr) return;
    error->hint = pstrdup(
        _("The session waited for a lock of the transaction that waits for the session. Commit "
          "before the wait, with spi.commit() where that is possible, or let the session not touch "
          "what this transaction has locked."));
}

void add_session(const Session *session, ErrorData *error) {
    add_context(error, psprintf(_("background session, pid %d"), session->pid));
}

// As the server tells of a local statement: where a position shows the text, it is no context.
void add_statement(const Session *session, const OwnCommand *own, ErrorData *error) {
    if (error->cursorpos == 0 && own->sql[0] != '\0')
        add_context(error, psprintf(_("SQL statement \"%s\""), own->sql));
    add_session(session, error);
}

ErrorData *make_command_error(const Session *session, const OwnCommand *own,
                              const ReportMessage &report) {
    ErrorData *error = read_report(report);
    add_statement(session, own, error);
    explain_deadlock(error);
    error->elevel = ERROR;
    return error;
}

void name_column(void *argument) {
    const auto *column = static_cast<const Column *>(argument);
    errcontext("column \"%s\" of type %s", NameStr(column->name), column->type_name);
}

// The command was never run, and the session says why it cannot be.
void tell_refusal(const ErrorData *refusal, ErrorData *error) {
    error->sqlerrcode = refusal->sqlerrcode;
    error->message = pstrdup(refusal->message);
    error->detail = refusal->detail == nullptr ? nullptr : pstrdup(refusal->detail);
    error->hint = refusal->hint == nullptr ? nullptr : pstrdup(refusal->hint);
}

} // namespace

Datum read_text(const Column &column, FmgrInfo *input, char *text, Oid io_param, int32 typmod) {
    ErrorContextCallback named = {error_context_stack, name_column, const_cast<Column *>(&column)};
    error_context_stack = &named;
    const Datum value = InputFunctionCall(input, text, io_param, typmod);
    error_context_stack = named.previous;
    return value;
}

ErrorData *make_error(const Session *session, const ReportMessage &report) {
    ErrorData *error = read_report(report);
    add_session(session, error);
    return error;
}

Notice *make_notice(const Session *session, const ReportMessage &report) {
    auto *notice = static_cast<Notice *>(palloc0(sizeof(Notice)));
    notice->data = make_error(session, report);
    return notice;
}

void take_contents(Session *session, OwnCommand *own, const Message &message) {
    MemoryContext old = MemoryContextSwitchTo(own->context);
    switch (message.type) {
    case MessageType::kColumns: take_columns(session, own, message.columns); break;
    case MessageType::kRows: take_rows(own, message); break;
    case MessageType::kTag: take_tag(session, own, message.tag); break;
    case MessageType::kNotice: own->notices.append(make_notice(session, message.report)); break;
    default: own->error = make_command_error(session, own, message.report); break;
    }
    MemoryContextSwitchTo(old);
}

void take_death(const Session *session, OwnCommand *own) {
    auto *error = static_cast<ErrorData *>(MemoryContextAllocZero(own->context, sizeof(ErrorData)));
    MemoryContext old = MemoryContextSwitchTo(own->context);
    error->elevel = ERROR;
    error->assoc_context = own->context;
    error->output_to_client = true;
    error->sqlerrcode = ERRCODE_CONNECTION_FAILURE;
    pg::fault("tell-death");
    error->message = pstrdup(has_run(session) ? _("background session was lost")
                                              : _("background session could not be started"));
    error->detail = pstrdup(session->cause_of_death);
    if (session->refused) tell_refusal(session->fatal, error);
    add_statement(session, own, error);
    MemoryContextSwitchTo(old);
    own->error = error;
}

} // namespace pllua_bg::session
