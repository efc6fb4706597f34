// What a worker tells its launcher. See message.h. Owns nothing.
#include "session/shared/message.h"

#include "pg/encoding.h"

extern "C" {
#include "libpq/pqformat.h"
#include "libpq/pqmq.h"
#include "port/pg_bswap.h"
}

namespace pllua_bg::session {

void write_empty(Channel *channel, MessageType type) { put_frame(channel, type, nullptr, 0); }

namespace {

// Of a column; its name and that of its type follow, with their ends, and then its definitions.
struct ColumnHeader {
    Oid type;
    int32 typmod;
    Oid collation;
    Oid sent_type;
    int16 sent_length;
    bool sent_by_value;
    char sent_alignment;
    char sent_storage;
    bool as_text;
    bool changed;
    int16 name_size;
    int16 type_name_size;
    int32 definitions_length;
};
static_assert(sizeof(ColumnHeader) == 32);

} // namespace

void begin_columns(StringInfo columns, int32 ncolumns) {
    appendBinaryStringInfo(columns, reinterpret_cast<const char *>(&ncolumns), sizeof ncolumns);
}

void append_column(StringInfo columns, const ColumnMessage &column) {
    ColumnHeader header = {};
    header.type = column.type;
    header.typmod = column.typmod;
    header.collation = column.collation;
    header.sent_type = column.sent_type;
    header.sent_length = column.sent_length;
    header.sent_by_value = column.sent_by_value;
    header.sent_alignment = column.sent_alignment;
    header.sent_storage = column.sent_storage;
    header.as_text = column.as_text;
    header.changed = column.changed;
    header.name_size = static_cast<int16>(strlen(column.name) + 1);
    header.type_name_size = static_cast<int16>(strlen(column.type_name) + 1);
    const int start = columns->len;
    appendBinaryStringInfo(columns, reinterpret_cast<char *>(&header), sizeof header);
    appendBinaryStringInfo(columns, column.name, header.name_size);
    appendBinaryStringInfo(columns, column.type_name, header.type_name_size);
    const int before = columns->len;
    write_definitions(columns, column.type);
    if (columns->len == before) return;
    header.definitions_length = columns->len - before;
    memcpy(columns->data + start, &header, sizeof header);
}

void write_columns(Channel *channel, StringInfo columns) {
    put_frame(channel, MessageType::kColumns, columns->data, columns->len);
}

namespace {

ColumnsMessage read_columns(const Frame &frame) {
    ColumnsMessage columns;
    memcpy(&columns.ncolumns, frame.payload, sizeof columns.ncolumns);
    columns.columns = frame.payload + sizeof columns.ncolumns;
    return columns;
}

} // namespace

ColumnMessage read_column(ColumnsMessage *left) {
    ColumnHeader header;
    memcpy(&header, left->columns, sizeof header);
    ColumnMessage column;
    column.type = header.type;
    column.typmod = header.typmod;
    column.collation = header.collation;
    column.sent_type = header.sent_type;
    column.sent_length = header.sent_length;
    column.sent_by_value = header.sent_by_value;
    column.sent_alignment = header.sent_alignment;
    column.sent_storage = header.sent_storage;
    column.as_text = header.as_text;
    column.changed = header.changed;
    column.name = left->columns + sizeof header;
    column.type_name = column.name + header.name_size;
    column.definitions = column.type_name + header.type_name_size;
    column.definitions_length = header.definitions_length;
    left->columns = column.definitions + header.definitions_length;
    left->ncolumns--;
    return column;
}

char *begin_row(Channel *channel, Size length) {
    uint64 nrows = 1;
    char *payload;
    if (char *room = extend_frame(channel, MessageType::kRows, MAXALIGN(length), &payload)) {
        (*reinterpret_cast<uint64 *>(payload))++;
        return room;
    }
    payload = begin_frame(channel, MessageType::kRows, sizeof nrows + MAXALIGN(length));
    memcpy(payload, &nrows, sizeof nrows);
    return payload + sizeof nrows;
}

RowsMessage read_rows(const char *payload, Size length) {
    RowsMessage rows;
    memcpy(&rows.nrows, payload, sizeof rows.nrows);
    rows.tuples = payload + sizeof rows.nrows;
    rows.length = length - sizeof rows.nrows;
    return rows;
}

void write_tag(Channel *channel, const TagMessage &tag) {
    Size size = strlen(tag.tag) + 1;
    char *at = begin_frame(channel, MessageType::kTag, sizeof tag.processed + size);
    memcpy(at, &tag.processed, sizeof tag.processed);
    memcpy(at + sizeof tag.processed, tag.tag, size);
}

namespace {

TagMessage read_tag(const Frame &frame) {
    TagMessage tag;
    memcpy(&tag.processed, frame.payload, sizeof tag.processed);
    tag.tag = frame.payload + sizeof tag.processed;
    return tag;
}

} // namespace

void write_report(Channel *channel, MessageType type, const ReportMessage &report) {
    put_frame(channel, type, report.fields, report.length);
}

namespace {

// Messages can name what all databases share, whatever encoding it has, and those of a worker's
// start come before it has the encoding of its database.
void make_valid(ErrorData *error) {
    char **const texts[] = {&error->message,      &error->detail,        &error->hint,
                            &error->context,      &error->schema_name,   &error->table_name,
                            &error->column_name,  &error->datatype_name, &error->constraint_name,
                            &error->internalquery};
    for (char **text : texts)
        if (*text != nullptr) *text = const_cast<char *>(pg::valid_text(*text));
}

} // namespace

ErrorData *read_report(const ReportMessage &report) {
    StringInfoData fields;
    fields.data = const_cast<char *>(report.fields);
    fields.len = fields.maxlen = static_cast<int>(report.length);
    fields.cursor = 0;
    auto *error = static_cast<ErrorData *>(palloc(sizeof(ErrorData)));
    pq_parse_errornotice(&fields, error);
    make_valid(error);
    return error;
}

const char *fatal_message(const ReportMessage &report) {
    const char *severity = nullptr;
    const char *message = nullptr;
    for (const char *at = report.fields; at < report.fields + report.length && *at != '\0';
         at += strlen(at) + 1) {
        if (*at == PG_DIAG_SEVERITY_NONLOCALIZED) severity = at + 1;
        if (*at == PG_DIAG_MESSAGE_PRIMARY) message = at + 1;
    }
    if (severity == nullptr || message == nullptr) return nullptr;
    return strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0 ? message : nullptr;
}

void write_notification(Channel *channel, const char *response, Size length) {
    put_frame(channel, MessageType::kNotification, response, length);
}

namespace {

NotificationMessage read_notification(const Frame &frame) {
    NotificationMessage notification;
    uint32 pid;
    memcpy(&pid, frame.payload, sizeof pid);
    notification.pid = static_cast<int32>(pg_ntoh32(pid));
    notification.channel = frame.payload + sizeof pid;
    notification.payload = notification.channel + strlen(notification.channel) + 1;
    notification.length = frame.length - sizeof pid;
    return notification;
}

} // namespace

void warn_of_lost_notifications(int pid) {
    ereport(WARNING,
            (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
             errmsg("notifications of a background session are dropped"),
             errdetail("Too many of the session with PID %d are waiting to be taken.", pid),
             errhint("Take them more often, or increase pllua_bg.max_notifications or "
                     "pllua_bg.memory_limit."),
             errhidestmt(true), errhidecontext(true)));
}

Message read_message(const Frame &frame) {
    Message message;
    message.type = frame.type;
    message.payload = frame.payload;
    message.length = frame.length;
    switch (frame.type) {
    case MessageType::kReady: message.ready = read_fixed<ReadyMessage>(frame); break;
    case MessageType::kColumns: message.columns = read_columns(frame); break;
    case MessageType::kRows: message.rows = read_rows(frame.payload, frame.length); break;
    case MessageType::kTag: message.tag = read_tag(frame); break;
    case MessageType::kError:
    case MessageType::kNotice: message.report = {frame.payload, frame.length}; break;
    case MessageType::kNotification: message.notification = read_notification(frame); break;
    case MessageType::kResetDone:
    case MessageType::kReuseBegun: break;
    default: elog(ERROR, "unknown message of a background session");
    }
    return message;
}

} // namespace pllua_bg::session
