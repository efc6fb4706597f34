// Tables as parameters. See table_param.h for the contracts.
#include "pl/table_param.h"

#include "pg/guard.h"
#include "pl/execution_context.h"
#include "types/portable.h"

namespace pllua_bg::pl {

namespace {

// What the body is called with.
struct TableUse {
    Datum table;
    Oid type; // wanted; InvalidOid: the table is to say
    MemoryContext memory;
    Datum value;
    bool isnull;
};

int use_table(lua_State *L) {
    auto *use = static_cast<TableUse *>(lua_touserdata(L, 1));
    types::push_portable(L, use->table);
    if (!OidIsValid(use->type)) {
        bool weak;
        use->type = types::own_type(L, -1, &weak);
        return 0;
    }
    const types::Type *type = nullptr;
    pg::call_own_subxact(L, [&] { type = types::lookup(use->type, -1); });
    // Whoever catches an error of the conversion goes on in the caller's context.
    MemoryContext old = MemoryContextSwitchTo(use->memory);
    use->value = types::to_parameter(L, -1, type, &use->isnull);
    MemoryContextSwitchTo(old);
    return 0;
}

void run(TableUse *use) {
    ExecutionContext execution;
    open_execution(&execution, find_interpreter(true, StartUp::kNone), "parameter");
    run_execution(&execution, use_table, use);
    close_execution(&execution);
}

} // namespace

Oid own_type_of_table(Datum table) {
    TableUse use = {table, InvalidOid, CurrentMemoryContext, 0, false};
    run(&use);
    return use.type;
}

Datum convert_table(Datum table, Oid type, bool *isnull) {
    TableUse use = {table, type, CurrentMemoryContext, 0, false};
    run(&use);
    *isnull = use.isnull;
    return use.value;
}

} // namespace pllua_bg::pl
