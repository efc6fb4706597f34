// Result rows as MinimalTuples: the receiver of statements, and the rows of COPY TO STDOUT.
// Owns nothing that outlives a statement.
#include "pg/compat_rows.h"
#include "pg/open_type.h"
#include "pg/settings.h"
#include "session/worker/worker.h"

extern "C" {
#include "access/detoast.h"
#include "access/tupdesc_details.h"
#include "catalog/pg_collation.h"
#include "mb/pg_wchar.h"
}

namespace pllua_bg::session {

namespace {

struct RowReceiver {
    DestReceiver base;
    TupleDesc source; // what the executor delivers
    TupleDesc sent;   // what is sent
    bool *as_text;
    bool *changed;     // of the columns as text, those whose type this transaction has changed
    bool plain;        // no column as text, none that can be toasted
    FmgrInfo *outputs; // of the columns as text
    Datum *values;
    MemoryContext scratch; // reset after each row
};

// The names of the server's own types never change.
const char *type_name(Oid type, int32 typmod) {
    struct Known {
        Oid type;
        int32 typmod;
        char name[32];
    };
    static Known cache[64];
    constexpr uint16 kFlags = FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_ALLOW_INVALID;
    if (type >= FirstGenbkiObjectId) return format_type_extended(type, typmod, kFlags);
    Known *known = &cache[(type + static_cast<uint32>(typmod) * 7) % lengthof(cache)];
    if (known->type == type && known->typmod == typmod) return known->name;
    char *name = format_type_extended(type, typmod, kFlags);
    if (strlen(name) >= sizeof known->name) return name;
    known->type = type;
    known->typmod = typmod;
    strlcpy(known->name, name, sizeof known->name);
    return known->name;
}

// In another database than the launcher's: the value says nothing there but as text.
bool is_unknown_there(Oid type) {
    return worker.header->elsewhere && !pg::is_known_everywhere(type);
}

void announce_by_name(ColumnMessage *message, const char *name) {
    message->typmod = -1;
    message->type = InvalidOid;
    message->type_name = name;
}

// A type of which the launcher knows the name at most.
void announce_unknown(ColumnMessage *message, Oid type) {
    constexpr uint16 kFlags = FORMAT_TYPE_FORCE_QUALIFY | FORMAT_TYPE_ALLOW_INVALID;
    if (type >= FirstNormalObjectId)
        return announce_by_name(message, format_type_extended(type, -1, kFlags));
    message->typmod = -1;
    message->type = TEXTOID;
}

} // namespace

void send_columns(TupleDesc source, TupleDesc sent, const bool *as_text, const bool *changed,
                  const char *const *names) {
    StringInfoData columns;
    initStringInfo(&columns);
    begin_columns(&columns, source->natts);
    for (int i = 0; i < source->natts; i++) {
        Form_pg_attribute column = TupleDescAttr(source, i);
        Form_pg_attribute form = TupleDescAttr(sent, i);
        ColumnMessage message = {};
        message.type = column->atttypid;
        message.typmod = column->atttypmod;
        message.collation = column->attcollation;
        message.sent_type = form->atttypid;
        message.sent_length = form->attlen;
        message.sent_by_value = form->attbyval;
        message.sent_alignment = form->attalign;
        message.sent_storage = form->attstorage;
        message.as_text = as_text[i];
        message.changed = changed[i];
        message.name = NameStr(column->attname);
        message.type_name = type_name(column->atttypid, column->atttypmod);
        if (names != nullptr && names[i] != nullptr)
            announce_by_name(&message, names[i]);
        else if (is_unknown_there(column->atttypid))
            announce_unknown(&message, column->atttypid);
        if (worker.header->elsewhere && message.collation >= FirstNormalObjectId)
            message.collation = DEFAULT_COLLATION_OID;
        append_column(&columns, message);
    }
    write_columns(&worker.channel, &columns);
    pfree(columns.data);
}

namespace {

// The launcher takes a result when it is complete, and what it has not taken is kept here or there.
void count_bytes(Size length) {
    worker.result_size += length;
    if (pg::setting_max_result_size == 0 || worker.channel.wait) return;
    if (worker.result_size <= static_cast<Size>(pg::setting_max_result_size) * 1024) return;
    ereport(ERROR,
            (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
             errmsg("result of a background session is too large"),
             errdetail("A result may have %d kB of rows (pllua_bg.max_result_size).",
                       pg::setting_max_result_size),
             errhint("Rows that are read while they come, with session:rows, are not limited.")));
}

// Writes a tuple straight into the batch; what heap_form_minimal_tuple makes, without the copy.
void put_tuple(TupleDesc descriptor, Datum *values, bool *nulls) {
    bool has_nulls = false;
    for (int i = 0; i < descriptor->natts; i++) has_nulls = has_nulls || nulls[i];
    Size header = SizeofMinimalTupleHeader;
    if (has_nulls) header += BITMAPLEN(descriptor->natts);
    header = MAXALIGN(header);
    Size data = heap_compute_data_size(descriptor, values, nulls);
    Size length = header + data;
    count_bytes(length);
    char *room = begin_row(&worker.channel, length);
    memset(room, 0, MAXALIGN(length));
    auto *tuple = reinterpret_cast<MinimalTuple>(room);
    tuple->t_len = static_cast<uint32>(length);
    HeapTupleHeaderSetNatts(tuple, descriptor->natts);
    tuple->t_hoff = static_cast<uint8>(header + MINIMAL_TUPLE_OFFSET);
    heap_fill_tuple(descriptor, values, nulls, room + header, data, &tuple->t_infomask,
                    has_nulls ? tuple->t_bits : nullptr);
}

void after_row() {
    if (worker.channel.wait) flush_if_late(&worker.channel);
    if (has_flag(worker.header, kEdge)) yield_busy_lock();
}

Datum as_sent(RowReceiver *receiver, int column, Datum value) {
    if (receiver->as_text[column])
        return PointerGetDatum(
            cstring_to_text(OutputFunctionCall(&receiver->outputs[column], value)));
    if (TupleDescAttr(receiver->sent, column)->attlen != -1) return value;
    auto *varlena = reinterpret_cast<struct varlena *>(DatumGetPointer(value));
    // The toast table may be gone by the time the launcher reads the row.
    return VARATT_IS_EXTERNAL(varlena) ? PointerGetDatum(detoast_external_attr(varlena)) : value;
}

bool receive_row(TupleTableSlot *slot, DestReceiver *self) {
    auto *receiver = reinterpret_cast<RowReceiver *>(self);
    slot_getallattrs(slot);
    if (receiver->plain) {
        put_tuple(receiver->sent, slot->tts_values, slot->tts_isnull);
    } else {
        MemoryContext old = MemoryContextSwitchTo(receiver->scratch);
        for (int i = 0; i < receiver->sent->natts; i++)
            if (!slot->tts_isnull[i])
                receiver->values[i] = as_sent(receiver, i, slot->tts_values[i]);
            else
                receiver->values[i] = 0;
        put_tuple(receiver->sent, receiver->values, slot->tts_isnull);
        MemoryContextSwitchTo(old);
        MemoryContextReset(receiver->scratch);
    }
    after_row();
    return true;
}

// The caller calls finish_descriptor.
void send_as_text(RowReceiver *receiver, int column, Oid type) {
    Oid output;
    bool is_varlena;
    getTypeOutputInfo(type, &output, &is_varlena);
    fmgr_info(output, &receiver->outputs[column]);
    receiver->as_text[column] = true;
    receiver->plain = false;
    TupleDescInitEntry(receiver->sent, static_cast<AttrNumber>(column + 1),
                       NameStr(TupleDescAttr(receiver->sent, column)->attname), TEXTOID, -1, 0);
}

// As a client is told: columns of domains have the types these are over.
TupleDesc without_domains(TupleDesc descriptor) {
    TupleDesc plain = CreateTupleDescCopy(descriptor);
    for (int i = 0; i < plain->natts; i++) {
        const FormData_pg_attribute column = *TupleDescAttr(descriptor, i);
        int32 typmod = column.atttypmod;
        const Oid base = getBaseTypeAndTypmod(column.atttypid, &typmod);
        if (base == column.atttypid) continue;
        const auto number = static_cast<AttrNumber>(i + 1);
        TupleDescInitEntry(plain, number, NameStr(column.attname), base, typmod, 0);
        TupleDescInitEntryCollation(plain, number, column.attcollation);
    }
    pg::finish_descriptor(plain);
    return plain;
}

void start_rows(DestReceiver *self, int, TupleDesc descriptor) {
    auto *receiver = reinterpret_cast<RowReceiver *>(self);
    int natts = descriptor->natts;
    // Called inside the executor: what lives as long as the receiver goes where the receiver is.
    MemoryContext old = MemoryContextSwitchTo(GetMemoryChunkContext(receiver));
    if (worker.header->elsewhere) descriptor = without_domains(descriptor);
    receiver->source = descriptor;
    receiver->sent = CreateTupleDescCopy(descriptor);
    receiver->as_text = static_cast<bool *>(palloc0(natts + 1));
    receiver->changed = static_cast<bool *>(palloc0(natts + 1));
    receiver->outputs = static_cast<FmgrInfo *>(palloc0(sizeof(FmgrInfo) * natts + 1));
    receiver->values = static_cast<Datum *>(palloc(sizeof(Datum) * natts + 1));
    receiver->plain = true;
    for (int i = 0; i < natts; i++) {
        Form_pg_attribute column = TupleDescAttr(descriptor, i);
        const pg::OpenType open = pg::open_type(column->atttypid);
        receiver->changed[i] = open.changed;
        if (open.as_text || pg::names_cursors(column->atttypid) ||
            is_unknown_there(column->atttypid))
            send_as_text(receiver, i, column->atttypid);
        else if (column->attlen == -1)
            receiver->plain = false;
    }
    pg::finish_descriptor(receiver->sent);
    send_columns(descriptor, receiver->sent, receiver->as_text, receiver->changed);
    if (!receiver->plain && receiver->scratch == nullptr)
        receiver->scratch =
            AllocSetContextCreate(CurrentMemoryContext, "pllua_bg row", ALLOCSET_DEFAULT_SIZES);
    MemoryContextSwitchTo(old);
}

void end_rows(DestReceiver *) {}

TupleDesc copy_descriptor; // of the rows of a COPY TO STDOUT

} // namespace

void send_row(TupleDesc descriptor, Datum *values, bool *nulls) {
    put_tuple(descriptor, values, nulls);
    after_row();
}

void send_now() { flush(&worker.channel); }

void send_early() {
    if (worker.channel.wait) send_now();
}

DestReceiver *make_row_receiver() {
    auto *receiver = static_cast<RowReceiver *>(palloc0(sizeof(RowReceiver)));
    receiver->base.receiveSlot = receive_row;
    receiver->base.rStartup = start_rows;
    receiver->base.rShutdown = end_rows;
    receiver->base.rDestroy = end_rows;
    receiver->base.mydest = DestRemote;
    return &receiver->base;
}

void begin_copy_rows(bool binary) {
    MemoryContext old = MemoryContextSwitchTo(MessageContext);
    copy_descriptor = CreateTemplateTupleDesc(1);
    TupleDescInitEntry(copy_descriptor, 1, "copy", binary ? BYTEAOID : TEXTOID, -1, 0);
    pg::finish_descriptor(copy_descriptor);
    bool no = false;
    send_columns(copy_descriptor, copy_descriptor, &no, &no);
    MemoryContextSwitchTo(old);
}

void put_copy_row(const char *data, Size length) {
    if (TupleDescAttr(copy_descriptor, 0)->atttypid == TEXTOID) {
        if (length > 0 && data[length - 1] == '\n') length--;
        pg_verifymbstr(data, static_cast<int>(length), false);
    }
    Datum value = PointerGetDatum(cstring_to_text_with_len(data, static_cast<int>(length)));
    bool isnull = false;
    put_tuple(copy_descriptor, &value, &isnull);
    pfree(DatumGetPointer(value));
}

} // namespace pllua_bg::session
