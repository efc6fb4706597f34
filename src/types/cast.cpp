// Casts between server types, for a datum object that is wanted as another type. Owns nothing.
#include "types/datum_object.h"

#include "pg/compat.h"

extern "C" {
#include "catalog/pg_collation.h"
#include "nodes/makefuncs.h"
#include "parser/parse_coerce.h"
#include "utils/acl.h"
#include "utils/datum.h"
}

namespace pllua_bg::types {

namespace {

Const *constant(Oid type, int16 length, bool by_value, Datum value) {
    return makeConst(type, -1, InvalidOid, length, value, false, by_value);
}

// Polymorphic cast functions ask what their types are, so they get an expression.
Datum call_cast(Oid function, const Type *from, Datum value, const Type *to) {
    if (!pg::may_execute(function, GetUserId()))
        aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_FUNCTION, get_func_name(function));
    const int nargs = get_func_nargs(function);
    LOCAL_FCINFO(call, 3);
    FmgrInfo info;
    fmgr_info(function, &info);
    List *arguments = list_make1(constant(from->oid, from->length, from->by_value, value));
    if (nargs > 1)
        arguments = lappend(arguments, constant(INT4OID, sizeof(int32), true, Int32GetDatum(-1)));
    if (nargs > 2)
        arguments = lappend(arguments, constant(BOOLOID, sizeof(bool), true, BoolGetDatum(true)));
    FuncExpr *expression = makeFuncExpr(function, to->oid, arguments, InvalidOid,
                                        DEFAULT_COLLATION_OID, COERCE_EXPLICIT_CAST);
    fmgr_info_set_expr(reinterpret_cast<Node *>(expression), &info);
    InitFunctionCallInfoData(*call, &info, static_cast<short>(nargs), DEFAULT_COLLATION_OID,
                             nullptr, nullptr);
    for (int i = 0; i < nargs; i++) {
        call->args[i].value = castNode(Const, list_nth(arguments, i))->constvalue;
        call->args[i].isnull = false;
    }
    const Datum result = FunctionCallInvoke(call);
    if (call->isnull) elog(ERROR, "cast function %u returned NULL", function);
    return result;
}

Datum cast_in_scratch(const Type *from, Datum value, const Type *to) {
    Oid function = InvalidOid;
    switch (find_coercion_pathway(to->oid, from->oid, COERCION_EXPLICIT, &function)) {
    case COERCION_PATH_FUNC: return call_cast(function, from, value, to);
    case COERCION_PATH_RELABELTYPE: return value;
    case COERCION_PATH_ARRAYCOERCE:
    case COERCION_PATH_COERCEVIAIO: {
        char *text = OutputFunctionCall(const_cast<FmgrInfo *>(&from->output), value);
        return InputFunctionCall(const_cast<FmgrInfo *>(&to->input), text, to->io_param,
                                 to->typmod);
    }
    default: break;
    }
    ereport(
        ERROR, errcode(ERRCODE_CANNOT_COERCE),
        errmsg("cannot cast type %s to %s", format_type_be(from->oid), format_type_be(to->oid)));
}

} // namespace

Datum cast_value(const Type *from, Datum value, const Type *to) {
    const Scratch scratch = enter_scratch();
    // A cast may return its argument, which belongs to Lua.
    const Datum result = cast_in_scratch(from, value, to);
    leave_scratch(scratch);
    const Datum copy = datumCopy(result, to->by_value, to->length);
    end_scratch(scratch);
    return copy;
}

} // namespace pllua_bg::types
