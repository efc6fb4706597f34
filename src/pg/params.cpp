// Statement parameters whose type the statement decides. See params.h; the rules of inference
// follow src/backend/parser/parse_param.c (variable parameters). Owns nothing.
#include "pg/params.h"

#include "pg/compat.h"
#include "pg/hooks.h"

extern "C" {
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
}

namespace pllua_bg::pg {

namespace {

// The type a value has by itself when nothing else is known: a string of unknown nature is text.
Oid own_type(const ParamTypes *types, int i) {
    if (types->params[i].table) return hooks.own_type_of_table(types->params[i].value);
    const Oid own = types->own[i];
    return own == BYTEAOID || own == UNKNOWNOID ? TEXTOID : own;
}

ParamTypes *types_of(ParseState *parse) {
    return static_cast<ParamTypes *>(parse->p_ref_hook_state);
}

// True when a column of the parameter is selected: ($1).a. It then has to have a type at once.
bool selects_column(const char *sql, int location) {
    if (sql == nullptr || location < 0) return false;
    const char *at = sql + location + 1;
    at += strspn(at, "0123456789");
    at += strspn(at, ") \t\r\n");
    return *at == '.';
}

// $n becomes a Param of the type known so far.
Node *reference_param(ParseState *parse, ParamRef *reference) {
    ParamTypes *types = types_of(parse);
    int number = reference->number;
    if (number < 1 || number > types->count)
        ereport(ERROR,
                (errcode(ERRCODE_UNDEFINED_PARAMETER), errmsg("there is no parameter $%d", number),
                 parser_errposition(parse, reference->location)));
    types->place[number - 1] = parse;
    Oid *resolved = &types->resolved[number - 1];
    if (*resolved == UNKNOWNOID && selects_column(parse->p_sourcetext, reference->location)) {
        const Oid own = own_type(types, number - 1);
        if (type_is_rowtype(own)) *resolved = own;
    }
    Param *param = makeNode(Param);
    param->paramkind = PARAM_EXTERN;
    param->paramid = number;
    param->paramtype = types->resolved[number - 1];
    param->paramtypmod = -1;
    param->paramcollid = get_typcollation(param->paramtype);
    param->location = reference->location;
    return reinterpret_cast<Node *>(param);
}

// True when the parser asks for text only because a column of a result has to have some type. Such
// requests come after the expressions of a query were transformed, and from no place in the text.
bool is_last_resort(ParseState *parse, const Param *param, Oid target, int location) {
    return target == TEXTOID && location < 0 && parse->p_expr_kind == EXPR_KIND_NONE &&
           types_of(parse)->place[param->paramid - 1] == parse;
}

// An undecided parameter takes the type its place asks for.
Node *coerce_param(ParseState *parse, Param *param, Oid target, int32, int location) {
    if (param->paramkind != PARAM_EXTERN || param->paramtype != UNKNOWNOID) return nullptr;
    ParamTypes *types = types_of(parse);
    Oid *resolved = &types->resolved[param->paramid - 1];
    if (is_last_resort(parse, param, target, location)) {
        const int i = param->paramid - 1;
        types->again = types->again || types->params[i].table || own_type(types, i) != TEXTOID;
    } else if (*resolved == UNKNOWNOID) {
        *resolved = target;
    } else if (*resolved != target) {
        ereport(ERROR,
                (errcode(ERRCODE_AMBIGUOUS_PARAMETER),
                 errmsg("inconsistent types deduced for parameter $%d", param->paramid),
                 errdetail("%s versus %s", format_type_be(*resolved), format_type_be(target)),
                 parser_errposition(parse, param->location)));
    }
    param->paramtype = target;
    param->paramtypmod = -1;
    param->paramcollid = get_typcollation(target);
    if (location >= 0 && (param->location < 0 || location < param->location))
        param->location = location;
    return reinterpret_cast<Node *>(param);
}

// True when a Param of the tree has another type than was resolved in the end.
bool finds_mismatch(Node *node, void *context) {
    if (node == nullptr) return false;
    if (IsA(node, Param)) {
        const Param *param = reinterpret_cast<Param *>(node);
        const ParamTypes *types = static_cast<const ParamTypes *>(context);
        if (param->paramkind != PARAM_EXTERN) return false;
        return param->paramid < 1 || param->paramid > types->count ||
               param->paramtype != types->resolved[param->paramid - 1] ||
               param->paramtype == UNKNOWNOID;
    }
    if (IsA(node, Query))
        return walk_query(reinterpret_cast<Query *>(node), finds_mismatch, context);
    return walk_expression(node, finds_mismatch, context);
}

} // namespace

void init_param_types(ParamTypes *types, int count, const ParamValue *params) {
    types->count = count;
    types->params = params;
    types->own = static_cast<Oid *>(palloc(sizeof(Oid) * count + 1));
    types->weak = static_cast<bool *>(palloc(sizeof(bool) * count + 1));
    types->resolved = static_cast<Oid *>(palloc(sizeof(Oid) * count + 1));
    types->place = static_cast<ParseState **>(palloc0(sizeof(ParseState *) * count + 1));
    types->again = false;
    for (int i = 0; i < count; i++) {
        types->own[i] = params[i].type;
        types->weak[i] = params[i].weak;
        types->resolved[i] = params[i].weak ? UNKNOWNOID : params[i].type;
    }
}

void setup_param_hooks(ParseState *parse, void *types) {
    parse->p_ref_hook_state = types;
    parse->p_paramref_hook = reference_param;
    parse->p_coerce_param_hook = coerce_param;
}

bool needs_second_pass(ParamTypes *types, List *queries) {
    bool undecided = false;
    for (int i = 0; i < types->count; i++)
        undecided = undecided || types->resolved[i] == UNKNOWNOID;
    bool again = types->again;
    types->again = false;
    // A parameter that occurs twice, once where nothing asks for a type, has two types in the tree.
    if (!again) {
        ListCell *cell;
        foreach (cell, queries)
            again = again || finds_mismatch(static_cast<Node *>(lfirst(cell)), types);
    }
    if (undecided)
        for (int i = 0; i < types->count; i++)
            if (types->resolved[i] == UNKNOWNOID) types->resolved[i] = own_type(types, i);
    return again;
}

List *analyze_with_params(RawStmt *statement, const char *sql, ParamTypes *types) {
    bool any_weak = false;
    for (int i = 0; i < types->count; i++) any_weak = any_weak || types->weak[i];
    RawStmt *spare = any_weak ? static_cast<RawStmt *>(copyObjectImpl(statement)) : nullptr;
    List *queries = analyze_with_hooks(statement, sql, setup_param_hooks, types);
    if (any_weak && needs_second_pass(types, queries))
        queries = analyze_with_hooks(spare, sql, setup_param_hooks, types);
    return queries;
}

ParamListInfo bind_params(const ParamTypes *types, const ParamValue *params) {
    if (types->count == 0) return nullptr;
    ParamListInfo list = makeParamList(types->count);
    for (int i = 0; i < types->count; i++) {
        ParamExternData *bound = &list->params[i];
        bound->ptype = types->resolved[i] == UNKNOWNOID ? own_type(types, i) : types->resolved[i];
        bind_param(&params[i], bound);
    }
    return list;
}

} // namespace pllua_bg::pg
