// Values in a form that means the same on every server: text, but for bytea. See params.h. Owns
// nothing.
#include "remote/params.h"

#include "pg/compat.h"
#include "pg/params.h"
#include "remote/rows.h"

extern "C" {
#include "mb/pg_wchar.h"
#include "utils/datetime.h"
#include "utils/float.h"
#include "utils/snapmgr.h"
}

namespace pllua_bg::remote {

namespace {

// A string of Lua code, of which nobody has said whether it is text.
bool is_string(const session::Param &param) {
    return param.weak && param.type == BYTEAOID && !param.table;
}

// Bytes that are other bytes when a bytea reads them as text.
bool is_ambiguous(const session::Param &param) {
    if (param.isnull) return false;
    if (param.table) return true;
    if (!is_string(param)) return false;
    struct varlena *bytes = PG_DETOAST_DATUM_PACKED(param.value);
    const char *data = VARDATA_ANY(bytes);
    const int length = static_cast<int>(VARSIZE_ANY_EXHDR(bytes));
    return memchr(data, '\\', length) != nullptr || memchr(data, '\0', length) != nullptr ||
           !pg_verifymbstr(data, length, true);
}

// Output functions write what any server reads, whatever is set here. Returns what
// AtEOXact_GUC() takes. As set_transmission_modes() of postgres_fdw.
int begin_output() {
    const int level = NewGUCNestLevel();
    const auto set = [](const char *name, const char *value) {
        (void)set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0,
                                false);
    };
    if (DateStyle != USE_ISO_DATES) set("datestyle", "ISO");
    if (IntervalStyle != INTSTYLE_POSTGRES) set("intervalstyle", "postgres");
    if (extra_float_digits < 3) set("extra_float_digits", "3");
    set("search_path", "pg_catalog"); // names are written whole
    return level;
}

const char *output(Oid type, Datum value) {
    Oid function;
    bool is_varlena;
    getTypeOutputInfo(type, &function, &is_varlena);
    return OidOutputFunctionCall(function, value);
}

const char *text_of(const session::Param &param, Oid wanted) {
    if (param.isnull) return nullptr;
    if (is_everywhere(wanted) && (wanted != param.type || param.table)) {
        ParamExternData bound = {};
        bound.ptype = wanted;
        pg::bind_param(&param, &bound);
        return bound.isnull ? nullptr : output(wanted, bound.value);
    }
    if (param.table)
        ereport(ERROR,
                (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                 errmsg("a table cannot become a value of a type of another server"),
                 errhint("Send it as text, or as a value of a type that every server has.")));
    if (!is_string(param)) return output(param.type, param.value);
    struct varlena *bytes = PG_DETOAST_DATUM_PACKED(param.value);
    const int length = static_cast<int>(VARSIZE_ANY_EXHDR(bytes));
    pg_verifymbstr(VARDATA_ANY(bytes), length, false);
    return text_to_cstring(reinterpret_cast<text *>(bytes));
}

// What the server takes for a bytea goes as it is: its text form is twice as long.
bool is_binary(const session::Param &param, Oid wanted) {
    if (param.isnull || param.table || param.type != BYTEAOID) return false;
    return wanted == BYTEAOID || (wanted == InvalidOid && !param.weak);
}

} // namespace

TypeId *declared_types(const session::CommandMessage *command) {
    auto *types = static_cast<TypeId *>(palloc0(sizeof(TypeId) * (command->nparams + 1)));
    for (uint32 i = 0; i < command->nparams; i++) {
        const session::Param &param = command->params[i];
        if (!param.weak && is_everywhere(param.type)) types[i] = param.type;
    }
    return types;
}

bool needs_description(const session::CommandMessage *command) {
    for (uint32 i = 0; i < command->nparams; i++)
        if (is_ambiguous(command->params[i])) return true;
    return false;
}

Values make_values(const session::CommandMessage *command, const TypeId *described,
                   int ndescribed) {
    const int count = static_cast<int>(command->nparams);
    if (described != nullptr && count != ndescribed)
        ereport(ERROR,
                (errcode(ERRCODE_SYNTAX_ERROR),
                 errmsg("wrong number of parameters: expected %d, got %d", ndescribed, count)));
    Values values = {count, nullptr, nullptr, nullptr, nullptr};
    if (count == 0) return values;
    const auto n = static_cast<Size>(count);
    auto **sent = static_cast<const char **>(palloc0(sizeof(char *) * n));
    auto *lengths = static_cast<int *>(palloc0(sizeof(int) * n));
    auto *formats = static_cast<int *>(palloc0(sizeof(int) * n));
    PushActiveSnapshot(GetTransactionSnapshot());
    const int level = begin_output();
    for (int i = 0; i < count; i++) {
        const session::Param &param = command->params[i];
        const Oid wanted = described == nullptr ? InvalidOid : described[i];
        if (is_binary(param, wanted)) {
            struct varlena *bytes = PG_DETOAST_DATUM_PACKED(param.value);
            sent[i] = VARDATA_ANY(bytes);
            lengths[i] = static_cast<int>(VARSIZE_ANY_EXHDR(bytes));
            formats[i] = 1;
        } else {
            sent[i] = text_of(param, wanted);
        }
    }
    AtEOXact_GUC(true, level);
    PopActiveSnapshot();
    values.values = sent;
    values.lengths = lengths;
    values.formats = formats;
    return values;
}

} // namespace pllua_bg::remote
