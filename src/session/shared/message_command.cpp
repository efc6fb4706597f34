// A command as it travels: its text and its typed parameters, in binary. See message.h.
// Owns nothing.
#include "session/shared/message.h"

#include "pg/guard.h"
#include "pg/open_type.h"

extern "C" {
#include "access/detoast.h"
#include "utils/datum.h"
}

namespace pllua_bg::session {

namespace {

struct CommandHeader {
    CommandId id;
    uint32 flags;
    uint32 nparams;
    uint32 sql_length; // with its end
    uint32 statement;
};
static_assert(sizeof(CommandHeader) == 24);

// In front of each parameter; the bytes of the value follow, 8-aligned, and then those of its
// definitions, 8-aligned.
struct ParamHeader {
    Oid type;
    uint32 length;
    uint32 definitions; // bytes of definitions behind the value
    bool weak;
    bool isnull;
    bool by_value;
    bool table;
};
static_assert(sizeof(ParamHeader) == 16);

// A parameter in the form in which it travels.
struct FlatParam {
    ParamHeader header;
    const void *bytes;
    Datum value;
    StringInfoData definitions;
};

void refuse_local_type(const Param *param, int number) {
    if (pg::is_local_type(param->type))
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("parameter $%d of type %s cannot be sent to a background session",
                               number, format_type_be(param->type)),
                        errhint("Cast it to a named composite type or to text.")));
}

// The worker would not see the change, or wait for us; what it would store may never come to be.
void refuse_open_type(const Param *param, int number) {
    if (param->isnull || param->type < FirstNormalObjectId || !pg::open_type(param->type).changed)
        return;
    ereport(ERROR,
            (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
             errmsg("type %s of parameter $%d is being changed by the open transaction",
                    format_type_be(param->type), number),
             errhint("It can be used in a background session once the change is committed.")));
}

// The value as a text that the other database makes of it what it asks for.
Param as_weak_text(const Param *param) {
    Param text = {TEXTOID, true, param->isnull, 0, false};
    if (param->isnull) return text;
    Oid output;
    bool is_varlena;
    getTypeOutputInfo(param->type, &output, &is_varlena);
    text.value = CStringGetTextDatum(OidOutputFunctionCall(output, param->value));
    return text;
}

bool goes_as_text(const Param *param, bool elsewhere) {
    return elsewhere && !param->table && !pg::is_known_everywhere(param->type);
}

// Fills `flat`; what it points to is the parameter's own value or in CurrentMemoryContext.
void flatten(const Param *param, int number, FlatParam *flat) {
    memset(flat, 0, sizeof *flat);
    flat->header.type = param->type;
    flat->header.weak = param->weak;
    flat->header.isnull = param->isnull;
    flat->header.table = param->table;
    if (param->isnull) return;
    refuse_local_type(param, number);
    initStringInfo(&flat->definitions);
    write_definitions(&flat->definitions, param->type);
    flat->header.definitions = static_cast<uint32>(flat->definitions.len);
    int16 length;
    bool by_value;
    get_typlenbyval(param->type, &length, &by_value);
    flat->value = param->value;
    flat->header.by_value = by_value;
    if (by_value) {
        flat->header.length = sizeof(Datum);
        return;
    }
    if (length == -1)
        flat->value = PointerGetDatum(detoast_external_attr(
            reinterpret_cast<struct varlena *>(DatumGetPointer(param->value))));
    Size size = datumGetSize(flat->value, false, length);
    if (size > MaxAllocSize) elog(ERROR, "invalid parameter size %zu", size);
    flat->header.length = static_cast<uint32>(size);
    flat->bytes = DatumGetPointer(flat->value);
}

// The parameters of a command, and its length with them.
struct Flat {
    MemoryContext scratch; // of `params` and what they point to; null when there are none
    FlatParam *params;
    Size length;
};

void flatten_params(const CommandMessage *command, bool elsewhere, Flat *flat) {
    MemoryContextSwitchTo(flat->scratch);
    flat->params = static_cast<FlatParam *>(palloc(sizeof(FlatParam) * command->nparams));
    for (uint32 i = 0; i < command->nparams; i++) {
        FlatParam *param = &flat->params[i];
        const Param *given = &command->params[i];
        const Param text = goes_as_text(given, elsewhere) ? as_weak_text(given) : *given;
        flatten(&text, static_cast<int>(i) + 1, param);
        flat->length += MAXALIGN(sizeof(ParamHeader)) + MAXALIGN(param->header.length) +
                        MAXALIGN(param->header.definitions);
    }
}

void check_length(Size length) {
    if (length + sizeof(FrameHeader) > MaxAllocSize)
        ereport(ERROR,
                (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                 errmsg("command of %zu bytes is too long for a background session", length)));
}

// One statement of the caller's may send any number of commands, so nothing of one stays behind.
template <class F> void with_flat(const CommandMessage *command, bool elsewhere, F write) {
    Flat flat = {nullptr, nullptr, sizeof(CommandHeader) + MAXALIGN(strlen(command->sql) + 1)};
    if (command->nparams == 0) {
        check_length(flat.length);
        write(&flat);
        return;
    }
    MemoryContext outer = CurrentMemoryContext;
    flat.scratch = AllocSetContextCreate(outer, "pllua_bg parameters", ALLOCSET_SMALL_SIZES);
    ErrorData *error = pg::attempt([&flat, command, elsewhere, outer, write] {
        flatten_params(command, elsewhere, &flat);
        check_length(flat.length);
        MemoryContextSwitchTo(outer);
        write(&flat);
    });
    MemoryContextDelete(flat.scratch);
    if (error != nullptr) pg::rethrow(error);
}

void fill(char *at, const CommandMessage *command, const FlatParam *flat) {
    CommandHeader header = {};
    header.id = command->id;
    header.flags = command->flags;
    header.nparams = command->nparams;
    header.sql_length = static_cast<uint32>(strlen(command->sql) + 1);
    header.statement = command->statement;
    memcpy(at, &header, sizeof header);
    at += sizeof header;
    memcpy(at, command->sql, header.sql_length);
    at += MAXALIGN(header.sql_length);
    for (uint32 i = 0; i < command->nparams; i++) {
        memcpy(at, &flat[i].header, sizeof(ParamHeader));
        at += MAXALIGN(sizeof(ParamHeader));
        const void *bytes = flat[i].header.by_value ? &flat[i].value : flat[i].bytes;
        if (flat[i].header.length > 0) memcpy(at, bytes, flat[i].header.length);
        at += MAXALIGN(flat[i].header.length);
        const uint32 definitions = flat[i].header.definitions;
        if (definitions > 0) memcpy(at, flat[i].definitions.data, definitions);
        at += MAXALIGN(definitions);
    }
}

} // namespace

void write_command(Channel *channel, const CommandMessage &command, bool elsewhere) {
    for (uint32 i = 0; i < command.nparams && !elsewhere; i++)
        refuse_open_type(&command.params[i], static_cast<int>(i) + 1);
    with_flat(&command, elsewhere, [channel, &command](const Flat *flat) {
        fill(begin_frame(channel, MessageType::kCommand, flat->length), &command, flat->params);
    });
}

void append_command(StringInfo frames, const CommandMessage &command) {
    with_flat(&command, false, [frames, &command](const Flat *flat) {
        fill(append_frame(frames, MessageType::kCommand, flat->length), &command, flat->params);
    });
}

CommandMessage read_command(const Frame &frame) {
    const char *at = frame.payload;
    CommandHeader header;
    memcpy(&header, at, sizeof header);
    at += sizeof header;
    CommandMessage command = {};
    command.id = header.id;
    command.flags = header.flags;
    command.nparams = header.nparams;
    command.statement = header.statement;
    command.sql = pnstrdup(at, header.sql_length - 1);
    at += MAXALIGN(header.sql_length);
    Param *params = static_cast<Param *>(palloc(sizeof(Param) * header.nparams + 1));
    command.definitions =
        static_cast<RowDefinition **>(palloc(sizeof(RowDefinition *) * header.nparams + 1));
    for (uint32 i = 0; i < header.nparams; i++) {
        ParamHeader one;
        memcpy(&one, at, sizeof one);
        at += MAXALIGN(sizeof one);
        params[i] = {one.type, one.weak, one.isnull, 0, one.table};
        if (!one.isnull && one.by_value) {
            memcpy(&params[i].value, at, sizeof(Datum));
        } else if (!one.isnull) {
            char *bytes = static_cast<char *>(palloc(one.length));
            memcpy(bytes, at, one.length);
            params[i].value = PointerGetDatum(bytes);
        }
        at += MAXALIGN(one.length);
        command.definitions[i] = read_definitions(at, one.definitions);
        at += MAXALIGN(one.definitions);
    }
    command.params = params;
    return command;
}

} // namespace pllua_bg::session
