// Plans of types: built once per (type, typmod), found in a hash table, marked stale when pg_type
// changes. Owns the table and the plans, in a context below CacheMemoryContext; both live as long
// as the backend.
#include "types/plan.h"

#include "lua/state.h"
#include "pg/guard.h"
#include "pg/held.h"

extern "C" {
#include "parser/parse_coerce.h"
#include "utils/catcache.h"
#include "utils/fmgroids.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
}

namespace pllua_bg::types {

namespace {

struct PlanKey {
    Oid oid;
    int32 typmod;
};

struct PlanEntry {
    PlanKey key;
    Type *type; // the newest plan; null while it is built
};

struct Rule {
    Oid oid;
    Family family;
    Pusher push;
    Taker take;
};

constexpr Rule kRules[] = {
    {VOIDOID, Family::kVoid, push_void, take_void},
    {BOOLOID, Family::kBool, push_bool, take_bool},
    {INT2OID, Family::kInteger, push_int2, take_int2},
    {INT4OID, Family::kInteger, push_int4, take_int4},
    {INT8OID, Family::kInteger, push_int8, take_int8},
    {OIDOID, Family::kInteger, push_oid, take_oid},
    {FLOAT4OID, Family::kFloat, push_float4, take_float4},
    {FLOAT8OID, Family::kFloat, push_float8, take_float8},
    {TEXTOID, Family::kText, push_text, take_text},
    {VARCHAROID, Family::kText, push_text, take_text},
    {BPCHAROID, Family::kText, push_text, take_text},
    {REFCURSOROID, Family::kText, push_refcursor, take_refcursor},
    {BYTEAOID, Family::kText, push_text, take_bytea},
    {XMLOID, Family::kText, push_text, take_generic},
    {JSONOID, Family::kText, push_text, take_json},
    {NAMEOID, Family::kText, push_cstring, take_generic},
    {CSTRINGOID, Family::kText, push_cstring, take_cstring},
    {UNKNOWNOID, Family::kText, push_cstring, take_cstring},
    {CHAROID, Family::kText, push_char, take_generic},
    {NUMERICOID, Family::kNumeric, push_object, take_numeric},
    {DATEOID, Family::kDatetime, push_object, take_datetime},
    {TIMEOID, Family::kDatetime, push_object, take_datetime},
    {TIMETZOID, Family::kDatetime, push_object, take_datetime},
    {TIMESTAMPOID, Family::kDatetime, push_object, take_datetime},
    {TIMESTAMPTZOID, Family::kDatetime, push_object, take_datetime},
    {INTERVALOID, Family::kDatetime, push_object, take_datetime},
    {JSONBOID, Family::kJsonb, push_object, take_json},
};

MemoryContext context;
HTAB *plans;
uint64 generation;

void prepare_table() {
    if (plans != nullptr) return;
    if (CacheMemoryContext == nullptr) CreateCacheMemoryContext();
    if (context == nullptr)
        context =
            AllocSetContextCreate(CacheMemoryContext, "pllua_bg types", ALLOCSET_DEFAULT_SIZES);
    HASHCTL control = {};
    control.keysize = sizeof(PlanKey);
    control.entrysize = sizeof(PlanEntry);
    control.hcxt = context;
    plans = hash_create("pllua_bg types", 128, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

void set_family(Type *type, Family family, Pusher push, Taker take) {
    type->family = family;
    type->push = push;
    type->take = take;
}

void choose_family(Type *type, Form_pg_type form) {
    for (const Rule &rule : kRules)
        if (rule.oid == type->oid) return set_family(type, rule.family, rule.push, rule.take);
    if (form->typtype == TYPTYPE_ENUM)
        return set_family(type, Family::kText, push_enum, take_generic);
    if (form->typtype == TYPTYPE_COMPOSITE || type->oid == RECORDOID) {
        set_family(type, Family::kRow, push_composite, take_composite);
        if (type->oid != RECORDOID) type->cache = lookup_type_cache(type->oid, TYPECACHE_TUPDESC);
        return;
    }
    if (form->typtype == TYPTYPE_RANGE) {
        set_family(type, Family::kRange, push_object, take_range);
        type->cache = lookup_type_cache(type->oid, TYPECACHE_RANGE_INFO);
        type->element_oid = type->cache->rngelemtype->type_id;
        return;
    }
    if (IsTrueArrayType(form)) {
        set_family(type, Family::kArray, push_object, take_array);
        type->element_oid = form->typelem;
        return;
    }
    set_family(type, Family::kOther, push_object, take_generic);
}

void fill_functions(Type *type) {
    Oid function;
    bool varlena;
    if (get_typisdefined(type->oid)) {
        getTypeInputInfo(type->oid, &function, &type->io_param);
        fmgr_info_cxt(function, &type->input, context);
        getTypeOutputInfo(type->oid, &function, &varlena);
        fmgr_info_cxt(function, &type->output, context);
    }
}

// What a plan with a typmod or of a domain does is done by the plan it wraps.
void wrap_inner(Type *type, Form_pg_type form) {
    type->push = push_inner;
    if (type->is_domain) {
        type->inner = lookup(form->typbasetype, form->typtypmod);
        type->take = take_domain;
    } else {
        type->inner = lookup(type->oid, -1);
        type->take = take_with_typmod;
        Oid function = InvalidOid;
        if (find_typmod_coercion_function(type->oid, &function) == COERCION_PATH_FUNC)
            fmgr_info_cxt(function, &type->length_cast, context);
    }
    type->family = type->inner->family;
    type->element_oid = type->inner->element_oid;
    if (type->family == Family::kArray && !type->is_domain) type->take = take_array;
}

Type *build(Oid oid, int32 typmod, HeapTuple row) {
    Form_pg_type form = reinterpret_cast<Form_pg_type>(GETSTRUCT(row));
    Type *type = static_cast<Type *>(MemoryContextAllocZero(context, sizeof(Type)));
    // It stays, and there are as many as there are type modifiers.
    pg::hold(static_cast<ptrdiff_t>(GetMemoryChunkSpace(type) + sizeof(PlanEntry)));
    type->oid = oid;
    type->typmod = typmod;
    type->hash = GetSysCacheHashValue1(TYPEOID, ObjectIdGetDatum(oid));
    type->is_domain = form->typtype == TYPTYPE_DOMAIN;
    type->by_value = form->typbyval;
    type->align = form->typalign;
    type->delimiter = form->typdelim;
    type->length = form->typlen;
    type->relation = form->typrelid;
    type->array_oid = form->typarray;
    fill_functions(type);
    if (type->is_domain || typmod >= 0) {
        wrap_inner(type, form);
    } else {
        type->inner = type;
        choose_family(type, form);
    }
    return type;
}

// A stale plan stays in use when nothing in it would come out differently.
bool still_right(const Type *type, Form_pg_type form) {
    return type->is_domain == (form->typtype == TYPTYPE_DOMAIN) &&
           type->by_value == form->typbyval && type->length == form->typlen &&
           type->align == form->typalign && type->input.fn_oid == form->typinput &&
           type->output.fn_oid == form->typoutput && type->relation == form->typrelid &&
           type->array_oid == form->typarray &&
           (type->is_domain || type->typmod >= 0 || type->family != Family::kArray ||
            type->element_oid == form->typelem) &&
           (!type->is_domain ||
            (type->inner->oid == form->typbasetype && type->inner->typmod == form->typtypmod));
}

PlanEntry *find_entry(Oid oid, int32 typmod, HASHACTION action) {
    const PlanKey key = {oid, typmod};
    bool found;
    PlanEntry *entry = static_cast<PlanEntry *>(hash_search(plans, &key, action, &found));
    if (action == HASH_ENTER && !found) entry->type = nullptr;
    return entry;
}

const Type *cached(Oid oid, int32 typmod) {
    if (plans == nullptr) return nullptr;
    const PlanEntry *entry = find_entry(oid, typmod, HASH_FIND);
    return entry != nullptr && entry->type != nullptr && !entry->type->stale ? entry->type
                                                                             : nullptr;
}

void mark_stale(Datum, int, uint32 hash) {
    generation++;
    if (plans == nullptr) return;
    HASH_SEQ_STATUS scan;
    hash_seq_init(&scan, plans);
    while (PlanEntry *entry = static_cast<PlanEntry *>(hash_seq_search(&scan)))
        if (entry->type != nullptr && (hash == 0 || entry->type->hash == hash))
            entry->type->stale = true;
}

void schema_changed(Datum, int, uint32) { generation++; }
void labels_changed(Datum, int, uint32) { forget_labels(); }

} // namespace

const Type *lookup(Oid oid, int32 typmod) {
    if (typmod < 0) typmod = -1;
    // A typmod of a row is the number of its descriptor, which every value carries itself.
    if (oid == RECORDOID) typmod = -1;
    if (const Type *type = cached(oid, typmod)) return type;
    // Domains over domains.
    check_stack_depth();
    prepare_table();
    HeapTuple row = SearchSysCache1(TYPEOID, ObjectIdGetDatum(oid));
    if (!HeapTupleIsValid(row))
        ereport(ERROR, errcode(ERRCODE_UNDEFINED_OBJECT),
                errmsg("type with OID %u does not exist", oid));
    PlanEntry *entry = find_entry(oid, typmod, HASH_ENTER);
    if (entry->type != nullptr &&
        still_right(entry->type, reinterpret_cast<Form_pg_type>(GETSTRUCT(row)))) {
        entry->type->stale = false;
        ReleaseSysCache(row);
        return entry->type;
    }
    Type *type = build(oid, typmod, row);
    ReleaseSysCache(row);
    // Building may have looked up other types and moved nothing: entries of a dynahash stay where
    // they are.
    entry->type = type;
    return type;
}

const Type *find(lua_State *L, Oid oid, int32 typmod) {
    const Type *type = cached(oid, oid == RECORDOID || typmod < 0 ? -1 : typmod);
    if (type == nullptr) [[unlikely]]
        pg::call_own_subxact(L, [&] { type = lookup(oid, typmod); });
    return type;
}

const Type *element_of(lua_State *L, const Type *type) {
    if (type->element == nullptr || type->element->stale)
        type->element =
            find(L, type->element_oid, type->family == Family::kArray ? type->typmod : -1);
    return type->element;
}

Oid type_oid(const Type *type) { return type->oid; }

uint64 catalog_generation() { return generation; }

MemoryContext plan_context() {
    prepare_table();
    return context;
}

void push(lua_State *L, const Type *type, Datum value, bool isnull) {
    lua::need_stack(L, 8);
    if (isnull)
        lua_pushnil(L);
    else
        type->push(L, type, value);
}

Datum to_datum(lua_State *L, int idx, const Type *type, bool *isnull) {
    idx = lua_absindex(L, idx);
    *isnull = lua_isnoneornil(L, idx);
    if (!*isnull) {
        lua::need_stack(L, 12);
        return type->take(L, idx, type);
    }
    if (type->is_domain) check_domain(L, type, 0, true);
    return 0;
}

void initialize() {
    CacheRegisterSyscacheCallback(TYPEOID, mark_stale, 0);
    CacheRegisterSyscacheCallback(NAMESPACEOID, schema_changed, 0);
    CacheRegisterSyscacheCallback(ENUMOID, labels_changed, 0);
}

} // namespace pllua_bg::types
