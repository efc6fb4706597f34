// Functions called after a commit. See after_commit.h for the contracts. Owns the list of them.
#include "pg/after_commit.h"

extern "C" {
#include "access/xact.h"
#include "utils/resowner.h"
}

namespace pllua_bg::pg {

namespace {

constexpr int kMost = 4;

void (*functions[kMost])();
int count;
bool committed; // and the functions have not been called yet

void at_transaction_end(XactEvent event, void *) { committed = event == XACT_EVENT_COMMIT; }

// Among what is released at the end of a transaction that of the whole is the last.
void at_release(ResourceReleasePhase phase, bool, bool is_whole, void *) {
    if (!committed || !is_whole || phase != RESOURCE_RELEASE_AFTER_LOCKS) return;
    committed = false;
    for (int i = 0; i < count; i++) functions[i]();
}

} // namespace

void call_after_commit(void (*function)()) {
    for (int i = 0; i < count; i++)
        if (functions[i] == function) return;
    Assert(count < kMost);
    functions[count++] = function;
}

void initialize_after_commit() {
    RegisterXactCallback(at_transaction_end, nullptr);
    RegisterResourceReleaseCallback(at_release, nullptr);
}

} // namespace pllua_bg::pg
