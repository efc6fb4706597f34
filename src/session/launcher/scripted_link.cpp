// Test builds: a session whose link does what a script says, without any worker. Commands, results,
// waits and errors know nothing of it, which is what it is there to show.
// Owns nothing beyond its links.
#ifdef PLLUA_BG_FAULTS

#include <new>

#include "pg/compat.h"
#include "pg/compat_rows.h"
#include "pg/guard.h"
#include "session/launcher/launcher.h"

extern "C" {
#include "parser/parse_type.h"
#include "port/pg_bswap.h"
#include "utils/array.h"
}

PLLUA_BG_SQL_FUNCTION(pllua_bg_scripted_session)

namespace pllua_bg::session {

namespace {

struct ScriptedLink final : Link {
    Channel channel; // without queues: what is written to it stays in its batch until it is read
    FrameCursor batch;
    char **steps; // of the script; see perform()
    int nsteps;
    int done; // steps done
    int process;
    CommandId sent;      // newest command taken
    CommandId now;       // the command that the script has come to
    CommandId cancelled; // newest one to be cancelled
    bool terminated;
    TupleDesc columns; // of the rows that follow
    const char *cause; // of its end

    void send(const CommandMessage &command) override { sent = command.id; }
    void forget_statement(uint32) override {}
    Size flush() override { return 0; }
    Received receive(Size *length) override;
    bool next(Message *message) override;
    int pid() override { return process; }
    CommandId current() override { return now; }
    bool cancel(CommandId id) override;
    void remind_of_cancel(CommandId) override {}
    void terminate() override { terminated = true; }
    void let_go(bool busy) override { elog(NOTICE, "let go%s", busy ? " with work to do" : ""); }
    void close() override { elog(NOTICE, "closed"); }
    Loss loss() override { return {cause, false}; }
    Size drop() override { return 0; }
    void release() override {}
};

// The step up to the first space, when that is the word; what follows it goes to *rest.
bool is_step(const char *step, const char *word, const char **rest) {
    const Size length = strlen(word);
    if (strncmp(step, word, length) != 0 || (step[length] != ' ' && step[length] != '\0'))
        return false;
    *rest = step[length] == ' ' ? step + length + 1 : "";
    return true;
}

// 'name type name type ...'
void tell_columns(ScriptedLink *link, const char *text) {
    char *rest = pstrdup(text);
    List *words = NIL;
    for (char *word = strtok(rest, " "); word != nullptr; word = strtok(nullptr, " "))
        words = lappend(words, word);
    const int n = list_length(words) / 2;
    MemoryContext old = MemoryContextSwitchTo(link->channel.context);
    link->columns = CreateTemplateTupleDesc(n);
    MemoryContextSwitchTo(old);
    StringInfoData columns;
    initStringInfo(&columns);
    begin_columns(&columns, n);
    for (int i = 0; i < n; i++) {
        const char *name = static_cast<char *>(list_nth(words, i * 2));
        const char *type_name = static_cast<char *>(list_nth(words, i * 2 + 1));
        Oid type = DatumGetObjectId(DirectFunctionCall1(regtypein, CStringGetDatum(type_name)));
        TupleDescInitEntry(link->columns, static_cast<AttrNumber>(i + 1), name, type, -1, 0);
        Form_pg_attribute form = TupleDescAttr(link->columns, i);
        ColumnMessage column = {};
        column.type = column.sent_type = type;
        column.typmod = -1;
        column.collation = form->attcollation;
        column.sent_length = form->attlen;
        column.sent_by_value = form->attbyval;
        column.sent_alignment = form->attalign;
        column.sent_storage = form->attstorage;
        column.name = name;
        column.type_name = type_name;
        append_column(&columns, column);
    }
    pg::finish_descriptor(link->columns);
    write_columns(&link->channel, &columns);
}

// 'value value ...'
void tell_row(ScriptedLink *link, const char *text) {
    char *rest = pstrdup(text);
    const int n = link->columns->natts;
    auto *values = static_cast<Datum *>(palloc(sizeof(Datum) * n));
    auto *nulls = static_cast<bool *>(palloc0(sizeof(bool) * n));
    for (int i = 0; i < n; i++) {
        char *word = strtok(i == 0 ? rest : nullptr, " ");
        Oid input, parameter;
        getTypeInputInfo(TupleDescAttr(link->columns, i)->atttypid, &input, &parameter);
        nulls[i] = word == nullptr;
        values[i] = nulls[i] ? 0 : OidInputFunctionCall(input, word, parameter, -1);
    }
    MinimalTuple tuple = pg::form_minimal_tuple(link->columns, values, nulls);
    memcpy(begin_row(&link->channel, tuple->t_len), tuple, tuple->t_len);
}

// 'severity sqlstate message'
void tell_report(ScriptedLink *link, MessageType type, const char *severity, const char *text) {
    StringInfoData fields;
    initStringInfo(&fields);
    const char separator = '\0';
    appendStringInfo(&fields, "S%s%cV%s%cC%.5s%cM%s%c", severity, separator, severity, separator,
                     text, separator, text + 6, separator);
    appendStringInfoChar(&fields, '\0');
    write_report(&link->channel, type, {fields.data, static_cast<Size>(fields.len)});
}

// 'channel payload'
void tell_notification(ScriptedLink *link, const char *text) {
    const uint32 sender = pg_hton32(static_cast<uint32>(link->process));
    StringInfoData response;
    initStringInfo(&response);
    appendBinaryStringInfo(&response, reinterpret_cast<const char *>(&sender), sizeof sender);
    appendBinaryStringInfo(&response, text, static_cast<int>(strlen(text)) + 1);
    *strchr(response.data + sizeof sender, ' ') = '\0';
    write_notification(&link->channel, response.data, static_cast<Size>(response.len));
}

// Does a step; kNothing while it has to wait.
Received perform(ScriptedLink *link, const char *step) {
    const char *rest;
    if (is_step(step, "command", &rest)) { // waits for the next command
        if (link->sent <= link->now) return Received::kNothing;
        link->now++;
    } else if (is_step(step, "cancel", &rest)) { // waits until the command is cancelled
        if (link->cancelled < link->now) return Received::kNothing;
    } else if (is_step(step, "ready", &rest)) { // the command is done; in which state it leaves us
        const TimestampTz now = GetCurrentTimestamp();
        write_fixed(&link->channel, ReadyMessage{link->now, rest[0], now, now});
    } else if (is_step(step, "columns", &rest)) {
        tell_columns(link, rest);
    } else if (is_step(step, "row", &rest)) {
        tell_row(link, rest);
    } else if (is_step(step, "tag", &rest)) {
        write_tag(&link->channel, {0, rest});
    } else if (is_step(step, "error", &rest)) {
        tell_report(link, MessageType::kError, "ERROR", rest);
    } else if (is_step(step, "fatal", &rest)) {
        tell_report(link, MessageType::kError, "FATAL", rest);
    } else if (is_step(step, "notice", &rest)) {
        tell_report(link, MessageType::kNotice, "NOTICE", rest);
    } else if (is_step(step, "notification", &rest)) {
        tell_notification(link, rest);
    } else if (is_step(step, "lost", &rest)) { // the link ends; why, if that is known
        link->cause = rest[0] == '\0' ? nullptr : rest;
        return Received::kGone;
    } else {
        elog(ERROR, "no such step: %s", step);
    }
    return Received::kBatch;
}

Received ScriptedLink::receive(Size *length) {
    if (terminated) return Received::kGone;
    if (done == nsteps) return Received::kNothing;
    channel.batch_length = channel.open_frame = 0;
    const Received received = perform(this, steps[done]);
    if (received == Received::kNothing) return received;
    done++;
    *length = channel.batch_length;
    batch = {channel.batch, channel.batch + channel.batch_length};
    return received;
}

bool ScriptedLink::next(Message *message) {
    Frame frame;
    if (!next_frame(&batch, &frame)) return false;
    *message = read_message(frame);
    return true;
}

bool ScriptedLink::cancel(CommandId id) {
    if (id < now) return false;
    cancelled = id;
    return true;
}

ScriptedLink *make_link(MemoryContext context, ArrayType *script) {
    auto *link = new (MemoryContextAllocZero(context, sizeof(ScriptedLink))) ScriptedLink();
    static int last_process = 2000000000; // no process has such a number
    link->process = ++last_process;
    MemoryContext old = MemoryContextSwitchTo(context);
    channel_init(&link->channel, context, nullptr, nullptr);
    Datum *steps;
    bool *nulls;
    deconstruct_array(script, TEXTOID, -1, false, TYPALIGN_INT, &steps, &nulls, &link->nsteps);
    link->steps = static_cast<char **>(palloc(sizeof(char *) * link->nsteps + 1));
    for (int i = 0; i < link->nsteps; i++) link->steps[i] = TextDatumGetCString(steps[i]);
    MemoryContextSwitchTo(old);
    return link;
}

int start_scripted(ArrayType *script) {
    check_may_launch();
    initialize_at_first_use();
    Session *session = make_session();
    ScriptedLink *link = make_link(session->context, script);
    session->link = link;
    begin_use(session, {});
    enter(session);
    return link->process;
}

} // namespace

} // namespace pllua_bg::session

// scripted_session(text[]) -> the number by which the session is known as by a pid
Datum pllua_bg_scripted_session(PG_FUNCTION_ARGS) {
    PG_RETURN_INT32(pllua_bg::session::start_scripted(PG_GETARG_ARRAYTYPE_P(0)));
}

#endif
