// Casts as expressions. See cast.h for the contracts.
#include "pg/cast.h"

#include "pg/compat.h"

extern "C" {
#include "catalog/objectaccess.h"
#include "executor/executor.h"
#include "nodes/makefuncs.h"
#include "parser/parse_coerce.h"
#include "parser/parse_collate.h"
#include "tcop/pquery.h"
#include "utils/acl.h"
#include "utils/datum.h"
#include "utils/inval.h"
#include "utils/snapmgr.h"
}

namespace pllua_bg::pg {

namespace {

// Evaluates an expression without variables for the current user.
void evaluate(Node *node, TypedValue *value, Oid type) {
    int16 length;
    bool by_value;
    // Between the commands of a procedure there is no snapshot, which the function may need.
    if (!ActiveSnapshotSet() && ActivePortal != nullptr) EnsurePortalSnapshotExists();
    // A right taken away a moment ago, as a statement would see when it locks its tables.
    AcceptInvalidationMessages();
    ExprContext *context = CreateStandaloneExprContext();
    ExprState *state = ExecInitExpr(reinterpret_cast<Expr *>(node), nullptr);
    const Datum result = ExecEvalExpr(state, context, &value->isnull);
    get_typlenbyval(type, &length, &by_value);
    // What a function returns may go with the context.
    value->value = value->isnull ? 0 : datumCopy(result, by_value, length);
    FreeExprContext(context, true);
}

Const *constant_of(const TypedValue *value) {
    int16 length;
    bool by_value;
    get_typlenbyval(value->type, &length, &by_value);
    return makeConst(value->type, -1, get_typcollation(value->type), length, value->value,
                     value->isnull, by_value);
}

} // namespace

bool cast_value(TypedValue *value, Oid type, int32 typmod, CastContext context) {
    const bool is_explicit = context == CastContext::kExplicit;
    Node *node =
        coerce_to_target_type(nullptr, reinterpret_cast<Node *>(constant_of(value)), value->type,
                              type, typmod, is_explicit ? COERCION_EXPLICIT : COERCION_ASSIGNMENT,
                              is_explicit ? COERCE_EXPLICIT_CAST : COERCE_IMPLICIT_CAST, -1);
    if (node == nullptr) return false;
    value->type = type;
    while (IsA(node, RelabelType))
        node = reinterpret_cast<Node *>(reinterpret_cast<RelabelType *>(node)->arg);
    if (IsA(node, Const)) {
        value->value = reinterpret_cast<Const *>(node)->constvalue;
        return true;
    }
    assign_expr_collations(nullptr, node);
    evaluate(node, value, type);
    return true;
}

void call_function(Oid function, TypedValue *value, Oid type) {
    FuncExpr *call = makeFuncExpr(function, type, list_make1(constant_of(value)), InvalidOid,
                                  InvalidOid, COERCE_EXPLICIT_CALL);
    evaluate(reinterpret_cast<Node *>(call), value, type);
    value->type = type;
}

void require_execute(Oid function) {
    if (!may_execute(function, GetUserId()))
        aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_FUNCTION, get_func_name(function));
    InvokeFunctionExecuteHook(function);
}

} // namespace pllua_bg::pg
