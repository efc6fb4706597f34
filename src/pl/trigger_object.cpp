// The object `trigger`. See trigger.h for the contracts.
#include "pl/trigger.h"

#include "lua/error.h"
#include "lua/fields.h"
#include "lua/userdata.h"
#include "pg/guard.h"

namespace pllua_bg::pl {

namespace {

constexpr char kTriggerType[] = "trigger object";

struct TriggerObject {
    uint64 execution; // the number of the execution it belongs to
};

TriggerCall *check_call(lua_State *L) {
    auto *object = lua::check_userdata<TriggerObject>(L, 1, kTriggerType);
    ExecutionContext *execution = find_execution(object->execution);
    if (execution == nullptr) lua::raise(L, "55000", "cannot access dead trigger object");
    return static_cast<TriggerCall *>(execution->data);
}

const char *operation(TriggerEvent event) {
    if (TRIGGER_FIRED_BY_INSERT(event)) return "insert";
    if (TRIGGER_FIRED_BY_UPDATE(event)) return "update";
    if (TRIGGER_FIRED_BY_DELETE(event)) return "delete";
    return "truncate";
}

void push_operation(lua_State *L, const TriggerCall *call) {
    lua_pushstring(L, operation(call->data->tg_event));
}

void push_name(lua_State *L, const TriggerCall *call) {
    lua_pushstring(L, call->data->tg_trigger->tgname);
}

void push_when(lua_State *L, const TriggerCall *call) {
    const TriggerEvent event = call->data->tg_event;
    lua_pushstring(L, TRIGGER_FIRED_BEFORE(event)  ? "before"
                      : TRIGGER_FIRED_AFTER(event) ? "after"
                                                   : "instead");
}

void push_level(lua_State *L, const TriggerCall *call) {
    lua_pushstring(L, TRIGGER_FIRED_FOR_ROW(call->data->tg_event) ? "row" : "statement");
}

// Both follow what trigger.row was given.
void push_old(lua_State *L, const TriggerCall *call) {
    lua_getiuservalue(L, 1, call->row_assigned && call->new_tuple == nullptr ? kUserRow : kUserOld);
}

void push_new(lua_State *L, const TriggerCall *call) {
    lua_getiuservalue(L, 1, call->row_assigned && call->new_tuple != nullptr ? kUserRow : kUserNew);
}

void push_row(lua_State *L, const TriggerCall *call) {
    if (call->row_assigned)
        lua_getiuservalue(L, 1, kUserRow);
    else
        lua_getiuservalue(L, 1, call->new_tuple != nullptr ? kUserNew : kUserOld);
}

// Column names with their places, counted from 0 as pllua does.
void push_attributes(lua_State *L, TupleDesc descriptor) {
    lua_createtable(L, 0, descriptor->natts);
    for (int i = 0; i < descriptor->natts; i++) {
        Form_pg_attribute column = TupleDescAttr(descriptor, i);
        if (column->attisdropped) continue;
        lua::set_integer(L, NameStr(column->attname), i);
    }
}

void push_relation(lua_State *L, const TriggerCall *call) {
    Relation relation = call->data->tg_relation;
    char *schema = nullptr;
    pg::call_own_subxact(L, [&] { schema = get_namespace_name(RelationGetNamespace(relation)); });
    lua_createtable(L, 0, 5);
    lua::set_text(L, "name", RelationGetRelationName(relation));
    lua::set_text(L, "namespace", schema);
    lua::set_text(L, "schema", schema);
    lua::set_integer(L, "oid", RelationGetRelid(relation));
    push_attributes(L, RelationGetDescr(relation));
    lua_setfield(L, -2, "attributes");
}

void push_arguments(lua_State *L, const TriggerCall *call) {
    const Trigger *trigger = call->data->tg_trigger;
    lua_createtable(L, trigger->tgnargs, 0);
    for (int i = 0; i < trigger->tgnargs; i++) {
        lua_pushstring(L, trigger->tgargs[i]);
        lua_rawseti(L, -2, i + 1);
    }
}

void push_old_table(lua_State *L, const TriggerCall *call) {
    lua_pushstring(L, call->data->tg_trigger->tgoldtable);
}

void push_new_table(lua_State *L, const TriggerCall *call) {
    lua_pushstring(L, call->data->tg_trigger->tgnewtable);
}

struct Field {
    const char *name;
    void (*push)(lua_State *L, const TriggerCall *call);
};

constexpr Field kFields[] = {
    {"row", push_row},
    {"new", push_new},
    {"old", push_old},
    {"op", push_operation},
    {"operation", push_operation},
    {"name", push_name},
    {"when", push_when},
    {"level", push_level},
    {"relation", push_relation},
    {"args", push_arguments},
    {"old_table", push_old_table},
    {"new_table", push_new_table},
};

int get_field(lua_State *L) {
    const TriggerCall *call = check_call(L);
    const char *name = luaL_checkstring(L, 2);
    for (const Field &field : kFields) {
        if (strcmp(field.name, name) != 0) continue;
        field.push(L, call);
        return 1;
    }
    return 0;
}

// Replaces the value on top, unless it is nil, by a row of the relation.
void convert_row(lua_State *L, const TriggerCall *call) {
    HeapTuple tuple = types::to_tuple(L, -1, RelationGetDescr(call->data->tg_relation), false);
    if (tuple == nullptr) return;
    push_relation_shape(L, call);
    types::push_row_of_tuple(L, -1, tuple);
    heap_freetuple(tuple);
    lua_replace(L, -3);
    lua_pop(L, 1);
}

int set_field(lua_State *L) {
    TriggerCall *call = check_call(L);
    const char *name = luaL_checkstring(L, 2);
    if (strcmp(name, "row") != 0) lua::raise(L, "42601", "cannot modify field trigger.%s", name);
    if (!TRIGGER_FIRED_FOR_ROW(call->data->tg_event))
        lua::raise(L, "39P01", "trigger.row can be changed in triggers for each row only");
    if (!lua_isnoneornil(L, 3) && !lua_istable(L, 3))
        lua::raise(L, "42804", "trigger.row is a row or nil, not a %s", luaL_typename(L, 3));
    lua_settop(L, 3);
    convert_row(L, call);
    lua_setiuservalue(L, 1, kUserRow);
    call->row_assigned = true;
    return 0;
}

void make_metatable(lua_State *L) {
    if (lua::new_metatable(L, kTriggerType)) {
        lua_pushcfunction(L, get_field);
        lua_setfield(L, -2, "__index");
        lua_pushcfunction(L, set_field);
        lua_setfield(L, -2, "__newindex");
    }
    lua_pop(L, 1);
}

} // namespace

void push_trigger(lua_State *L, uint64 execution_number) {
    lua::push_metatable(L, kTriggerType);
    const bool known = !lua_isnil(L, -1);
    lua_pop(L, 1);
    if (!known) make_metatable(L);
    lua::new_userdata<TriggerObject>(L, kTriggerType, kUserRow)->execution = execution_number;
}

} // namespace pllua_bg::pl
