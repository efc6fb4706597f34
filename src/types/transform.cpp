// Transforms of the languages. See transform.h for the contracts.
#include "types/transform.h"

#include "lua/stack.h"
#include "lua/state.h"
#include "types/datum_object.h"
#include "types/hooks.h"
#include "types/plan.h"

extern "C" {
#include "catalog/pg_proc.h"
#include "catalog/pg_transform.h"
#include "commands/proclang.h"
}

namespace pllua_bg::types {

namespace {

constexpr const char *kLanguages[] = {"pllua_bgu", "pllua_bg"};

// The function, when a superuser has made it in the language itself. Whoever owns a type can name
// any function, and one of another language knows nothing of what ours pass as internal.
Oid usable_function(Oid function, Oid language) {
    HeapTuple row = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
    if (!HeapTupleIsValid(row)) return InvalidOid;
    auto *proc = reinterpret_cast<Form_pg_proc>(GETSTRUCT(row));
    const bool usable = proc->prolang == language && superuser_arg(proc->proowner);
    ReleaseSysCache(row);
    return usable ? function : InvalidOid;
}

const FmgrInfo *function_of(lua_State *L, const FmgrInfo *functions) {
    const FmgrInfo *function = &functions[lua::interp(L)->trusted ? 1 : 0];
    return OidIsValid(function->fn_oid) ? function : nullptr;
}

// Rows of a statement keep their plans, and the functions of a transform may have been dropped.
const Type *newest(lua_State *L, const Type *type) {
    return type->stale ? find(L, type->oid, type->typmod) : type;
}

} // namespace

TransformFunctions find_transforms(Oid type) {
    TransformFunctions found = {};
    for (int i = 0; i < 2; i++) {
        const Oid language = get_language_oid(kLanguages[i], true);
        if (!OidIsValid(language)) continue;
        HeapTuple row =
            SearchSysCache2(TRFTYPELANG, ObjectIdGetDatum(type), ObjectIdGetDatum(language));
        if (!HeapTupleIsValid(row)) continue;
        auto *form = reinterpret_cast<Form_pg_transform>(GETSTRUCT(row));
        const Oid from_sql = form->trffromsql, to_sql = form->trftosql;
        ReleaseSysCache(row);
        if (OidIsValid(from_sql)) found.from_sql[i] = usable_function(from_sql, language);
        if (OidIsValid(to_sql)) found.to_sql[i] = usable_function(to_sql, language);
    }
    return found;
}

bool has_transforms(const TransformFunctions &functions) {
    for (int i = 0; i < 2; i++)
        if (OidIsValid(functions.from_sql[i]) || OidIsValid(functions.to_sql[i])) return true;
    return false;
}

void transformed_to_lua(lua_State *L, const Type *type, Datum value) {
    lua::check_stack(L);
    const Type *now = newest(L, type);
    if (now != type) return now->to_lua(L, now, value);
    const Type *plain = type->transforms->plain;
    plain->to_lua(L, plain, value);
    const FmgrInfo *function = function_of(L, type->transforms->from_sql);
    if (function != nullptr) hooks.transform_from_sql(L, function);
}

// What is a value of SQL already stays as it is.
Datum transformed_from_lua(lua_State *L, int idx, const Type *type) {
    lua::check_stack(L);
    const Type *now = newest(L, type);
    if (now != type) return now->from_lua(L, idx, now);
    const Type *plain = type->transforms->plain;
    const FmgrInfo *function = function_of(L, type->transforms->to_sql);
    if (function == nullptr || object_at(L, idx) != nullptr) return plain->from_lua(L, idx, plain);
    return hooks.transform_to_sql(L, idx, function, type->oid);
}

} // namespace pllua_bg::types
