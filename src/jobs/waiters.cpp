// Waiting for the end of jobs: slots in shared memory, which the scheduler looks through when it
// has seen a job end. Owns the list of this backend's slots.
#include "jobs/area.h"

#include "pg/compat.h"
#include "pg/list.h"

extern "C" {
#include "access/xact.h"
}

namespace pllua_bg::jobs {

namespace {

struct OwnWaiter {
    OwnWaiter *before;
    OwnWaiter *after;
    Waiter waiter;
    SubTransactionId subtransaction;
};

// In TopMemoryContext.
pg::LinkedList<OwnWaiter> own_waiters;
int own_count;

int top() { return static_cast<int>(pg_atomic_read_u32(&area->top)); }
void set_top(int number) { pg_atomic_write_u32(&area->top, static_cast<uint32>(number)); }

// One backend leaves room for others.
bool may_wait() { return own_count < area->nslots / 4; }

// A free slot, or -1: there is none, or the role has half of all. Call with the area's lock.
int find_slot() {
    int found = top() < area->nslots ? top() : -1;
    int of_role = 0;
    for (int i = top() - 1; i >= 0; i--) {
        if (area->slots[i].number == 0)
            found = i;
        else if (area->slots[i].role == GetSessionUserId())
            of_role++;
    }
    return of_role < area->nslots / 2 ? found : -1;
}

// Takes a free slot; its number, or -1: there is none.
int take_slot(int64 job) {
    LWLockAcquire(area->lock, LW_EXCLUSIVE);
    const int found = find_slot();
    if (found >= 0) {
        WaitSlot *slot = &area->slots[found];
        slot->job = job;
        slot->database = MyDatabaseId;
        slot->role = GetSessionUserId();
        slot->proc_number = pg::my_proc_number();
        pg_atomic_write_u32(&slot->state, 0);
        slot->number = ++area->last_wait;
        set_top(Max(top(), found + 1));
    }
    LWLockRelease(area->lock);
    return found;
}

void release(OwnWaiter *own) {
    LWLockAcquire(area->lock, LW_EXCLUSIVE);
    area->slots[own->waiter.slot].number = 0;
    while (top() > 0 && area->slots[top() - 1].number == 0) set_top(top() - 1);
    LWLockRelease(area->lock);
    own_waiters.remove(own);
    own_count--;
    pfree(own);
}

// Those of the subtransaction are given to its parent, or released when it has none.
void end_waits_of(SubTransactionId own, SubTransactionId parent) {
    OwnWaiter *after;
    for (OwnWaiter *waiter = own_waiters.first; waiter != nullptr; waiter = after) {
        after = waiter->after;
        if (waiter->subtransaction != own) continue;
        if (parent == InvalidSubTransactionId)
            release(waiter);
        else
            waiter->subtransaction = parent;
    }
}

void at_transaction_end(XactEvent event, void *) {
    if (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT && event != XACT_EVENT_PREPARE)
        return;
    while (own_waiters.first != nullptr) release(own_waiters.first);
}

void at_subtransaction_end(SubXactEvent event, SubTransactionId own, SubTransactionId parent,
                           void *) {
    if (event == SUBXACT_EVENT_ABORT_SUB) end_waits_of(own, InvalidSubTransactionId);
    if (event == SUBXACT_EVENT_COMMIT_SUB) end_waits_of(own, parent);
}

bool is_ended(void *waiter) { return outcome(static_cast<const Waiter *>(waiter)) != '\0'; }

// Gives a state to each slot of this database that has none and is of that job; 0: of any.
void settle(int64 job, char state) {
    if (area == nullptr || top() == 0) return;
    LWLockAcquire(area->lock, LW_SHARED);
    for (int i = 0; i < top(); i++) {
        WaitSlot *slot = &area->slots[i];
        if (slot->number == 0 || slot->database != MyDatabaseId) continue;
        if (job != 0 && slot->job != job) continue;
        if (pg_atomic_read_u32(&slot->state) != 0) continue;
        pg_atomic_write_u32(&slot->state, static_cast<unsigned char>(state));
        wake(slot->proc_number);
    }
    LWLockRelease(area->lock);
}

} // namespace

Waiter begin_wait(int64 job) {
    check_running();
    auto *own =
        static_cast<OwnWaiter *>(MemoryContextAllocZero(TopMemoryContext, sizeof(OwnWaiter)));
    const int slot = may_wait() ? take_slot(job) : -1;
    if (slot < 0) {
        pfree(own);
        ereport(ERROR,
                (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED), errmsg("too many waits for jobs"),
                 errdetail("This session has %d of the %d that the server has room for, of which "
                           "one session has a quarter, and one role a half.",
                           own_count, area->nslots)));
    }
    own->waiter = {slot, area->slots[slot].number};
    own->subtransaction = GetCurrentSubTransactionId();
    own_waiters.append(own);
    own_count++;
    return own->waiter;
}

void end_wait(const Waiter *waiter) {
    OwnWaiter *own = own_waiters.first;
    while (own != nullptr && own->waiter.number != waiter->number) own = own->after;
    if (own != nullptr) release(own);
}

char outcome(const Waiter *waiter) {
    if (waiter->number == 0 || area->slots[waiter->slot].number != waiter->number)
        return kLookAgain;
    return static_cast<char>(pg_atomic_read_u32(&area->slots[waiter->slot].state));
}

session::Condition ended(Waiter *waiter) { return {is_ended, waiter}; }

void settle_waiters(int64 job, char state) {
    if (is_scheduler()) settle(job, state);
}
void recheck_waiters() { settle(0, kLookAgain); }

void initialize_waiters() {
    RegisterSubXactCallback(at_subtransaction_end, nullptr);
    RegisterXactCallback(at_transaction_end, nullptr);
}

} // namespace pllua_bg::jobs
