// Domains and length modifiers: plans that do their work through the plan they wrap. Owns nothing.
#include "types/cast.h"
#include "types/datum_object.h"

#include "pg/cast.h"
#include "pg/compat.h"
#include "pg/guard.h"

namespace pllua_bg::types {

namespace {

void inner_to_lua(lua_State *L, const Type *type, Datum value) {
    lua::check_stack(L);
    const Type *inner = type->inner;
    inner->to_lua(L, inner, value);
}

// True when what is kept for the domain was made for the current user in this transaction, or is
// now. The constraints may call functions; the right to execute them is asked for when it is made.
bool owns_domain_state(const Type *type) {
    const LocalTransactionId transaction = pg::transaction_number(MyProc);
    if (type->domain_transaction != transaction) {
        type->domain_transaction = transaction;
        type->domain_user = GetUserId();
        type->domain_state = nullptr;
    }
    return type->domain_user == GetUserId();
}

void check_domain(lua_State *L, const Type *type, Datum value, bool isnull) {
    pg::call_own_subxact(L, [&] {
        if (owns_domain_state(type)) {
            domain_check(value, isnull, type->oid, &type->domain_state, TopTransactionContext);
            return;
        }
        const Scratch scratch = enter_scratch();
        domain_check(value, isnull, type->oid, nullptr, nullptr);
        leave_scratch(scratch);
        end_scratch(scratch);
    });
}

Datum domain_from_lua(lua_State *L, int idx, const Type *type) {
    lua::check_stack(L);
    const Type *inner = type->inner;
    const Datum value = inner->from_lua(L, idx, inner);
    check_domain(L, type, value, false);
    return value;
}

Datum modified_from_lua(lua_State *L, int idx, const Type *type) {
    const Type *inner = type->inner;
    Datum value = inner->from_lua(L, idx, inner);
    if (!OidIsValid(type->length_cast.fn_oid)) return value;
    pg::call_own_subxact(L, [&] {
        FmgrInfo *cast = const_cast<FmgrInfo *>(&type->length_cast);
        if (cast->fn_oid >= FirstNormalObjectId) {
            value = cast_length(type, value);
            return;
        }
        pg::require_execute(cast->fn_oid);
        value = FunctionCall3(cast, value, Int32GetDatum(type->typmod), BoolGetDatum(false));
    });
    return value;
}

void check_null(lua_State *L, const Type *type) { check_domain(L, type, 0, true); }

} // namespace

bool is_constructed(const Type *type) {
    while (is_domain(type)) type = type->inner;
    return type->family->construct != nullptr;
}

Datum construct(lua_State *L, int first, int count, const Type *type, bool *isnull) {
    Datum value;
    *isnull = false;
    if (is_domain(type)) {
        lua::check_stack(L);
        value = construct(L, first, count, type->inner, isnull);
        check_domain(L, type, value, *isnull);
        return value;
    }
    const Family *family = type->family;
    if (family->construct != nullptr && family->construct(L, type, first, count, &value))
        return value;
    if (count != 1) wrong_argument_count(L, 1, count);
    return to_datum(L, first, type, isnull);
}

const Family kDomainFamily = {
    .to_lua = inner_to_lua, .from_lua = domain_from_lua, .check_null = check_null};
const Family kModifiedFamily = {.to_lua = inner_to_lua, .from_lua = modified_from_lua};

} // namespace pllua_bg::types
