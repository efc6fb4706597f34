// What CREATE FUNCTION checks. See validator.h for the contracts.
#include "pl/validator.h"

extern "C" {
#include "catalog/pg_proc.h"
#include "utils/guc.h"
}

#include "pl/function.h"

namespace pllua_bg::pl {

namespace {

bool is_result_allowed(Oid type) {
    switch (type) {
    case TRIGGEROID:
    case EVENT_TRIGGEROID:
    case RECORDOID:
    case VOIDOID:
    case INTERNALOID:
    case CSTRINGOID: return true;
    default: return get_typtype(type) != TYPTYPE_PSEUDO || IsPolymorphicType(type);
    }
}

bool is_argument_allowed(Oid type) {
    switch (type) {
    case ANYOID:
    case RECORDOID:
    case INTERNALOID:
    case CSTRINGOID: return true;
    default: return get_typtype(type) != TYPTYPE_PSEUDO || IsPolymorphicType(type);
    }
}

void check_types(HeapTuple row) {
    auto *proc = reinterpret_cast<Form_pg_proc>(GETSTRUCT(row));
    if (!is_result_allowed(proc->prorettype))
        ereport(ERROR,
                (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                 errmsg("Lua functions cannot return type %s", format_type_be(proc->prorettype))));
    Oid *types;
    char **names;
    char *modes;
    const int count = get_func_arg_info(row, &types, &names, &modes);
    const bool is_trigger = proc->prorettype == TRIGGEROID || proc->prorettype == EVENT_TRIGGEROID;
    if (is_trigger && count > 0)
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_FUNCTION_DEFINITION),
                 errmsg("trigger functions cannot have declared arguments"),
                 errhint("The arguments of the trigger are passed after trigger, old and new.")));
    for (int i = 0; i < count; i++)
        if (!is_argument_allowed(types[i]))
            ereport(ERROR,
                    (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                     errmsg("Lua functions cannot accept type %s", format_type_be(types[i]))));
}

} // namespace

void validate_function(Oid validator, Oid function, bool trusted) {
    if (!CheckFunctionValidatorAccess(validator, function)) return;
    HeapTuple row = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
    if (!HeapTupleIsValid(row)) elog(ERROR, "cache lookup failed for function %u", function);
    check_types(row);
    ReleaseSysCache(row);
    if (check_function_bodies) check_function(find_interpreter(trusted, StartUp::kCode), function);
}

} // namespace pllua_bg::pl
