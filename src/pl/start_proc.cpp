// Calls the function of pllua_bg.start_proc. See start_proc.h for the contracts.
#include "pl/start_proc.h"

#include "pg/compat.h"
#include "pg/server.h"
#include "pg/settings.h"

extern "C" {
#include "catalog/objectaccess.h"
#include "catalog/pg_proc.h"
#include "commands/proclang.h"
#include "parser/parse_func.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/varlena.h"
}

namespace pllua_bg::pl {

namespace {

struct StartProc {
    const char *setting;
    const char *name;
    const char *language;
};

void describe(void *argument) {
    errcontext("processing %s", static_cast<const StartProc *>(argument)->setting);
}

// Another language, or another user, would have another interpreter.
void check_definition(const StartProc &start, Oid oid) {
    HeapTuple row = SearchSysCache1(PROCOID, ObjectIdGetDatum(oid));
    if (!HeapTupleIsValid(row)) elog(ERROR, "cache lookup failed for function %u", oid);
    auto *proc = reinterpret_cast<Form_pg_proc>(GETSTRUCT(row));
    if (proc->prolang != get_language_oid(start.language, true))
        ereport(ERROR, (errcode(ERRCODE_INVALID_FUNCTION_DEFINITION),
                        errmsg("function \"%s\" is in the wrong language", start.name),
                        errhint("The function of %s must be in language %s.", start.setting,
                                start.language)));
    if (proc->prosecdef)
        ereport(ERROR, (errcode(ERRCODE_INVALID_FUNCTION_DEFINITION),
                        errmsg("function \"%s\" must not be SECURITY DEFINER", start.name)));
    ReleaseSysCache(row);
}

void call(const StartProc &start) {
    List *name = textToQualifiedNameList(cstring_to_text(start.name));
    const Oid oid = LookupFuncName(name, 0, nullptr, false);
    if (!pg::may_execute(oid, GetUserId()))
        aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_FUNCTION, start.name);
    check_definition(start, oid);
    InvokeFunctionExecuteHook(oid);
    FmgrInfo function;
    fmgr_info(oid, &function);
    LOCAL_FCINFO(fcinfo, 0);
    InitFunctionCallInfoData(*fcinfo, &function, 0, InvalidOid, nullptr, nullptr);
    FunctionCallInvoke(fcinfo);
}

} // namespace

void run_start_proc(bool trusted) {
    StartProc start = trusted ? StartProc{"pllua_bg.start_proc", pg::setting_start_proc, "pllua_bg"}
                              : StartProc{"pllua_bg.untrusted_start_proc",
                                          pg::setting_untrusted_start_proc, "pllua_bgu"};
    if (start.name == nullptr || start.name[0] == '\0') return;
    ErrorContextCallback callback;
    callback.callback = describe;
    callback.arg = &start;
    callback.previous = error_context_stack;
    error_context_stack = &callback;
    call(start);
    error_context_stack = callback.previous;
}

} // namespace pllua_bg::pl
