// Plans of types: built once per (type, typmod), found in a hash table, marked stale when pg_type
// changes. Owns the table and the plans, in a context below CacheMemoryContext; both live as long
// as the backend.
#include "types/plan.h"
#include "types/transform.h"

#include "lua/state.h"
#include "pg/compat.h"
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

const FamilyRule *rules;
size_t rule_count;
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

TypeKind kind_of(Form_pg_type form) {
    switch (form->typtype) {
    case TYPTYPE_ENUM: return TypeKind::kEnum;
    case TYPTYPE_COMPOSITE: return TypeKind::kComposite;
    case TYPTYPE_RANGE: return TypeKind::kRange;
    case TYPTYPE_MULTIRANGE: return TypeKind::kMultirange;
    case TYPTYPE_DOMAIN: return TypeKind::kDomain;
    default: return IsTrueArrayType(form) ? TypeKind::kArray : TypeKind::kBase;
    }
}

const Family *family_of(Oid oid, TypeKind kind) {
    for (size_t i = 0; i < rule_count; i++)
        if (OidIsValid(rules[i].oid) ? rules[i].oid == oid : rules[i].kind == kind)
            return rules[i].family;
    pg_unreachable(); // the table ends with a rule for each kind
}

void use_functions(Type *type, const Family *family) {
    type->to_lua = family->to_lua;
    type->from_lua = family->from_lua;
    type->take_plain = family->take_plain;
    type->check_null = family->check_null;
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

// What a plan of a domain or with a modifier does is done by the plan it wraps.
void wrap_inner(Type *type, Form_pg_type form) {
    type->inner =
        is_domain(type) ? lookup(form->typbasetype, form->typtypmod) : lookup(type->oid, -1);
    type->family = type->inner->family;
    type->element_oid = type->inner->element_oid;
    Oid function = InvalidOid;
    if (!is_domain(type) &&
        find_typmod_coercion_function(type->oid, &function) == COERCION_PATH_FUNC)
        fmgr_info_cxt(function, &type->length_cast, context);
    use_functions(type, family_of(InvalidOid, type->kind));
    if (!is_domain(type) && type->family->takes_modifiers) type->from_lua = type->family->from_lua;
}

void set_function(FmgrInfo *place, Oid function) {
    if (OidIsValid(function)) fmgr_info_cxt(function, place, context);
}

Type *with_transforms(Type *plain, const TransformFunctions &functions) {
    auto *type = static_cast<Type *>(MemoryContextAlloc(context, sizeof(Type)));
    *type = *plain;
    type->inner = type;
    type->transforms =
        static_cast<Transforms *>(MemoryContextAllocZero(context, sizeof(Transforms)));
    type->transforms->plain = plain;
    for (int i = 0; i < 2; i++) {
        set_function(&type->transforms->from_sql[i], functions.from_sql[i]);
        set_function(&type->transforms->to_sql[i], functions.to_sql[i]);
    }
    type->to_lua = transformed_to_lua;
    type->from_lua = transformed_from_lua;
    type->take_plain = nullptr;
    return type;
}

Type *build(Oid oid, int32 typmod, HeapTuple row) {
    Form_pg_type form = reinterpret_cast<Form_pg_type>(GETSTRUCT(row));
    Type *type = static_cast<Type *>(MemoryContextAllocZero(context, sizeof(Type)));
    // It stays, and there are as many as there are type modifiers.
    pg::hold(static_cast<ptrdiff_t>(GetMemoryChunkSpace(type) + sizeof(PlanEntry)));
    type->oid = oid;
    type->typmod = typmod;
    type->hash = GetSysCacheHashValue1(TYPEOID, ObjectIdGetDatum(oid));
    type->kind = kind_of(form);
    if (!is_domain(type) && typmod >= 0) type->kind = TypeKind::kModified;
    type->by_value = form->typbyval;
    type->align = form->typalign;
    type->delimiter = form->typdelim;
    type->length = form->typlen;
    type->relation = form->typrelid;
    type->array_oid = form->typarray;
    fill_functions(type);
    if (is_domain(type) || type->kind == TypeKind::kModified) {
        wrap_inner(type, form);
        return type;
    }
    type->inner = type;
    type->family = family_of(oid, type->kind);
    use_functions(type, type->family);
    if (type->family->complete != nullptr) type->family->complete(type, form);
    const TransformFunctions transforms = find_transforms(oid);
    return has_transforms(transforms) ? with_transforms(type, transforms) : type;
}

// False when there are other transforms than the plan knows.
bool transforms_still_right(const Type *type) {
    const TransformFunctions now = find_transforms(type->oid);
    const Transforms *known = type->transforms;
    if (known == nullptr) return !has_transforms(now);
    for (int i = 0; i < 2; i++)
        if (known->from_sql[i].fn_oid != now.from_sql[i] ||
            known->to_sql[i].fn_oid != now.to_sql[i])
            return false;
    return true;
}

// A stale plan stays in use when nothing in it would come out differently.
bool still_right(const Type *type, Form_pg_type form) {
    return is_domain(type) == (form->typtype == TYPTYPE_DOMAIN) &&
           type->by_value == form->typbyval && type->length == form->typlen &&
           type->align == form->typalign && type->input.fn_oid == form->typinput &&
           type->output.fn_oid == form->typoutput && type->relation == form->typrelid &&
           type->array_oid == form->typarray &&
           (type->kind != TypeKind::kArray || type->element_oid == form->typelem) &&
           (!is_domain(type) ||
            (type->inner->oid == form->typbasetype && type->inner->typmod == form->typtypmod)) &&
           (type->inner == type ? transforms_still_right(type)
                                : lookup(type->inner->oid, type->inner->typmod) == type->inner);
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

void mark_stale(Datum, pg::CacheId, uint32 hash) {
    generation++;
    if (plans == nullptr) return;
    HASH_SEQ_STATUS scan;
    hash_seq_init(&scan, plans);
    while (PlanEntry *entry = static_cast<PlanEntry *>(hash_seq_search(&scan)))
        if (entry->type != nullptr && (hash == 0 || entry->type->hash == hash))
            entry->type->stale = true;
}

void schema_changed(Datum, pg::CacheId, uint32) { generation++; }

void transforms_changed(Datum, pg::CacheId, uint32) { mark_stale(0, TYPEOID, 0); }

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
    // Building may have looked up other types and moved nothing:
    // entries of a dynahash stay where they are.
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
            find(L, type->element_oid, type->family->takes_modifiers ? type->typmod : -1);
    return type->element;
}

Oid type_oid(const Type *type) { return type->oid; }

const Type *untransformed(const Type *type) {
    return type->transforms == nullptr ? type : type->transforms->plain;
}

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
        type->to_lua(L, type, value);
}

Datum to_datum(lua_State *L, int idx, const Type *type, bool *isnull) {
    idx = lua_absindex(L, idx);
    *isnull = lua_isnoneornil(L, idx);
    if (!*isnull) {
        lua::need_stack(L, 12);
        return type->from_lua(L, idx, type);
    }
    if (type->check_null != nullptr) type->check_null(L, type);
    return 0;
}

bool is_plain(const Type *type) { return type->take_plain != nullptr; }

void push_plain(lua_State *L, const Type *type, Datum value, bool isnull) {
    if (isnull)
        lua_pushnil(L);
    else
        type->to_lua(L, type, value);
}

bool take_plain(lua_State *L, int idx, const Type *type, Datum *value) {
    return type->take_plain(L, idx, value);
}

void use_families(const FamilyRule *table, size_t count) {
    rules = table;
    rule_count = count;
    CacheRegisterSyscacheCallback(TYPEOID, mark_stale, 0);
    CacheRegisterSyscacheCallback(NAMESPACEOID, schema_changed, 0);
    CacheRegisterSyscacheCallback(TRFTYPELANG, transforms_changed, 0);
    // A transform depends on whose its functions are, and what he may.
    CacheRegisterSyscacheCallback(PROCOID, transforms_changed, 0);
    CacheRegisterSyscacheCallback(AUTHOID, transforms_changed, 0);
}

} // namespace pllua_bg::types
