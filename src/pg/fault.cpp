// Fault points of test builds. Nothing of this is in a production library.
// Owns the setting pllua_bg.fault.
#include "pg/fault.h"

#ifdef PLLUA_BG_FAULTS

#include "pg/steps.h"
#include "pg/wait.h"

#include <csignal>

extern "C" {
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "utils/wait_event.h"
}

namespace pllua_bg::pg {

namespace {

char *fault_setting = nullptr;
const char *spent; // the action `once` that has been taken
void forget_spent(const char *, void *) { spent = nullptr; }

// In the middle of what the server does with a subtransaction.
void fail_in_subtransaction(SubXactEvent event, SubTransactionId, SubTransactionId, void *) {
    switch (event) {
    case SUBXACT_EVENT_START_SUB: fault("subxact-start"); break;
    case SUBXACT_EVENT_PRE_COMMIT_SUB: fault("subxact-commit"); break;
    case SUBXACT_EVENT_ABORT_SUB: fault("subxact-abort"); break;
    default: break;
    }
}

void define_setting() {
    DefineCustomStringVariable("pllua_bg.fault", "Test builds: what is to go wrong where.", nullptr,
                               &fault_setting, "", PGC_SUSET, 0, nullptr, forget_spent, nullptr);
}

void watch_subtransactions() { RegisterSubXactCallback(fail_in_subtransaction, nullptr); }

// What the setting says about a point: the text after '='; nullptr when the point is not named.
const char *wanted(const char *point) {
    Size length = strlen(point);
    for (const char *at = fault_setting; at != nullptr && *at != '\0';) {
        if (strncmp(at, point, length) == 0 && at[length] == '=') return at + length + 1;
        at = strchr(at, ',');
        if (at != nullptr) at++;
    }
    return nullptr;
}

} // namespace

void define_fault_settings() {
    static const Step steps[] = {define_setting, watch_subtransactions};
    static size_t done = 0;
    do_rest(steps, &done);
}

void fault(const char *point) {
    const char *action = wanted(point);
    if (action == nullptr) return;
    const bool once = strncmp(action, "once", 4) == 0;
    if (once && spent == action) return;
    if (once) spent = action;
    if (once || strncmp(action, "error", 5) == 0)
        ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("fault point \"%s\"", point)));
    if (strncmp(action, "exit", 4) == 0) proc_exit(1);
    if (strncmp(action, "cancel", 6) == 0) (void)raise(SIGINT);
    while (action != nullptr && strncmp(action, "wait", 4) == 0) {
        (void)wait_latch(100, WaitEvent::kFault);
        // Signals may still be blocked here: it does not wait to be told.
        ConfigReloadPending = false;
        ProcessConfigFile(PGC_SIGHUP);
        action = wanted(point);
    }
}

} // namespace pllua_bg::pg

#endif
