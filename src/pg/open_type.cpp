// Whether another process can read the values of a type. See open_type.h for the contracts.
//
// What a type is made of is in rows of several catalogs, and each kind of change writes others of
// them: ALTER ATTRIBUTE those of pg_attribute only, ADD VALUE those of pg_enum. So all rows of the
// type and of what it consists of are asked who has written them. What a row type loses (a change
// that leaves no row) and what keeps others from reading it without a trace (TRUNCATE, LOCK) shows
// in the lock that every such command takes. Constraints of domains make no difference to the form
// of a value; a range is never altered.
#include "pg/open_type.h"

#include "pg/compat.h"

extern "C" {
#include "catalog/pg_enum.h"
#include "storage/lmgr.h"
#include "utils/catcache.h"
}

namespace pllua_bg::pg {

namespace {

// True when the row of the catalog was written by the transaction in progress.
bool is_new(HeapTuple tuple) {
    return TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(tuple->t_data));
}

struct Look {
    bool writes; // the transaction can have changed something
    bool changed;
    bool rows; // there are row types
};

bool look_through(Oid type, Look *look);

// True for a type of the transaction. Sets *changed when it was altered, not only made.
bool is_new_type(Oid type, Look *look) {
    HeapTuple tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type));
    if (!HeapTupleIsValid(tuple)) return true;
    const bool result = is_new(tuple);
    const bool updated = (tuple->t_data->t_infomask & HEAP_UPDATED) != 0;
    const auto *form = reinterpret_cast<Form_pg_type>(GETSTRUCT(tuple));
    // The input function of a domain would check constraints that the value no longer has to meet;
    // that of a row type would wait for us.
    if (result && updated &&
        (form->typtype == TYPTYPE_DOMAIN || form->typtype == TYPTYPE_COMPOSITE))
        look->changed = true;
    ReleaseSysCache(tuple);
    return result;
}

bool has_new_labels(Oid type) {
    CatCList *labels = SearchSysCacheList1(ENUMTYPOIDNAME, ObjectIdGetDatum(type));
    bool result = false;
    for (int i = 0; i < labels->n_members; i++)
        result = result || is_new(&labels->members[i]->tuple);
    ReleaseSysCacheList(labels);
    return result;
}

// True when the relation, or one of its columns, was changed, or when nobody else could look.
bool is_open_relation(Oid relation, int natts, bool writes) {
    LOCKTAG tag;
    SET_LOCKTAG_RELATION(tag, MyDatabaseId, relation);
    if (holds_lock(&tag, AccessExclusiveLock)) return true;
    if (!writes) return false;
    HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
    bool result = !HeapTupleIsValid(tuple) || is_new(tuple);
    if (HeapTupleIsValid(tuple)) ReleaseSysCache(tuple);
    for (int i = 1; i <= natts && !result; i++) {
        tuple = SearchSysCache2(ATTNUM, ObjectIdGetDatum(relation),
                                Int16GetDatum(static_cast<int16>(i)));
        result = !HeapTupleIsValid(tuple) || is_new(tuple);
        if (HeapTupleIsValid(tuple)) ReleaseSysCache(tuple);
    }
    return result;
}

bool look_through_row(Oid type, Look *look) {
    look->rows = look->rows || type >= FirstNormalObjectId;
    TupleDesc row = lookup_rowtype_tupdesc(type, -1);
    bool result = is_open_relation(get_typ_typrelid(type), row->natts, look->writes);
    look->changed = look->changed || result;
    for (int i = 0; i < row->natts; i++) {
        const Form_pg_attribute attribute = TupleDescAttr(row, i);
        if (!attribute->attisdropped && look_through(attribute->atttypid, look)) result = true;
    }
    ReleaseTupleDesc(row);
    return result;
}

// The same for a type in another; rows in it have no place in row_part() of the outer type, and go
// as text, which is read with whatever definition there is.
bool look_inside(Oid type, Look *look) {
    const bool before = look->rows;
    look->rows = false;
    const bool result = look_through(type, look);
    const bool inside = look->rows;
    look->rows = before || inside;
    return result || inside;
}

// True where rows in the part have no place in row_part() of the whole:
// in ranges, and in arrays of arrays.
bool hides_rows(Oid type, Oid part) {
    if (get_typtype(type) == TYPTYPE_RANGE) return true;
    return OidIsValid(get_element_type(type)) && OidIsValid(get_element_type(getBaseType(part)));
}

bool look_through(Oid type, Look *look) {
    check_stack_depth();
    if (look->writes && type >= FirstNormalObjectId && is_new_type(type, look)) return true;
    const Oid part = part_type(type);
    if (OidIsValid(part))
        return hides_rows(type, part) ? look_inside(part, look) : look_through(part, look);
    switch (get_typtype(type)) {
    case TYPTYPE_PSEUDO: return type != VOIDOID && type != CSTRINGOID;
    case TYPTYPE_COMPOSITE: return look_through_row(type, look);
    case TYPTYPE_ENUM:
        if (!look->writes || !has_new_labels(type)) return false;
        look->changed = true;
        return true;
    default: return false;
    }
}

// Whether what is asked holds for the type of a column of the row type.
bool any_column(Oid row_type, bool (*holds)(Oid type)) {
    TupleDesc row = lookup_rowtype_tupdesc(row_type, -1);
    bool result = false;
    for (int i = 0; i < row->natts && !result; i++) {
        const Form_pg_attribute column = TupleDescAttr(row, i);
        result = !column->attisdropped && holds(column->atttypid);
    }
    ReleaseTupleDesc(row);
    return result;
}

} // namespace

Oid part_type(Oid type) {
    const Oid element = get_element_type(type);
    if (OidIsValid(element)) return element;
    switch (get_typtype(type)) {
    case TYPTYPE_DOMAIN: return getBaseType(type);
    case TYPTYPE_RANGE: return get_range_subtype(type);
    case TYPTYPE_MULTIRANGE: return get_multirange_range(type);
    default: return InvalidOid;
    }
}

OpenType open_type(Oid type) {
    Look look = {TransactionIdIsValid(GetTopTransactionIdIfAny()), false, false};
    const bool as_text = look_through(type, &look);
    return {as_text, look.changed, look.rows};
}

bool names_cursors(Oid type) {
    check_stack_depth();
    if (type < FirstNormalObjectId) return type == REFCURSOROID || type == REFCURSORARRAYOID;
    const Oid part = part_type(type);
    if (OidIsValid(part)) return names_cursors(part);
    return get_typtype(type) == TYPTYPE_COMPOSITE && any_column(type, names_cursors);
}

bool names_objects(Oid type) {
    switch (type) {
    case REGPROCOID:
    case REGPROCEDUREOID:
    case REGOPEROID:
    case REGOPERATOROID:
    case REGCLASSOID:
    case REGCOLLATIONOID:
    case REGTYPEOID:
    case REGCONFIGOID:
    case REGDICTIONARYOID:
    case REGNAMESPACEOID: return true;
    default: return false;
    }
}

bool is_known_everywhere(Oid type) {
    check_stack_depth();
    if (type >= FirstNormalObjectId || names_objects(type)) return false;
    const Oid part = part_type(type);
    if (OidIsValid(part)) return is_known_everywhere(part);
    return get_typtype(type) != TYPTYPE_COMPOSITE ||
           !any_column(type, [](Oid column) { return !is_known_everywhere(column); });
}

bool reads_domains(Oid type) {
    check_stack_depth();
    if (type < FirstNormalObjectId) return false;
    const char kind = get_typtype(type);
    if (kind == TYPTYPE_DOMAIN) return true;
    const Oid part = part_type(type);
    if (OidIsValid(part)) return reads_domains(part);
    return kind == TYPTYPE_COMPOSITE &&
           any_column(type, [](Oid column) { return reads_domains(column); });
}

bool is_local_type(Oid type) {
    return type == RECORDOID || type == RECORDARRAYOID || type == INTERNALOID;
}

} // namespace pllua_bg::pg
