// The cache of compiled functions. See function.h for the contracts.
#include "pl/function.h"

extern "C" {
#include "catalog/pg_proc.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
}

#include "lua/error.h"
#include "pg/compat.h"
#include "pg/fault.h"
#include "pg/guard.h"
#include "pl/compile.h"
#include "pl/execution_context.h"
#include "pl/strict.h"

namespace pllua_bg::pl {

uint64 function_generation = 1;

namespace {

struct CacheEntry {
    Oid oid; // the key
    Function *function;
};

// A function on its way: what its pg_proc row says, and its text.
struct Draft {
    Function *function;
    Source source;
    char *chunk;
    bool check_only;
    SyntaxContext syntax;
};

bool is_current(const Function *function, HeapTuple row) {
    return function->xmin == HeapTupleHeaderGetRawXmin(row->t_data) &&
           ItemPointerEquals(const_cast<ItemPointer>(&function->tid), &row->t_self);
}

Function *lookup(Interpreter *interpreter, Oid oid) {
    auto *entry =
        static_cast<CacheEntry *>(hash_search(interpreter->functions, &oid, HASH_FIND, nullptr));
    return entry == nullptr ? nullptr : entry->function;
}

void detach(Function *function) {
    Interpreter *interpreter = function->interpreter;
    hash_search(interpreter->functions, &function->oid, HASH_REMOVE, nullptr);
    interpreter->detached.append(function);
}

void free_function(Function *function) {
    luaL_unref(function->interpreter->main, LUA_REGISTRYINDEX, function->reference);
    MemoryContextDelete(function->memory);
}

void free_detached(Interpreter *interpreter) {
    Function *next;
    for (Function *function = interpreter->detached.first; function != nullptr; function = next) {
        next = function->after;
        if (function->users > 0) continue;
        interpreter->detached.remove(function);
        free_function(function);
    }
}

// Forgets functions that were dropped.
void detach_dropped(Interpreter *interpreter) {
    interpreter->has_suspects = false;
    HASH_SEQ_STATUS scan;
    hash_seq_init(&scan, interpreter->functions);
    while (auto *entry = static_cast<CacheEntry *>(hash_seq_search(&scan))) {
        Function *function = entry->function;
        if (!function->suspect) continue;
        function->suspect = false;
        if (!SearchSysCacheExists1(PROCOID, ObjectIdGetDatum(function->oid))) detach(function);
    }
}

void on_proc_change(Datum, pg::CacheId, uint32 hash) {
    function_generation++;
    for (Interpreter *i = interpreters.first; i != nullptr; i = i->after) {
        HASH_SEQ_STATUS scan;
        hash_seq_init(&scan, i->functions);
        while (auto *entry = static_cast<CacheEntry *>(hash_seq_search(&scan))) {
            if (hash != 0 && entry->function->hash != hash) continue;
            entry->function->suspect = true;
            i->has_suspects = true;
        }
    }
}

// Arguments with a usable name become parameters, the others follow in `...`.
void describe_arguments(HeapTuple row, Draft *draft) {
    Oid *types;
    char **names;
    char *modes;
    const int count = get_func_arg_info(row, &types, &names, &modes);
    Function *function = draft->function;
    const Size size = static_cast<Size>(count) + 1; // one for `window`
    function->argument_types = static_cast<Oid *>(palloc(sizeof(Oid) * size));
    function->order = static_cast<int *>(palloc(sizeof(int) * size));
    auto **parameters = static_cast<const char **>(palloc(sizeof(char *) * size));
    auto *input_names = static_cast<const char **>(palloc0(sizeof(char *) * size));
    for (int i = 0; i < count; i++) {
        const char mode = modes == nullptr ? PROARGMODE_IN : modes[i];
        if (mode != PROARGMODE_IN && mode != PROARGMODE_VARIADIC) function->has_output = true;
        if (mode == PROARGMODE_OUT || mode == PROARGMODE_TABLE) continue;
        if (types[i] == ANYOID && mode == PROARGMODE_VARIADIC) {
            function->variadic_any = true;
            continue;
        }
        if (names != nullptr && names[i] != nullptr && is_identifier(names[i]))
            input_names[function->nargs] = names[i];
        function->argument_types[function->nargs++] = types[i];
    }
    int place = 0, nparameters = 0;
    if (function->kind == FunctionKind::kWindow) parameters[nparameters++] = "window";
    for (int i = 0; i < function->nargs; i++) {
        if (input_names[i] == nullptr) continue;
        parameters[nparameters++] = input_names[i];
        function->order[place++] = i;
    }
    draft->source.vararg = function->variadic_any || place < function->nargs;
    draft->source.nparameters = nparameters;
    draft->source.parameters = parameters;
    for (int i = 0; i < function->nargs; i++)
        if (input_names[i] == nullptr) function->order[place++] = i;
}

void describe_trigger(Draft *draft) {
    static const char *const kTriggerParameters[] = {"trigger", "old", "new"};
    static const char *const kEventParameters[] = {"trigger"};
    const bool event = draft->function->kind == FunctionKind::kEventTrigger;
    draft->source.nparameters = event ? 1 : 3;
    draft->source.parameters = event ? kEventParameters : kTriggerParameters;
    draft->source.vararg = !event;
    if (event) return;
    draft->function->use = static_cast<TriggerUse *>(palloc(sizeof(TriggerUse)));
    read_trigger_use(draft->source.text, draft->function->use);
}

// Reads pg_proc; in CurrentMemoryContext.
void describe_function(HeapTuple row, Draft *draft) {
    auto *proc = reinterpret_cast<Form_pg_proc>(GETSTRUCT(row));
    Function *function = draft->function;
    function->oid = proc->oid;
    function->xmin = HeapTupleHeaderGetRawXmin(row->t_data);
    function->tid = row->t_self;
    function->hash = GetSysCacheHashValue1(PROCOID, ObjectIdGetDatum(proc->oid));
    function->reference = LUA_NOREF;
    function->name = proc->proname;
    function->returns_set = proc->proretset;
    function->read_only = proc->provolatile != PROVOLATILE_VOLATILE;
    function->result = proc->prorettype;
    function->kind = proc->prorettype == TRIGGEROID         ? FunctionKind::kTrigger
                     : proc->prorettype == EVENT_TRIGGEROID ? FunctionKind::kEventTrigger
                     : proc->prokind == PROKIND_WINDOW      ? FunctionKind::kWindow
                                                            : FunctionKind::kPlain;
    bool isnull;
    const Datum body = SysCacheGetAttr(PROCOID, row, Anum_pg_proc_prosrc, &isnull);
    draft->source.name = NameStr(function->name);
    draft->source.text = isnull ? "" : TextDatumGetCString(body);
    if (has_arguments(function))
        describe_arguments(row, draft);
    else
        describe_trigger(draft);
    draft->chunk = generate_chunk(draft->source);
}

int compile_draft(lua_State *L) {
    auto *draft = static_cast<Draft *>(lua_touserdata(L, 1));
    pg::fault("compile");
    load_source(L, draft->chunk, draft->source);
    draft->syntax.loaded = true;
    const bool strict = is_strict(draft->source.text);
    if (draft->check_only) {
        if (strict) warn_of_globals(L, draft->source.name, draft->source.text);
        return 0;
    }
    push_environment(L, strict);
    lua_call(L, 1, 1);
    if (!lua_isfunction(L, -1))
        lua::raise(L, "42P13", "the code after the function may not return anything");
    draft->function->reference = luaL_ref(L, LUA_REGISTRYINDEX);
    return 0;
}

// Makes the function in a context below the current one, compiles it and runs the code
// that follows the function.
Function *compile(Interpreter *interpreter, HeapTuple row, bool check_only) {
    MemoryContext memory =
        AllocSetContextCreate(CurrentMemoryContext, "pllua_bg function", ALLOCSET_SMALL_SIZES);
    MemoryContext outer = MemoryContextSwitchTo(memory);
    Draft draft = {};
    draft.function = static_cast<Function *>(palloc0(sizeof(Function)));
    draft.function->interpreter = interpreter;
    draft.function->memory = memory;
    draft.check_only = check_only;
    describe_function(row, &draft);
    ReleaseSysCache(row);
    MemoryContextSetIdentifier(memory, NameStr(draft.function->name));
    MemoryContextSwitchTo(outer);

    push_syntax_context(&draft.syntax, draft.source.text);
    ExecutionContext execution;
    ExecutionOptions options;
    options.read_only = draft.function->read_only;
    open_execution(&execution, interpreter, NameStr(draft.function->name), options);
    run_execution(&execution, compile_draft, &draft);
    close_execution(&execution);
    error_context_stack = draft.syntax.callback.previous;
    MemoryContextSetParent(memory, interpreter->memory);
    return draft.function;
}

void transpose_syntax_error(void *argument) {
    auto *context = static_cast<SyntaxContext *>(argument);
    if (!context->loaded && geterrcode() == ERRCODE_SYNTAX_ERROR)
        function_parse_error_transpose(context->text);
}

void insert(Function *function) {
    bool found;
    auto *entry = static_cast<CacheEntry *>(
        hash_search(function->interpreter->functions, &function->oid, HASH_ENTER, &found));
    entry->function = function;
}

HeapTuple read_row(Oid oid) {
    HeapTuple row = SearchSysCache1(PROCOID, ObjectIdGetDatum(oid));
    if (!HeapTupleIsValid(row)) elog(ERROR, "cache lookup failed for function %u", oid);
    return row;
}

} // namespace

Function *find_function(Interpreter *interpreter, Oid oid) {
    free_detached(interpreter);
    if (interpreter->has_suspects) detach_dropped(interpreter);
    for (;;) {
        HeapTuple row = read_row(oid);
        Function *function = lookup(interpreter, oid);
        if (function != nullptr) {
            if (is_current(function, row)) {
                ReleaseSysCache(row);
                return function;
            }
            detach(function);
        }
        function = compile(interpreter, row, false);
        // The code that was just run may have called the function,
        // and so compiled it; or replaced it.
        if (lookup(interpreter, oid) == nullptr) {
            insert(function);
            return function;
        }
        free_function(function);
    }
}

void check_function(Interpreter *interpreter, Oid oid) {
    free_function(compile(interpreter, read_row(oid), true));
}

void initialize_functions(Interpreter *interpreter) {
    HASHCTL control = {};
    control.keysize = sizeof(Oid);
    control.entrysize = sizeof(CacheEntry);
    control.hcxt = interpreter->memory;
    interpreter->functions =
        hash_create("pllua_bg functions", 64, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

void initialize_function_cache() { CacheRegisterSyscacheCallback(PROCOID, on_proc_change, 0); }

void push_syntax_context(SyntaxContext *context, const char *text) {
    context->text = text;
    context->loaded = false;
    context->callback.callback = transpose_syntax_error;
    context->callback.arg = context;
    context->callback.previous = error_context_stack;
    error_context_stack = &context->callback;
}

} // namespace pllua_bg::pl
