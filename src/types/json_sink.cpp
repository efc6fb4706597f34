// Text and tokens of JSON; json_sink.h has the contracts. Owns nothing.
#include "types/json_sink.h"

#include "pg/compat_json.h"
#include "pg/guard.h"

extern "C" {
#include "common/shortest_dec.h"
#include "nodes/makefuncs.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"
}

#include <cmath>

namespace pllua_bg::types {

namespace {

// Tokens besides the marks; each is followed by what it says of itself.
constexpr char kNull = 'n', kTrue = 't', kFalse = 'f';
constexpr char kInteger = 'i'; // a lua_Integer
constexpr char kFloat = 'd';   // a double
constexpr char kString = 's';  // its length and bytes
constexpr char kKey = 'k';     // the same
constexpr char kDatum = 'j';   // the length and bytes of a jsonb

void add_token(JsonSink *sink, char token, const void *bytes, size_t length) {
    char *to = buffer_reserve(&sink->out, length + 1);
    *to = token;
    memcpy(to + 1, bytes, length);
    sink->out.length += length + 1;
}

void add_sized_token(JsonSink *sink, char token, const void *bytes, size_t length) {
    add_token(sink, token, &length, sizeof length);
    buffer_add(&sink->out, static_cast<const char *>(bytes), length);
}

void add_quoted(TextBuffer *out, const char *text, size_t length) {
    buffer_add(out, '"');
    size_t start = 0;
    for (size_t i = 0; i < length; i++) {
        const unsigned char byte = static_cast<unsigned char>(text[i]);
        if (byte >= 0x20 && byte != '"' && byte != '\\') continue;
        buffer_add(out, text + start, i - start);
        start = i + 1;
        char escape[8];
        if (byte < 0x20)
            snprintf(escape, sizeof escape, "\\u%04x", byte);
        else
            snprintf(escape, sizeof escape, "\\%c", byte);
        buffer_add(out, escape);
    }
    buffer_add(out, text + start, length - start);
    buffer_add(out, '"');
}

void add_string(JsonSink *sink, char token, const char *text, size_t length) {
    check_encoding(sink->out.L, text, length);
    if (sink->is_text)
        add_quoted(&sink->out, text, length);
    else
        add_sized_token(sink, token, text, length);
}

// Call inside pg::call. Errors: pg.
Jsonb *to_jsonb_datum(const Type *type, Datum value) {
    FmgrInfo function;
    fmgr_info(F_TO_JSONB, &function);
    Const *argument =
        makeConst(type->oid, -1, InvalidOid, type->length, value, false, type->by_value);
    FuncExpr *call = makeFuncExpr(F_TO_JSONB, JSONBOID, list_make1(argument), InvalidOid,
                                  InvalidOid, COERCE_EXPLICIT_CALL);
    fmgr_info_set_expr(reinterpret_cast<Node *>(call), &function);
    return DatumGetJsonbP(FunctionCall1(&function, value));
}

// Reading tokens back. Everything below runs inside pg::call. Errors: pg.
struct Tokens {
    const char *at;
    const char *end;

    template <class T> T take() {
        T value;
        memcpy(&value, at, sizeof value);
        at += sizeof value;
        return value;
    }
    const char *take_bytes(size_t length) {
        const char *bytes = at;
        at += length;
        return bytes;
    }
};

void take_string(Tokens *tokens, JsonbValue *value) {
    const auto length = tokens->take<size_t>();
    if (length > JENTRY_OFFLENMASK)
        ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                        errmsg("string too long to represent as jsonb string"),
                        errdetail("Due to an implementation restriction, jsonb strings cannot "
                                  "exceed %d bytes.",
                                  JENTRY_OFFLENMASK)));
    value->type = jbvString;
    value->val.string.len = static_cast<int>(length);
    value->val.string.val = const_cast<char *>(tokens->take_bytes(length));
}

void take_float(Tokens *tokens, JsonbValue *value) {
    char text[DOUBLE_SHORTEST_DECIMAL_LEN];
    text[double_to_shortest_decimal_bufn(tokens->take<double>(), text)] = '\0';
    value->type = jbvNumeric;
    value->val.numeric = DatumGetNumeric(DirectFunctionCall3(
        numeric_in, CStringGetDatum(text), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
}

// Tokens are where they are; a jsonb has to be aligned.
void take_datum(Tokens *tokens, JsonbValue *value) {
    const auto length = tokens->take<size_t>();
    auto *jsonb = static_cast<Jsonb *>(palloc(length));
    memcpy(jsonb, tokens->take_bytes(length), length);
    if (JsonbExtractScalar(&jsonb->root, value)) return;
    value->type = jbvBinary;
    value->val.binary.data = &jsonb->root;
    value->val.binary.len = static_cast<int>(length - VARHDRSZ);
}

void take_value(Tokens *tokens, char token, JsonbValue *value) {
    switch (token) {
    case kNull: value->type = jbvNull; break;
    case kTrue:
    case kFalse:
        value->type = jbvBool;
        value->val.boolean = token == kTrue;
        break;
    case kInteger:
        value->type = jbvNumeric;
        value->val.numeric = int64_to_numeric(tokens->take<lua_Integer>());
        break;
    case kFloat: take_float(tokens, value); break;
    case kDatum: take_datum(tokens, value); break;
    default: take_string(tokens, value);
    }
}

// The whole is a scalar, or a container that its last mark has finished.
JsonbValue *take_all(Tokens *tokens, JsonbValue *scalar) {
    pg::JsonbDraft draft = {};
    JsonbValue *whole = scalar;
    while (tokens->at < tokens->end) {
        CHECK_FOR_INTERRUPTS();
        const char token = tokens->take<char>();
        switch (token) {
        case '{': pg::push_jsonb(&draft, WJB_BEGIN_OBJECT); continue;
        case '[': pg::push_jsonb(&draft, WJB_BEGIN_ARRAY); continue;
        case '}': whole = pg::push_jsonb(&draft, WJB_END_OBJECT); continue;
        case ']': whole = pg::push_jsonb(&draft, WJB_END_ARRAY); continue;
        default: break;
        }
        JsonbValue value;
        take_value(tokens, token, &value);
        if (draft.parseState == nullptr)
            *scalar = value;
        else if (token == kKey)
            pg::push_jsonb(&draft, WJB_KEY, &value);
        else
            pg::push_jsonb(
                &draft, draft.parseState->contVal.type == jbvArray ? WJB_ELEM : WJB_VALUE, &value);
    }
    return whole;
}

Datum jsonb_of_tokens(const TextBuffer *out) {
    const Scratch scratch = enter_scratch();
    Tokens tokens = {out->data, out->data + out->length};
    JsonbValue scalar;
    JsonbValue *whole = take_all(&tokens, &scalar);
    leave_scratch(scratch);
    Jsonb *result;
    if (whole->type == jbvBinary) {
        const auto size = static_cast<Size>(whole->val.binary.len) + VARHDRSZ;
        result = static_cast<Jsonb *>(palloc(size));
        memcpy(&result->root, whole->val.binary.data, size - VARHDRSZ);
        SET_VARSIZE(result, size);
    } else {
        result = JsonbValueToJsonb(whole);
    }
    end_scratch(scratch);
    return JsonbPGetDatum(result);
}

} // namespace

void sink_init(JsonSink *sink, lua_State *L, const Type *type) {
    sink->type = type;
    sink->is_text = type->family != &kJsonbFamily;
    buffer_init(&sink->out, L);
}

void sink_mark(JsonSink *sink, char mark) {
    if (sink->is_text || (mark != ',' && mark != ':')) buffer_add(&sink->out, mark);
}

void sink_null(JsonSink *sink) {
    if (sink->is_text)
        buffer_add(&sink->out, "null");
    else
        buffer_add(&sink->out, kNull);
}

void sink_boolean(JsonSink *sink, bool value) {
    if (sink->is_text)
        buffer_add(&sink->out, value ? "true" : "false");
    else
        buffer_add(&sink->out, value ? kTrue : kFalse);
}

void sink_integer(JsonSink *sink, lua_Integer value) {
    if (!sink->is_text) return add_token(sink, kInteger, &value, sizeof value);
    char text[32];
    snprintf(text, sizeof text, LUA_INTEGER_FMT, value);
    buffer_add(&sink->out, text);
}

void sink_float(JsonSink *sink, double value) {
    if (!std::isfinite(value)) {
        const char *name = std::isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity";
        return sink_string(sink, name, strlen(name));
    }
    if (!sink->is_text) return add_token(sink, kFloat, &value, sizeof value);
    char text[DOUBLE_SHORTEST_DECIMAL_LEN];
    text[double_to_shortest_decimal_bufn(value, text)] = '\0';
    buffer_add(&sink->out, text);
}

void sink_string(JsonSink *sink, const char *text, size_t length) {
    add_string(sink, kString, text, length);
}

void sink_key(JsonSink *sink, const char *text, size_t length) {
    add_string(sink, kKey, text, length);
}

void sink_datum(JsonSink *sink, const Type *type, Datum value) {
    Datum made = 0;
    const bool is_text = sink->is_text;
    pg::call_own_subxact(sink->out.L, [&] {
        const Scratch scratch = enter_scratch();
        Jsonb *jsonb = to_jsonb_datum(type, value);
        char *text = is_text ? JsonbToCString(nullptr, &jsonb->root, VARSIZE(jsonb)) : nullptr;
        leave_scratch(scratch);
        made =
            is_text ? PointerGetDatum(pstrdup(text)) : datumCopy(JsonbPGetDatum(jsonb), false, -1);
        end_scratch(scratch);
    });
    if (is_text)
        buffer_add(&sink->out, DatumGetCString(made));
    else
        add_sized_token(sink, kDatum, DatumGetPointer(made), VARSIZE(DatumGetPointer(made)));
    pfree(DatumGetPointer(made));
}

Datum sink_finish(JsonSink *sink) {
    lua_State *L = sink->out.L;
    if (sink->is_text) buffer_add(&sink->out, '\0');
    if (sink->out.length > MaxAllocSize - VARHDRSZ)
        lua::raise(L, "54000", "JSON text is too large");
    Datum value = 0;
    pg::call_own_subxact(L, [&] {
        value =
            sink->is_text ? call_input(sink->type, sink->out.data) : jsonb_of_tokens(&sink->out);
    });
    return value;
}

} // namespace pllua_bg::types
