// Values of JSON as values of SQL. See args.h for the contracts.
#include "jobs/args.h"

#include "pg/compat_json.h"

extern "C" {
#include "catalog/pg_type.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"
}

namespace pllua_bg::jobs {

namespace {

bool is_json(Oid type) { return type == JSONOID || type == JSONBOID; }

char *number_text(const JsonbValue *value) {
    return DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(value->val.numeric)));
}

char *json_text(const JsonbValue *value) {
    Jsonb *json = jsonb_of(value);
    return JsonbToCString(nullptr, &json->root, static_cast<int>(VARSIZE(json)));
}

char *literal_of(const JsonbValue *value, Oid type);

// Within an array or a row anything may be quoted.
void append_quoted(StringInfo text, const char *element) {
    appendStringInfoChar(text, '"');
    for (; *element != '\0'; element++) {
        if (*element == '"' || *element == '\\') appendStringInfoChar(text, '\\');
        appendStringInfoChar(text, *element);
    }
    appendStringInfoChar(text, '"');
}

char delimiter_of(Oid element) {
    int16 length;
    bool by_value;
    char align, delimiter;
    Oid parameter, function;
    get_type_io_data(element, IOFunc_input, &length, &by_value, &align, &delimiter, &parameter,
                     &function);
    return delimiter;
}

char *array_literal(JsonbContainer *array, Oid element) {
    const char delimiter = delimiter_of(element);
    StringInfoData text;
    initStringInfo(&text);
    appendStringInfoChar(&text, '{');
    const uint32 count = JsonContainerSize(array);
    for (uint32 i = 0; i < count; i++) {
        CHECK_FOR_INTERRUPTS();
        JsonbValue *item = getIthJsonbValueFromContainer(array, i);
        if (i > 0) appendStringInfoChar(&text, delimiter);
        const bool nested =
            item->type == jbvBinary && JsonContainerIsArray(item->val.binary.data) &&
            !is_json(getBaseType(element)) && !OidIsValid(get_element_type(element));
        if (item->type == jbvNull)
            appendStringInfoString(&text, "NULL");
        else if (nested) // one more dimension
            appendStringInfoString(&text, array_literal(item->val.binary.data, element));
        else
            append_quoted(&text, literal_of(item, element));
    }
    appendStringInfoChar(&text, '}');
    return text.data;
}

char *row_literal(JsonbContainer *object, Oid type) {
    TupleDesc columns = lookup_rowtype_tupdesc(type, -1);
    StringInfoData text;
    initStringInfo(&text);
    appendStringInfoChar(&text, '(');
    bool first = true;
    for (int i = 0; i < columns->natts; i++) {
        const FormData_pg_attribute *column = TupleDescAttr(columns, i);
        if (column->attisdropped) continue;
        if (!first) appendStringInfoChar(&text, ',');
        first = false;
        const char *name = NameStr(column->attname);
        JsonbValue key;
        key.type = jbvString;
        key.val.string.val = const_cast<char *>(name);
        key.val.string.len = static_cast<int>(strlen(name));
        JsonbValue *item = findJsonbValueFromContainer(object, JB_FOBJECT, &key);
        if (item != nullptr && item->type != jbvNull)
            append_quoted(&text, literal_of(item, column->atttypid));
    }
    appendStringInfoChar(&text, ')');
    ReleaseTupleDesc(columns);
    return text.data;
}

// What the input function of the type shall read.
char *literal_of(const JsonbValue *value, Oid type) {
    check_stack_depth();
    const Oid base = getBaseType(type);
    if (is_json(base)) return json_text(value);
    switch (value->type) {
    case jbvString: return string_of(value);
    case jbvNumeric: return number_text(value);
    case jbvBool: return pstrdup(value->val.boolean ? "true" : "false");
    case jbvBinary: {
        JsonbContainer *container = value->val.binary.data;
        const Oid element = get_element_type(base);
        if (JsonContainerIsArray(container) && OidIsValid(element))
            return array_literal(container, element);
        if (JsonContainerIsObject(container) && type_is_rowtype(base) && base != RECORDOID)
            return row_literal(container, base);
        return json_text(value);
    }
    default: return json_text(value);
    }
}

// The type that a value is by itself, where the statement asks for none.
Oid own_type(const JsonbValue *value) {
    switch (value->type) {
    case jbvBool: return BOOLOID;
    case jbvBinary: return JSONBOID;
    case jbvNumeric: {
        const char *text = number_text(value);
        const Size length = strlen(text);
        const bool whole = strspn(text, "-0123456789") == length;
        if (!whole || length > 18) return NUMERICOID;
        return length > 9 ? INT8OID : INT4OID;
    }
    default: return TEXTOID;
    }
}

} // namespace

char *string_of(const JsonbValue *value) {
    return pnstrdup(value->val.string.val, static_cast<Size>(value->val.string.len));
}

Jsonb *jsonb_of(const JsonbValue *value) {
    return JsonbValueToJsonb(const_cast<JsonbValue *>(value));
}

Jsonb *in_array(Jsonb *json) {
    pg::JsonbDraft draft = {};
    (void)pg::push_jsonb(&draft, WJB_BEGIN_ARRAY);
    JsonbValue value;
    value.type = jbvNull;
    if (json != nullptr && JB_ROOT_IS_SCALAR(json))
        (void)JsonbExtractScalar(&json->root, &value);
    else if (json != nullptr)
        JsonbToJsonbValue(json, &value);
    (void)pg::push_jsonb(&draft, WJB_ELEM, &value);
    return JsonbValueToJsonb(pg::push_jsonb(&draft, WJB_END_ARRAY));
}

void read_args(Jsonb *array, Args *args) {
    args->count = array == nullptr ? 0 : static_cast<int>(JB_ROOT_COUNT(array));
    const Size count = static_cast<Size>(args->count);
    args->elements = static_cast<JsonbValue *>(palloc(sizeof(JsonbValue) * count + 1));
    args->own = static_cast<pg::ParamValue *>(palloc0(sizeof(pg::ParamValue) * count + 1));
    for (int i = 0; i < args->count; i++) {
        args->elements[i] = *getIthJsonbValueFromContainer(&array->root, static_cast<uint32>(i));
        args->own[i].type = own_type(&args->elements[i]);
        args->own[i].weak = true;
        args->own[i].isnull = true;
    }
}

Datum arg_as(const Args *args, int n, Oid type, bool *isnull) {
    const JsonbValue *value = &args->elements[n];
    Oid function, parameter;
    getTypeInputInfo(type, &function, &parameter);
    *isnull = value->type == jbvNull;
    ErrorContextCallback callback;
    callback.previous = error_context_stack;
    callback.callback = [](void *index) {
        errcontext("argument %d of the job", *static_cast<int *>(index) + 1);
    };
    callback.arg = &n;
    error_context_stack = &callback;
    // Called for NULL, too: a domain may refuse it.
    const Datum datum =
        OidInputFunctionCall(function, *isnull ? nullptr : literal_of(value, type), parameter, -1);
    error_context_stack = callback.previous;
    return datum;
}

ParamListInfo bind_args(const Args *args, const pg::ParamTypes *types) {
    if (args->count == 0) return nullptr;
    ParamListInfo list = makeParamList(args->count);
    for (int i = 0; i < args->count; i++)
        list->params[i].ptype =
            types->resolved[i] == UNKNOWNOID ? args->own[i].type : types->resolved[i];
    // An input function may submit jobs: then the statement with these types may be no more.
    for (int i = 0; i < args->count; i++) {
        ParamExternData *bound = &list->params[i];
        bound->value = arg_as(args, i, bound->ptype, &bound->isnull);
        bound->pflags = PARAM_FLAG_CONST;
    }
    return list;
}

} // namespace pllua_bg::jobs
