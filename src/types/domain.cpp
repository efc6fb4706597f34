// Domains and length modifiers: plans that do their work through the plan they wrap. Owns nothing.
#include "types/plan.h"
#include "types/values.h"

#include "pg/guard.h"

namespace pllua_bg::types {

void push_inner(lua_State *L, const Type *type, Datum value) {
    lua::check_stack(L);
    const Type *inner = type->inner;
    inner->push(L, inner, value);
}

void check_domain(lua_State *L, const Type *type, Datum value, bool isnull) {
    pg::call_pure(
        L, [&] { domain_check(value, isnull, type->oid, &type->domain_state, plan_context()); });
}

Datum take_domain(lua_State *L, int idx, const Type *type) {
    lua::check_stack(L);
    const Type *inner = type->inner;
    const Datum value = inner->take(L, idx, inner);
    check_domain(L, type, value, false);
    return value;
}

Datum take_with_typmod(lua_State *L, int idx, const Type *type) {
    const Type *inner = type->inner;
    Datum value = inner->take(L, idx, inner);
    if (!OidIsValid(type->length_cast.fn_oid)) return value;
    pg::call_pure(L, [&] {
        FmgrInfo *cast = const_cast<FmgrInfo *>(&type->length_cast);
        value = FunctionCall3(cast, value, Int32GetDatum(type->typmod), BoolGetDatum(false));
    });
    return value;
}

} // namespace pllua_bg::types
