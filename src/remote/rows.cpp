// Text that another server has sent as values of the same types here. See rows.h. Owns nothing.
#include "remote/rows.h"

#include "pg/compat_rows.h"
#include "pg/encoding.h"
#include "pg/open_type.h"
#include "remote/state.h"
#include "remote/types.h"

extern "C" {
#include "access/htup_details.h"
#include "mb/pg_wchar.h"
#include "utils/fmgroids.h"
}

namespace pllua_bg::remote {

namespace {

// Numbers and names of what is in the catalogs of one server, and what depends on it otherwise: the
// text of money goes by lc_monetary, which the server does not report.
bool is_of_one_server(Oid type) {
    return pg::names_objects(type) || type == REGROLEOID || type == REFCURSOROID ||
           type == MONEYOID || type == ACLITEMOID;
}

void begin_rows(Rows *rows, Result *result) {
    const int natts = result->columns();
    if (natts > MaxTupleAttributeNumber)
        ereport(ERROR, (errcode(ERRCODE_TOO_MANY_COLUMNS),
                        errmsg("result of another server has too many columns: %d", natts)));
    const Size n = static_cast<Size>(natts) + 1;
    rows->begun = true;
    rows->descriptor = CreateTemplateTupleDesc(natts);
    rows->readers = static_cast<Reader *>(palloc0(sizeof(Reader) * n));
    rows->texts = static_cast<const char **>(palloc0(sizeof(char *) * n));
    rows->lengths = static_cast<int *>(palloc0(sizeof(int) * n));
    rows->inputs = static_cast<FmgrInfo *>(palloc0(sizeof(FmgrInfo) * n));
    rows->io_params = static_cast<Oid *>(palloc0(sizeof(Oid) * n));
    rows->values = static_cast<Datum *>(palloc0(sizeof(Datum) * n));
    rows->nulls = static_cast<bool *>(palloc0(sizeof(bool) * n));
    auto *none = static_cast<bool *>(palloc0(sizeof(bool) * n));
    auto *as_text = static_cast<bool *>(palloc0(sizeof(bool) * n));
    auto **names = static_cast<const char **>(palloc0(sizeof(char *) * n));
    for (int i = 0; i < natts; i++) {
        const bool same = is_everywhere(result->type(i));
        const Oid type = same ? result->type(i) : TEXTOID;
        char name[NAMEDATALEN];
        pg::copy_clipped(name, pg::valid_text(result->name(i)), sizeof name);
        TupleDescInitEntry(rows->descriptor, static_cast<AttrNumber>(i + 1), name, type,
                           same ? result->modifier(i) : -1, 0);
        if (!same) names[i] = type_name(result->type(i));
        as_text[i] = names[i] != nullptr;
        Oid input;
        getTypeInputInfo(type, &input, &rows->io_params[i]);
        fmgr_info(input, &rows->inputs[i]);
        rows->readers[i] = reader_of(type);
    }
    pg::finish_descriptor(rows->descriptor);
    if (rows->scratch == nullptr)
        rows->scratch =
            AllocSetContextCreate(CurrentMemoryContext, "pllua_bg row", ALLOCSET_DEFAULT_SIZES);
    session::send_columns(rows->descriptor, rows->descriptor, as_text, none, names);
}

// Those that any text is a value of, where there is no modifier.
bool is_text(Oid type) { return type == TEXTOID || type == VARCHAROID || type == BPCHAROID; }

Datum read_value(Rows *rows, int column, const char *value, int length) {
    Datum read;
    if (rows->readers[column] != nullptr && rows->readers[column](value, length, &read))
        return read;
    pg_verifymbstr(value, length, false);
    if (is_text(TupleDescAttr(rows->descriptor, column)->atttypid))
        return PointerGetDatum(cstring_to_text_with_len(value, length));
    // The value has the modifier of its column already.
    return InputFunctionCall(&rows->inputs[column], const_cast<char *>(value),
                             rows->io_params[column], -1);
}

void send_one(Rows *rows, Result *result, int row) {
    MemoryContext old = MemoryContextSwitchTo(rows->scratch);
    result->take_row(row, rows->texts, rows->lengths);
    for (int i = 0; i < rows->descriptor->natts; i++) {
        const char *text = rows->texts[i];
        rows->nulls[i] = text == nullptr;
        rows->values[i] = text == nullptr ? 0 : read_value(rows, i, text, rows->lengths[i]);
    }
    session::send_row(rows->descriptor, rows->values, rows->nulls);
    MemoryContextSwitchTo(old);
    MemoryContextReset(rows->scratch);
}

void follow(const char *name) {
    const char *there = state.connection->setting(name);
    if (there == nullptr || strcmp(there, GetConfigOption(name, false, false)) == 0) return;
    SetConfigOption(name, there, PGC_USERSET, PGC_S_SESSION);
}

} // namespace

void follow_settings() {
    follow("DateStyle");
    follow("IntervalStyle");
}

bool is_everywhere(Oid type) {
    if (type >= FirstGenbkiObjectId || is_of_one_server(type)) return false;
    HeapTuple tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type));
    if (!HeapTupleIsValid(tuple)) return false;
    auto *form = reinterpret_cast<Form_pg_type>(GETSTRUCT(tuple));
    const bool is_value = form->typtype == TYPTYPE_BASE || form->typtype == TYPTYPE_RANGE ||
                          form->typtype == TYPTYPE_MULTIRANGE || type == VOIDOID;
    const Oid element = IsTrueArrayType(form) ? form->typelem : InvalidOid;
    // Trees and statistics are only written.
    const bool is_internal = type == PG_NODE_TREEOID || type == PG_NDISTINCTOID ||
                             type == PG_DEPENDENCIESOID || type == PG_MCV_LISTOID;
    ReleaseSysCache(tuple);
    if (!is_value || is_internal) return false;
    return !OidIsValid(element) || is_everywhere(element);
}

void send_rows(Rows *rows, Result *result) {
    // Also a server that is broken has as many values in a row as it has said.
    if (!rows->begun || result->columns() != rows->descriptor->natts) begin_rows(rows, result);
    const int count = result->rows();
    for (int i = 0; i < count; i++) send_one(rows, result, i);
}

} // namespace pllua_bg::remote
