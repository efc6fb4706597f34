// Transforms (CREATE TRANSFORM) of the languages: how values of a type are converted where the
// administrator has said so. Owns nothing; what a plan has of them belongs to the plan.
#pragma once

#include "pg/server.h"

#include "lua/lua_api.h"

namespace pllua_bg::types {

struct Type;

// The functions of the two languages: [0] untrusted, [1] trusted. InvalidOid: none.
struct TransformFunctions {
    Oid from_sql[2];
    Oid to_sql[2];
};

// Those of a type. Functions that belong to no superuser do not count: code that did not ask for
// them runs them. Errors: pg.
TransformFunctions find_transforms(Oid type);
bool has_transforms(const TransformFunctions &functions);

// The conversions of a plan that has transforms: Family::to_lua and from_lua.
void transformed_to_lua(lua_State *L, const Type *type, Datum value);
Datum transformed_from_lua(lua_State *L, int idx, const Type *type);

} // namespace pllua_bg::types
