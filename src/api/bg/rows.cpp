// Reading the rows of a statement of a session. See rows.h for the contracts.
#include "api/bg/rows.h"

#include "api/bg/bg.h"
#include "api/lang/result.h"
#include "lua/fields.h"
#include "pg/compat_rows.h"
#include "pg/guard.h"
#include "pg/open_type.h"

extern "C" {
#include "access/htup_details.h"
#include "access/transam.h"
#include "utils/inval.h"
}

namespace pllua_bg::api {

namespace {

// Shapes of so many different results are kept for each session.
constexpr int kMaxShapes = 32;

// Shapes are kept only for types that can never change.
bool is_permanent(const RowSource *source) {
    for (int i = 0; i < source->ncolumns; i++) {
        const session::Column &column = source->info[i];
        if (column.as_text || column.type >= FirstNormalObjectId) return false;
    }
    return true;
}

// Pushes a string that two results have in common only when their columns are the same.
void push_fingerprint(lua_State *L, const RowSource *source) {
    luaL_Buffer buffer;
    luaL_buffinit(L, &buffer);
    for (int i = 0; i < source->ncolumns; i++) {
        const session::Column &column = source->info[i];
        luaL_addlstring(&buffer, reinterpret_cast<const char *>(&column.type), sizeof(column.type));
        luaL_addlstring(&buffer, reinterpret_cast<const char *>(&column.typmod),
                        sizeof(column.typmod));
        luaL_addlstring(&buffer, NameStr(column.name), strlen(NameStr(column.name)) + 1);
    }
    luaL_pushresult(&buffer);
}

void push_new_shape(lua_State *L, const RowSource *source) {
    auto **names = static_cast<const char **>(
        lua_newuserdatauv(L, sizeof(char *) * static_cast<size_t>(source->ncolumns + 1), 0));
    for (int i = 0; i < source->ncolumns; i++) names[i] = source->info[i].type_name;
    push_result_shape(L, source->descriptor, names);
    lua_remove(L, -2);
}

// Pushes the shape of a result whose columns all have permanent types.
void push_kept_shape(lua_State *L, int handle_idx, const RowSource *source) {
    push_fingerprint(L, source);
    if (lua_getiuservalue(L, handle_idx, kHandleShapes) == LUA_TTABLE) {
        lua_pushvalue(L, -2);
        if (lua_rawget(L, -2) == LUA_TTABLE) {
            lua_replace(L, -3);
            lua_pop(L, 1);
            return;
        }
        lua_pop(L, 1);
        lua_getfield(L, -1, "n");
    } else {
        lua_pushinteger(L, kMaxShapes);
    }
    lua_Integer count = lua_tointeger(L, -1);
    lua_pop(L, 1);
    if (count >= kMaxShapes) {
        lua_pop(L, 1);
        lua_createtable(L, 0, 4);
        lua_pushvalue(L, -1);
        lua_setiuservalue(L, handle_idx, kHandleShapes);
        count = 0;
    }
    lua::set_integer(L, "n", count + 1);
    push_new_shape(L, source); // fingerprint, shapes, shape
    lua_pushvalue(L, -1);
    lua_insert(L, -4); // shape, fingerprint, shapes, shape
    lua_insert(L, -3); // shape, shape, fingerprint, shapes
    lua_insert(L, -3); // shape, shapes, shape, fingerprint
    lua_insert(L, -2); // shape, shapes, fingerprint, shape
    lua_rawset(L, -3);
    lua_pop(L, 1);
}

// The caller calls finish_descriptor.
void set_type(RowSource *source, int column, Oid type, int32 typmod) {
    TupleDescInitEntry(source->descriptor, static_cast<AttrNumber>(column + 1),
                       NameStr(source->info[column].name), type, typmod, 0);
}

// As what a type is read whose values name cursors: these are none of ours, but names.
Oid without_cursors(Oid type) {
    if (!pg::names_cursors(type)) return type;
    const Oid element = get_element_type(getBaseType(type));
    return OidIsValid(element) && getBaseType(element) == REFCURSOROID ? TEXTARRAYOID : TEXTOID;
}

// Decides on a column that came as text, or whose type has row types in it.
void resolve_type(RowSource *source, int number) {
    const session::Column &column = source->info[number];
    TextColumn *text = &source->columns[number];
    text->definitions = session::read_definitions(column.definitions, column.definitions_length);
    const bool holds =
        !column.changed && session::definitions_hold(text->definitions, session::is_own_worker);
    if (!column.as_text) {
        text->foreign = !holds;
        if (text->foreign) set_type(source, number, TEXTOID, -1);
        return;
    }
    const Oid own = session::type_here(column);
    // An input function may run code of the session's user: the constraints of domains. Who is
    // somebody else reads the text.
    text->convert = holds && source->user == GetUserId() && get_typtype(own) != TYPTYPE_PSEUDO &&
                    get_typisdefined(own);
    if (!text->convert) return;
    const Oid type = without_cursors(own);
    Oid input;
    getTypeInputInfo(type, &input, &text->io_param);
    fmgr_info(input, &text->input);
    text->typmod = type == own ? column.typmod : -1;
    set_type(source, number, type, text->typmod);
}

// Gives the columns that came as text their true types, in a new descriptor. A column whose type is
// unknown here or has another shape here, or cannot be read from text (record), is text; so it is
// for another user than the session's. Allocates in CurrentMemoryContext. Errors: pg.
void resolve_types(RowSource *source) {
    // The session may have committed the type since we last looked for it in vain.
    AcceptInvalidationMessages();
    source->descriptor = CreateTupleDescCopy(source->descriptor);
    for (int i = 0; i < source->ncolumns; i++) resolve_type(source, i);
    pg::finish_descriptor(source->descriptor);
}

bool has_text_columns(const RowSource *source) {
    for (int i = 0; i < source->ncolumns; i++)
        if (source->info[i].as_text || source->info[i].definitions_length > 0) return true;
    return false;
}

// Makes the source independent of the memory of its command. Errors: pg.
void copy_columns(RowSource *source) {
    const Size n = static_cast<Size>(source->ncolumns);
    auto *copy = static_cast<session::Column *>(palloc(sizeof(session::Column) * (n + 1)));
    memcpy(copy, source->info, sizeof(session::Column) * n);
    for (int i = 0; i < source->ncolumns; i++) {
        char *definitions = static_cast<char *>(palloc(copy[i].definitions_length + 1));
        memcpy(definitions, copy[i].definitions, copy[i].definitions_length);
        copy[i].definitions = definitions;
        copy[i].type_name = pstrdup(copy[i].type_name);
    }
    source->info = copy;
    source->descriptor = CreateTupleDescCopy(source->descriptor);
}

// Makes the value of a column what it is to be.
Datum convert_value(const RowSource *source, int number, Datum value) {
    const session::Column *info = &source->info[number];
    TextColumn *column = &source->columns[number];
    if (column->foreign)
        return CStringGetTextDatum(session::text_by_definition(value, column->definitions));
    // The rows before had the type.
    if (!(info->as_text && !column->convert) &&
        !session::definitions_hold(column->definitions, session::is_own_worker))
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("type %s was changed while rows of it were read", info->type_name)));
    if (!column->convert) return value;
    if (source->user != GetUserId())
        ereport(ERROR,
                (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                 errmsg("the user has changed while rows of type %s were read", info->type_name)));
    return session::read_text(*info, &column->input, TextDatumGetCString(value), column->io_param,
                              column->typmod);
}

} // namespace

void open_source(RowSource *source, session::StatementResult *statement, bool keep) {
    source->memory =
        AllocSetContextCreate(CurrentMemoryContext, "pllua_bg result", ALLOCSET_SMALL_SIZES);
    source->reader = session::open_reader(statement, source->memory);
    source->ncolumns = statement->ncolumns;
    source->info = statement->columns;
    source->user = statement->user;
    source->descriptor = source->sent = statement->descriptor;
    source->columns = nullptr;
    MemoryContext caller = MemoryContextSwitchTo(source->memory);
    if (keep) {
        copy_columns(source);
        source->sent = source->descriptor;
    }
    if (has_text_columns(source)) {
        const Size n = static_cast<Size>(source->ncolumns);
        source->columns = static_cast<TextColumn *>(palloc0(sizeof(TextColumn) * n));
        source->values = static_cast<Datum *>(palloc(sizeof(Datum) * n));
        source->nulls = static_cast<bool *>(palloc(sizeof(bool) * n));
        source->row = AllocSetContextCreate(source->memory, "pllua_bg row", ALLOCSET_SMALL_SIZES);
        resolve_types(source);
    }
    MemoryContextSwitchTo(caller);
}

void convert_tuple(RowSource *source, MinimalTuple tuple) {
    MemoryContextReset(source->row);
    MemoryContext caller = MemoryContextSwitchTo(source->row);
    HeapTupleData heap = {};
    heap.t_len = tuple->t_len + MINIMAL_TUPLE_OFFSET;
    heap.t_data =
        reinterpret_cast<HeapTupleHeader>(reinterpret_cast<char *>(tuple) - MINIMAL_TUPLE_OFFSET);
    heap_deform_tuple(&heap, source->sent, source->values, source->nulls);
    for (int i = 0; i < source->ncolumns; i++)
        if (!source->nulls[i]) source->values[i] = convert_value(source, i, source->values[i]);
    MemoryContextSwitchTo(caller);
}

void close_source(RowSource *source) {
    session::close_reader(source->reader);
    MemoryContextDelete(source->memory);
}

void push_source_shape(lua_State *L, int handle_idx, const RowSource *source) {
    if (is_permanent(source))
        push_kept_shape(L, handle_idx, source);
    else
        push_new_shape(L, source);
}

} // namespace pllua_bg::api
