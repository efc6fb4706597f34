// Makes row shapes and rows. Owns the cache of shapes of named row types,
// in the registry of each state.
#include "types/shape.h"

#include "lua/fields.h"
#include "lua/state.h"
#include "lua/userdata.h"
#include "pg/guard.h"

namespace pllua_bg::types {

namespace {

const char kShapeMark = 0; // key of the userdata in a shape
const char kCacheKey = 0;  // key of the cache in the registry
constexpr char kShapeType[] = "row shape";
constexpr int kMostSearched = 32; // then a look into the table of names is cheaper

int collect(lua_State *L) {
    Shape *shape = static_cast<Shape *>(lua_touserdata(L, 1));
    // Frees memory only: no server error can come from it.
    if (shape->descriptor != nullptr) FreeTupleDesc(shape->descriptor);
    shape->descriptor = nullptr;
    shape->searched = 0;
    lua::account_external(L, -shape->counted);
    shape->counted = 0;
    return 0;
}

// Call inside pg::call. Errors: pg.
void fill_columns(Shape *shape, TupleDesc descriptor) {
    MemoryContext old = MemoryContextSwitchTo(plan_context());
    shape->descriptor = CreateTupleDescCopyConstr(descriptor);
    MemoryContextSwitchTo(old);
    for (int i = 0; i < descriptor->natts; i++) {
        const Form_pg_attribute attribute = TupleDescAttr(descriptor, i);
        if (attribute->attisdropped) continue;
        shape->columns[i].type = lookup(attribute->atttypid, attribute->atttypmod);
        shape->live++;
    }
    if (descriptor->tdtypeid != RECORDOID || descriptor->tdtypmod >= 0)
        shape->identifier =
            assign_record_type_identifier(descriptor->tdtypeid, descriptor->tdtypmod);
}

// Makes the table of names of the shape on top of the stack.
void set_names(lua_State *L, Shape *shape) {
    lua_createtable(L, 0, shape->live);
    for (int i = shape->descriptor->natts - 1; i >= 0; i--) {
        if (shape->columns[i].type == nullptr) continue;
        const char *name = lua_pushstring(L, NameStr(TupleDescAttr(shape->descriptor, i)->attname));
        lua_pushvalue(L, -1);
        if (lua_rawget(L, -3) == LUA_TNIL) {
            shape->columns[i].key = lua_topointer(L, -2);
            shape->columns[i].name = name;
            lua_pushvalue(L, -2);
            lua_pushinteger(L, i + 1);
            lua_rawset(L, -5);
        }
        lua_pop(L, 2);
    }
    lua_setiuservalue(L, -2, 1);
    shape->searched = Min(shape->descriptor->natts, kMostSearched);
}

// Pushes a new shape.
void make_shape(lua_State *L, TupleDesc descriptor) {
    const int natts = descriptor->natts;
    const Size size = offsetof(Shape, columns) + sizeof(ShapeColumn) * static_cast<Size>(natts);
    lua_createtable(L, 0, 10);
    Shape *shape = static_cast<Shape *>(lua_newuserdatauv(L, size, 1));
    MemSet(shape, 0, size);
    if (lua::new_metatable(L, kShapeType)) {
        lua_pushcfunction(L, collect);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    pg::call_own_subxact(L, [&] { fill_columns(shape, descriptor); });
    shape->counted = static_cast<ptrdiff_t>(GetMemoryChunkSpace(shape->descriptor));
    lua::account_external(L, shape->counted);
    set_names(L, shape);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, -3, &kShapeMark);
    add_row_metamethods(L);
    if (descriptor->tdtypeid == RECORDOID)
        lua_pushliteral(L, "row");
    else
        push_type_name(L, descriptor->tdtypeid);
    lua_setfield(L, -2, "__name");
    lua::set_boolean(L, "__metatable", true);
}

lua_Integer cache_key(Oid type, int32 typmod) {
    return static_cast<lua_Integer>(static_cast<uint64>(type) << 32 | static_cast<uint32>(typmod));
}

// Pushes the cached shape of a type; null, and nothing pushed, when there is none.
Shape *push_cached(lua_State *L, Oid type, int32 typmod) {
    const int top = lua_gettop(L);
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &kCacheKey) != LUA_TTABLE ||
        lua_rawgeti(L, -1, cache_key(type, typmod)) != LUA_TTABLE) {
        lua_settop(L, top);
        return nullptr;
    }
    lua_remove(L, -2);
    Shape *shape = push_shape_data(L, -1);
    lua_pop(L, 1);
    return shape;
}

} // namespace

Shape *push_shape_data(lua_State *L, int metatable_idx) {
    if (lua_rawgetp(L, metatable_idx, &kShapeMark) != LUA_TUSERDATA) {
        lua_pop(L, 1);
        return nullptr;
    }
    auto *shape = static_cast<Shape *>(lua_touserdata(L, -1));
    if (shape->descriptor == nullptr) lua::raise_finalized(L, "a row");
    return shape;
}

Shape *push_shape_of_row(lua_State *L, int idx) {
    if (lua_type(L, idx) != LUA_TTABLE || !lua_getmetatable(L, idx)) return nullptr;
    Shape *shape = push_shape_data(L, -1);
    if (shape != nullptr)
        lua_remove(L, -2);
    else
        lua_pop(L, 1);
    return shape;
}

bool is_row(lua_State *L, int idx) {
    if (push_shape_of_row(L, idx) == nullptr) return false;
    lua_pop(L, 1);
    return true;
}

void push_shape(lua_State *L, TupleDesc descriptor) {
    lua::need_stack(L, 10);
    const Oid type = descriptor->tdtypeid;
    const int32 typmod = descriptor->tdtypmod;
    const bool named = type != RECORDOID || typmod >= 0;
    if (!named) return make_shape(L, descriptor);
    const Shape *cached = push_cached(L, type, typmod);
    if (cached != nullptr && equalTupleDescs(descriptor, cached->descriptor)) return;
    if (cached != nullptr) lua_pop(L, 1);
    make_shape(L, descriptor);
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &kCacheKey) != LUA_TTABLE) {
        lua_pop(L, 1);
        lua_newtable(L);
        lua_pushvalue(L, -1);
        lua_rawsetp(L, LUA_REGISTRYINDEX, &kCacheKey);
    }
    lua_pushvalue(L, -2);
    lua_rawseti(L, -2, cache_key(type, typmod));
    lua_pop(L, 1);
}

void push_shape_of_type(lua_State *L, Oid type, int32 typmod, const TypeCacheEntry *entry) {
    Shape *shape = push_cached(L, type, typmod);
    if (shape != nullptr) {
        // Descriptors in the record cache never change;
        // those of named types change with their identifier.
        if (type == RECORDOID) return;
        if (entry == nullptr) entry = find(L, type, -1)->cache;
        if (entry != nullptr && entry->tupDesc != nullptr &&
            entry->tupDesc_identifier == shape->identifier)
            return;
        lua_pop(L, 1);
    }
    TupleDesc descriptor = nullptr;
    uint64 identifier = 0;
    pg::call_own_subxact(L, [&] {
        descriptor = lookup_rowtype_tupdesc_copy(type, typmod);
        identifier = assign_record_type_identifier(type, typmod);
    });
    push_shape(L, descriptor);
    FreeTupleDesc(descriptor);
    shape = push_shape_data(L, -1);
    lua_pop(L, 1);
    shape->identifier = identifier;
}

namespace {

// Servers that know the age of composite values mark them so;
// tuples in tables never have both bits.
bool is_composite_value(const HeapTupleHeaderData *tuple) {
    constexpr uint16 kMark = HEAP_XMAX_COMMITTED | HEAP_XMAX_INVALID;
    return (tuple->t_infomask & kMark) == kMark;
}

void push_values(lua_State *L, int shape_idx, const Shape *shape, const Datum *values,
                 const bool *nulls) {
    const int natts = shape->descriptor->natts;
    lua_createtable(L, 0, shape->live);
    for (int i = 0; i < natts; i++) {
        const Type *type = shape->columns[i].type;
        if (nulls[i] || type == nullptr) continue;
        type->to_lua(L, type, values[i]);
        set_column(L, -2, i);
    }
    finish_row(L, shape_idx);
}

// The shape at shape_idx, which whoever has it keeps.
const Shape *shape_at(lua_State *L, int shape_idx) {
    const Shape *shape = push_shape_data(L, shape_idx);
    lua_pop(L, 1);
    return shape;
}

} // namespace

void push_row(lua_State *L, int shape_idx, const Datum *values, const bool *nulls) {
    lua::need_stack(L, 12);
    shape_idx = lua_absindex(L, shape_idx);
    push_values(L, shape_idx, shape_at(L, shape_idx), values, nulls);
}

int push_columns(lua_State *L, int shape_idx, const Datum *values, const bool *nulls) {
    const Shape *shape = shape_at(L, shape_idx);
    const int natts = shape->descriptor->natts;
    lua::need_stack(L, natts + 8);
    for (int i = 0; i < natts; i++) {
        const Type *type = shape->columns[i].type;
        if (type == nullptr) continue;
        if (nulls[i])
            lua_pushnil(L);
        else
            type->to_lua(L, type, values[i]);
    }
    return shape->live;
}

void push_row_of_tuple(lua_State *L, int shape_idx, HeapTuple tuple) {
    Datum values[MaxTupleAttributeNumber];
    bool nulls[MaxTupleAttributeNumber];
    lua::need_stack(L, 12);
    lua::check_stack(L);
    shape_idx = lua_absindex(L, shape_idx);
    const Shape *shape = shape_at(L, shape_idx);
    const auto deform = [&] { heap_deform_tuple(tuple, shape->descriptor, values, nulls); };
    // The server may refuse a composite value that is older than its type. Of any other row it
    // makes missing columns, in memory: there is nothing to roll back.
    if (is_composite_value(tuple->t_data))
        pg::call_own_subxact(L, deform);
    else
        pg::call_no_subxact(L, deform);
    push_values(L, shape_idx, shape, values, nulls);
}

void push_row_of_minimal(lua_State *L, int shape_idx, MinimalTuple tuple) {
    HeapTupleData whole = {};
    whole.t_len = tuple->t_len + MINIMAL_TUPLE_OFFSET;
    whole.t_data =
        reinterpret_cast<HeapTupleHeader>(reinterpret_cast<char *>(tuple) - MINIMAL_TUPLE_OFFSET);
    push_row_of_tuple(L, shape_idx, &whole);
}

} // namespace pllua_bg::types
