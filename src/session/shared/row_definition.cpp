// Row types as the sender of a value has them. See row_definition.h for the contracts.
//
// A value in binary is no more than its bytes: who reads it with another definition reads rubbish,
// or crashes. The sender cannot know when it will be read. So the definition goes with the value,
// and where it is another one here the value is made a record, whose definition is its own.
#include "session/shared/row_definition.h"

#include "pg/compat.h"
#include "pg/compat_rows.h"
#include "pg/open_type.h"

extern "C" {
#include "access/detoast.h"
#include "access/tupdesc_details.h"
#include "storage/lmgr.h"
#include "utils/array.h"
#include "utils/fmgroids.h"
}

namespace pllua_bg::session {

namespace {

// What is sent of a type, and of each of its columns, whose name follows.
struct TypeHeader {
    Oid type;
    Oid relation;
    int32 natts;
    bool in_array;
};
static_assert(sizeof(TypeHeader) == 16);

struct RowColumnHeader {
    Oid type;
    RowPart rows;
    int32 typmod;
    int16 length;
    int16 name_size; // with its end
    bool by_value;
    bool dropped;
    char align;
    char storage;
};
static_assert(sizeof(RowColumnHeader) == 24);

void write_row_types(StringInfo message, Oid type, List **seen);

void write_row_type(StringInfo message, const RowPart &rows, List **seen) {
    const Oid type = rows.type;
    if (list_member_oid(*seen, type)) return;
    *seen = lappend_oid(*seen, type);
    TupleDesc row = lookup_rowtype_tupdesc(type, -1);
    const TypeHeader header = {type, get_typ_typrelid(type), row->natts, rows.in_array};
    appendBinaryStringInfo(message, reinterpret_cast<const char *>(&header), sizeof header);
    for (int i = 0; i < row->natts; i++) {
        const Form_pg_attribute column = TupleDescAttr(row, i);
        RowColumnHeader one = {};
        one.type = column->atttypid;
        if (!column->attisdropped) one.rows = row_part(column->atttypid);
        one.typmod = column->atttypmod;
        one.length = column->attlen;
        one.name_size = static_cast<int16>(strlen(NameStr(column->attname)) + 1);
        one.by_value = column->attbyval;
        one.dropped = column->attisdropped;
        one.align = column->attalign;
        one.storage = column->attstorage;
        appendBinaryStringInfo(message, reinterpret_cast<const char *>(&one), sizeof one);
        appendBinaryStringInfo(message, NameStr(column->attname), one.name_size);
    }
    for (int i = 0; i < row->natts; i++)
        if (!TupleDescAttr(row, i)->attisdropped)
            write_row_types(message, TupleDescAttr(row, i)->atttypid, seen);
    ReleaseTupleDesc(row);
}

// All row types in the type, also those that row_part() does not reach.
void write_row_types(StringInfo message, Oid type, List **seen) {
    check_stack_depth();
    if (type < FirstNormalObjectId) return;
    const RowPart rows = row_part(type);
    if (OidIsValid(rows.type)) return write_row_type(message, rows, seen);
    const Oid part = pg::part_type(type);
    if (OidIsValid(part)) write_row_types(message, part, seen);
}

// The caller calls finish_descriptor.
void read_column(const char **at, RowDefinition *definition, int number) {
    TupleDesc columns = definition->columns;
    RowColumnHeader header;
    memcpy(&header, *at, sizeof header);
    *at += sizeof header;
    definition->parts[number] = header.rows;
    Form_pg_attribute column = TupleDescAttr(columns, number);
    memset(column, 0, ATTRIBUTE_FIXED_PART_SIZE);
    namestrcpy(&column->attname, *at);
    *at += header.name_size;
    column->atttypid = header.type;
    column->atttypmod = header.typmod;
    column->attlen = header.length;
    column->attnum = static_cast<int16>(number + 1);
    column->attbyval = header.by_value;
    column->attisdropped = header.dropped;
    column->attalign = header.align;
    column->attstorage = header.storage;
    pg::complete_attribute(columns, number);
}

bool same_column(const Form_pg_attribute here, const Form_pg_attribute there) {
    if (here->attisdropped != there->attisdropped || here->attlen != there->attlen ||
        here->attalign != there->attalign || here->attbyval != there->attbyval)
        return false;
    return here->attisdropped ||
           (here->atttypid == there->atttypid && here->atttypmod == there->atttypmod &&
            strcmp(NameStr(here->attname), NameStr(there->attname)) == 0);
}

bool same_columns(TupleDesc here, TupleDesc there) {
    if (here->natts != there->natts) return false;
    for (int i = 0; i < here->natts; i++)
        if (!same_column(TupleDescAttr(here, i), TupleDescAttr(there, i))) return false;
    return true;
}

// True when a session of ours holds a lock that keeps us from looking at the relation.
bool is_held_by_session(Oid relation, bool (*is_own_worker)(int pid)) {
    LOCKTAG tag;
    int count;
    SET_LOCKTAG_RELATION(tag, MyDatabaseId, relation);
    const VirtualTransactionId *holders = GetLockConflicts(&tag, AccessShareLock, &count);
    for (int i = 0; i < count; i++) {
        const int pid = pg::pid_of_transaction(holders[i]);
        if (pid != 0 && is_own_worker(pid)) return true;
    }
    return false;
}

bool holds(RowDefinition *definition, bool (*is_own_worker)(int pid)) {
    if (get_typtype(definition->type) != TYPTYPE_COMPOSITE) return false;
    // While the cache has the definition nobody has to be asked.
    const bool known = lookup_type_cache(definition->type, 0)->tupDesc != nullptr;
    if (!known && is_held_by_session(definition->relation, is_own_worker)) return false;
    const TypeCacheEntry *entry = lookup_type_cache(definition->type, TYPECACHE_TUPDESC);
    if (entry->tupDesc == nullptr) return false;
    if (entry->tupDesc_identifier == definition->identifier) return true;
    if (!same_columns(entry->tupDesc, definition->columns)) return false;
    definition->identifier = entry->tupDesc_identifier;
    return true;
}

// The rows in a value become records.
Datum as_records(Datum value, const RowPart &rows, const RowDefinition *definitions);

// Refuses a column whose values cannot be read any more.
void check_column(const Form_pg_attribute column) {
    if (!get_typisdefined(column->atttypid))
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
                        errmsg("type of column \"%s\" does not exist any more",
                               NameStr(column->attname))));
}

Datum row_as_record(Datum value, const RowDefinition *definition,
                    const RowDefinition *definitions) {
    HeapTupleHeader header = DatumGetHeapTupleHeaderCopy(value);
    TupleDesc columns = CreateTupleDescCopy(definition->columns);
    HeapTupleData tuple = {};
    // The server compares the type a row says it has, and its version, with what it is read as.
    (void)BlessTupleDesc(definition->columns);
    ItemPointerSetInvalid(&header->t_ctid);
    HeapTupleHeaderSetTypeId(header, definition->columns->tdtypeid);
    HeapTupleHeaderSetTypMod(header, definition->columns->tdtypmod);
    tuple.t_len = HeapTupleHeaderGetDatumLength(header);
    tuple.t_data = header;
    auto *values = static_cast<Datum *>(palloc(sizeof(Datum) * columns->natts + 1));
    auto *nulls = static_cast<bool *>(palloc(columns->natts + 1));
    heap_deform_tuple(&tuple, definition->columns, values, nulls);
    for (int i = 0; i < columns->natts; i++) {
        const Form_pg_attribute column = TupleDescAttr(columns, i);
        const RowPart &rows = definition->parts[i];
        nulls[i] = nulls[i] || column->attisdropped;
        if (nulls[i]) continue;
        if (OidIsValid(rows.type)) {
            values[i] = as_records(values[i], rows, definitions);
            column->atttypid = rows.in_array ? RECORDARRAYOID : RECORDOID;
            column->atttypmod = -1;
        }
        check_column(column);
    }
    pg::finish_descriptor(columns);
    (void)BlessTupleDesc(columns);
    return heap_copy_tuple_as_datum(heap_form_tuple(columns, values, nulls), columns);
}

Datum array_as_records(Datum value, const RowDefinition *definition,
                       const RowDefinition *definitions) {
    ArrayType *array = DatumGetArrayTypeP(value);
    Datum *values;
    bool *nulls;
    int count;
    deconstruct_array(array, ARR_ELEMTYPE(array), -1, false, TYPALIGN_DOUBLE, &values, &nulls,
                      &count);
    for (int i = 0; i < count; i++)
        if (!nulls[i]) values[i] = row_as_record(values[i], definition, definitions);
    return PointerGetDatum(construct_md_array(values, nulls, ARR_NDIM(array), ARR_DIMS(array),
                                              ARR_LBOUND(array), RECORDOID, -1, false,
                                              TYPALIGN_DOUBLE));
}

Datum as_records(Datum value, const RowPart &rows, const RowDefinition *definitions) {
    check_stack_depth();
    const RowDefinition *definition = definitions;
    while (definition != nullptr && definition->type != rows.type) definition = definition->next;
    if (definition == nullptr) elog(ERROR, "row type %u has no definition", rows.type);
    return rows.in_array ? array_as_records(value, definition, definitions)
                         : row_as_record(value, definition, definitions);
}

} // namespace

RowPart row_part(Oid type) {
    RowPart rows = {};
    if (type < FirstNormalObjectId) return rows; // the server's own are the same everywhere
    Oid part = getBaseType(type);
    const Oid element = get_element_type(part);
    rows.in_array = OidIsValid(element);
    if (rows.in_array) part = getBaseType(element);
    if (part >= FirstNormalObjectId && get_typtype(part) == TYPTYPE_COMPOSITE) rows.type = part;
    return rows;
}

void write_definitions(StringInfo message, Oid type) {
    List *seen = NIL;
    write_row_types(message, type, &seen);
    list_free(seen);
}

RowDefinition *read_definitions(const char *bytes, Size length) {
    RowDefinition *first = nullptr, **last = &first;
    for (const char *at = bytes, *end = bytes + length; at < end;) {
        TypeHeader header;
        memcpy(&header, at, sizeof header);
        at += sizeof header;
        auto *one = static_cast<RowDefinition *>(palloc0(sizeof(RowDefinition)));
        one->type = header.type;
        one->relation = header.relation;
        one->in_array = header.in_array;
        one->columns = CreateTemplateTupleDesc(header.natts);
        one->columns->tdtypeid = RECORDOID;
        one->columns->tdtypmod = -1;
        one->parts = static_cast<RowPart *>(palloc(sizeof(RowPart) * header.natts + 1));
        for (int i = 0; i < header.natts; i++) read_column(&at, one, i);
        pg::finish_descriptor(one->columns);
        *last = one;
        last = &one->next;
    }
    return first;
}

bool definitions_hold(RowDefinition *definitions, bool (*is_own_worker)(int pid)) {
    for (; definitions != nullptr; definitions = definitions->next)
        if (!holds(definitions, is_own_worker)) return false;
    return true;
}

char *text_by_definition(Datum value, const RowDefinition *definitions) {
    const RowPart rows = {definitions->type, definitions->in_array};
    return OidOutputFunctionCall(rows.in_array ? F_ARRAY_OUT : F_RECORD_OUT,
                                 as_records(value, rows, definitions));
}

} // namespace pllua_bg::session
