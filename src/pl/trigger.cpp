// Triggers on tables and views: what the function sees, and what becomes of the row.
// Owns nothing.
#include "pl/trigger.h"

#include "pl/call.h"

extern "C" {
#include "commands/trigger.h"
}

#include "lua/error.h"
#include "lua/stack.h"
#include "lua/userdata.h"
#include "pg/guard.h"
#include "types/shape.h"

namespace pllua_bg::pl {

namespace {

bool is_row_trigger(const TriggerCall *call) { return TRIGGER_FIRED_FOR_ROW(call->data->tg_event); }

// Only then does the server look at the row a trigger returns.
bool returns_row(const TriggerCall *call) {
    return is_row_trigger(call) && !TRIGGER_FIRED_AFTER(call->data->tg_event);
}

// Generated columns of a new row are not computed yet before the operation:
// no value, rather than a stale one.
bool is_hidden(const TriggerCall *call, const FormData_pg_attribute *column) {
    return TRIGGER_FIRED_BEFORE(call->data->tg_event) &&
           column->attgenerated == ATTRIBUTE_GENERATED_STORED;
}

void push_whole_row(lua_State *L, const TriggerCall *call, HeapTuple tuple) {
    TupleDesc descriptor = RelationGetDescr(call->data->tg_relation);
    push_relation_shape(L, call);
    types::push_row_of_tuple(L, -1, tuple);
    lua_remove(L, -2);
    if (tuple != call->new_tuple || descriptor->constr == nullptr ||
        !descriptor->constr->has_generated_stored)
        return;
    for (int i = 0; i < descriptor->natts; i++) {
        Form_pg_attribute column = TupleDescAttr(descriptor, i);
        if (!is_hidden(call, column) || column->attisdropped) continue;
        lua_pushnil(L);
        types::set_column(L, -2, i);
    }
}

// The stored values of the columns, each at its place among all.
void read_columns(lua_State *L, HeapTuple tuple, TupleDesc descriptor, const RowColumns &columns,
                  Datum *values, bool *nulls) {
    pg::call_own_subxact(L, [=, &columns] {
        if (columns.whole) {
            heap_deform_tuple(tuple, descriptor, values, nulls);
            return;
        }
        for (int i = 0; i < columns.count; i++) {
            const int number = columns.numbers[i];
            values[number] = heap_getattr(tuple, number + 1, descriptor, &nulls[number]);
        }
    });
}

void push_fields(lua_State *L, const TriggerCall *call, HeapTuple tuple,
                 const RowColumns &columns) {
    TupleDesc descriptor = RelationGetDescr(call->data->tg_relation);
    if (columns.count == 0) return lua_newtable(L); // it is returned at most
    const auto natts = static_cast<size_t>(descriptor->natts);
    auto *values = static_cast<Datum *>(__builtin_alloca(sizeof(Datum) * natts));
    auto *nulls = static_cast<bool *>(__builtin_alloca(natts));
    read_columns(L, tuple, descriptor, columns, values, nulls);
    push_relation_shape(L, call);
    lua_createtable(L, 0, columns.count);
    for (int i = 0; i < columns.count; i++) {
        const int number = columns.numbers[i];
        Form_pg_attribute column = TupleDescAttr(descriptor, number);
        if (nulls[number] || (tuple == call->new_tuple && is_hidden(call, column))) continue;
        types::push(L, call->site->columns[number], values[number], false);
        types::set_column(L, -2, number);
    }
    types::finish_row(L, -2);
    lua_remove(L, -2);
}

// Pushes a row of the operation; nil when there is none, or nobody looks.
void push_row(lua_State *L, const TriggerCall *call, HeapTuple tuple, const RowColumns &columns) {
    if (tuple == nullptr)
        lua_pushnil(L);
    else if (columns.whole)
        push_whole_row(L, call, tuple);
    else
        push_fields(L, call, tuple, columns);
}

// True when the value on top is the value the column has in the tuple already. What can be modified
// in place is never.
bool is_unchanged(lua_State *L, const types::Type *type, Datum value, bool isnull) {
    switch (lua_type(L, -1)) {
    case LUA_TTABLE:
    case LUA_TUSERDATA: return false;
    case LUA_TNIL: return isnull;
    default: break;
    }
    if (isnull) return false;
    types::push(L, type, value, false);
    const bool same = lua_rawequal(L, -1, -2);
    lua_pop(L, 1);
    return same;
}

// The tuple with the columns that Lua code has changed in its row:
// the others stay as they are stored.
HeapTuple merge(lua_State *L, int row, const TriggerCall *call, HeapTuple tuple,
                const RowColumns &columns) {
    TupleDesc descriptor = RelationGetDescr(call->data->tg_relation);
    const auto natts = static_cast<size_t>(descriptor->natts);
    auto *values = static_cast<Datum *>(__builtin_alloca(sizeof(Datum) * natts));
    auto *nulls = static_cast<bool *>(__builtin_alloca(natts));
    auto *replaced = static_cast<bool *>(__builtin_alloca(natts));
    bool changed = false;
    memset(replaced, 0, natts);
    read_columns(L, tuple, descriptor, columns, values, nulls);
    for (int i = 0; i < columns.count; i++) {
        const int number = columns.numbers[i];
        const types::Type *type = call->site->columns[number];
        Form_pg_attribute column = TupleDescAttr(descriptor, number);
        if (column->attgenerated != '\0') continue;
        types::push_column(L, row, number);
        if (!is_unchanged(L, type, values[number], nulls[number])) {
            values[number] = types::to_datum(L, lua_gettop(L), type, &nulls[number]);
            replaced[number] = changed = true;
        }
        lua_pop(L, 1);
    }
    if (!changed) return tuple;
    HeapTuple merged = nullptr;
    pg::call_own_subxact(
        L, [&] { merged = heap_modify_tuple(tuple, descriptor, values, nulls, replaced); });
    return merged;
}

// The tuple of the row a trigger gives as its result.
HeapTuple row_from_lua(lua_State *L, int idx, TriggerCall *call) {
    const CallSite *site = call->site;
    if (lua_isnil(L, idx)) return nullptr;
    if (!lua_istable(L, idx) && !lua_isuserdata(L, idx))
        lua::raise(L, "42804", "a trigger returns a row or nil, not a %s", luaL_typename(L, idx));
    if (lua_rawequal(L, kNewIndex, idx))
        return merge(L, idx, call, call->new_tuple, site->new_columns);
    if (lua_rawequal(L, kOldIndex, idx))
        return merge(L, idx, call, call->old_tuple, site->old_columns);
    return types::to_tuple(L, idx, RelationGetDescr(call->data->tg_relation), false);
}

void take_trigger_result(lua_State *L, int first, int count, TriggerCall *call) {
    call->result = nullptr;
    if (!returns_row(call)) return;
    if (count > 0) {
        call->result = row_from_lua(L, first, call);
    } else if (call->row_assigned) {
        lua_getiuservalue(L, kTriggerIndex, kUserRow);
        call->result = row_from_lua(L, lua_gettop(L), call);
    } else if (call->new_tuple == nullptr) {
        call->result = call->old_tuple;
    } else {
        call->result = merge(L, kNewIndex, call, call->new_tuple, call->site->new_columns);
    }
}

int trigger_body(lua_State *L) {
    auto *call = static_cast<TriggerCall *>(lua_touserdata(L, 1));
    const Trigger *trigger = call->data->tg_trigger;
    const CallSite *site = call->site;
    const bool has_object = site->function->use->object;
    lua::need_stack(L, trigger->tgnargs + 14);
    if (has_object)
        push_trigger(L, current_execution()->number);
    else
        lua_pushnil(L);
    push_row(L, call, call->old_tuple, site->old_columns);
    push_row(L, call, call->new_tuple, site->new_columns);
    if (has_object) {
        lua_pushvalue(L, kOldIndex);
        lua_setiuservalue(L, kTriggerIndex, kUserOld);
        lua_pushvalue(L, kNewIndex);
        lua_setiuservalue(L, kTriggerIndex, kUserNew);
    }
    lua_rawgeti(L, LUA_REGISTRYINDEX, site->function->reference);
    for (int i = kTriggerIndex; i <= kNewIndex; i++) lua_pushvalue(L, i);
    for (int i = 0; i < trigger->tgnargs; i++) lua_pushstring(L, trigger->tgargs[i]);
    lua_call(L, 3 + trigger->tgnargs, LUA_MULTRET);
    take_trigger_result(L, kNewIndex + 1, lua_gettop(L) - kNewIndex, call);
    return 0;
}

bool has_field(const RowUse &use, const char *name) {
    ListCell *cell;
    foreach (cell, use.fields)
        if (strcmp(static_cast<char *>(lfirst(cell)), name) == 0) return true;
    return false;
}

void list_columns(RowColumns *columns, const RowUse &use, TupleDesc descriptor) {
    columns->count = 0;
    for (int i = 0; i < descriptor->natts; i++) {
        Form_pg_attribute column = TupleDescAttr(descriptor, i);
        if (column->attisdropped) continue;
        if (columns->whole || has_field(use, NameStr(column->attname)))
            columns->numbers[columns->count++] = i;
    }
}

void resolve_row(RowColumns *columns, const RowUse &use, TupleDesc descriptor) {
    columns->whole = use.whole;
    columns->numbers =
        static_cast<int *>(palloc(sizeof(int) * (static_cast<size_t>(descriptor->natts) + 1)));
    list_columns(columns, use, descriptor);
    if (columns->whole || columns->count == list_length(use.fields)) return;
    // The text names what is no column: the row is one that says so.
    columns->whole = true;
    list_columns(columns, use, descriptor);
}

void resolve_trigger(CallSite *site, FunctionCallInfo fcinfo) {
    if (site->function->kind != FunctionKind::kTrigger)
        ereport(ERROR,
                (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                 errmsg("function \"%s\" is no trigger function", NameStr(site->function->name))));
    auto *data = reinterpret_cast<TriggerData *>(fcinfo->context);
    TupleDesc descriptor = RelationGetDescr(data->tg_relation);
    site->relation = RelationGetRelid(data->tg_relation);
    site->shape = assign_record_type_identifier(descriptor->tdtypeid, descriptor->tdtypmod);
    MemoryContext outer = MemoryContextSwitchTo(site->memory);
    site->columns = static_cast<const types::Type **>(
        palloc0(sizeof(void *) * (static_cast<size_t>(descriptor->natts) + 1)));
    resolve_row(&site->old_columns, site->function->use->old_row, descriptor);
    resolve_row(&site->new_columns, site->function->use->new_row, descriptor);
    MemoryContextSwitchTo(outer);
    for (int i = 0; i < descriptor->natts; i++) {
        Form_pg_attribute column = TupleDescAttr(descriptor, i);
        if (!column->attisdropped)
            site->columns[i] = types::lookup(column->atttypid, column->atttypmod);
    }
}

void find_tuples(TriggerCall *call) {
    const TriggerData *data = call->data;
    if (!is_row_trigger(call)) return;
    if (TRIGGER_FIRED_BY_INSERT(data->tg_event)) {
        call->new_tuple = data->tg_trigtuple;
        return;
    }
    call->old_tuple = data->tg_trigtuple;
    if (TRIGGER_FIRED_BY_UPDATE(data->tg_event)) call->new_tuple = data->tg_newtuple;
}

} // namespace

Datum call_trigger(FunctionCallInfo fcinfo, bool trusted) {
    auto *data = reinterpret_cast<TriggerData *>(fcinfo->context);
    auto *site = static_cast<CallSite *>(fcinfo->flinfo->fn_extra);
    if (site == nullptr || !is_fresh(site) || site->relation != RelationGetRelid(data->tg_relation))
        [[unlikely]] {
        if (site != nullptr) site->generation = 0;
        site = find_call_site(fcinfo, trusted, resolve_trigger);
    }
    TriggerCall call = {};
    call.site = site;
    call.data = data;
    find_tuples(&call);
    ExecutionContext execution;
    open_call(&execution, site);
    execution.data = &call;
    if (data->tg_oldtable != nullptr || data->tg_newtable != nullptr)
        execution.activation.transition = data;
    run_execution(&execution, trigger_body, &call);
    close_execution(&execution);
    return PointerGetDatum(call.result);
}

} // namespace pllua_bg::pl
