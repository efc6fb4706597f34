// Jobs that start when the transaction that registered them commits.
// Owns the list of the jobs of the current transaction; it lives in TopTransactionContext.
//
// The worker of a job is registered before the commit, so that a failure to do so still rolls the
// transaction back; it waits until the launcher has told it through the segment how the transaction
// ended, which happens when the effects of the transaction are visible to all.
#include "session/launcher/launcher.h"

#include "pg/compat.h"
#include "pg/fault.h"
#include "pg/guard.h"
#include "pg/held.h"
#include "pg/list.h"
#include "pg/settings.h"
#include "session/shared/guc_transfer.h"
#include "session/shared/message.h"
#include "session/shared/statistics.h"

extern "C" {
#include "access/xact.h"
#include "storage/latch.h"
}

namespace pllua_bg::session {

namespace {

struct Job {
    Job *before;
    Job *after;
    SubTransactionId subtransaction;
    Oid user;
    Size held;            // bytes counted for it
    StringInfoData setup; // settings and the command
    dsm_segment *segment; // once its worker is registered
    SegmentHeader *header;
};

pg::LinkedList<Job> jobs;

void start_job(Job *job) {
    pg::fault("on-commit-start");
    dsm_segment *segment = create_segment(segment_size(0, job->setup.len));
    job->segment = segment;
    job->header = static_cast<SegmentHeader *>(dsm_segment_address(segment));
    segment_init(job->header, 0, job->setup.data, job->setup.len);
    job->header->user = job->user;
    BackgroundWorkerHandle *worker = nullptr;
    await_slot(segment, pg::setting_launch_wait / 1000.0,
               _("could not launch the background sessions of this transaction: "
                 "no free worker slot"),
               &worker);
    count(Counter::kJobs);
    ereport(DEBUG1, (errmsg_internal("background session for work after commit is launched"),
                     errhidestmt(true), errhidecontext(true)));
    // Only now is there a worker that will unpin it.
    pin_for_worker(segment, job->header, &worker);
    if (worker != nullptr) pfree(worker);
}

void tell_worker(const Job *job, uint32 outcome) {
    pg_atomic_fetch_or_u32(&job->header->flags, outcome);
    uint32 number = pg_atomic_read_u32(&job->header->worker_number);
    if (number != 0) SetLatch(&pg::proc_by_number(static_cast<int>(number) - 1)->procLatch);
    dsm_detach(job->segment);
}

void end_jobs(uint32 outcome) {
    while (Job *job = jobs.take_first()) {
        pg::hold(-static_cast<ptrdiff_t>(job->held));
        if (job->segment != nullptr) tell_worker(job, outcome);
    }
}

void at_transaction_end(XactEvent event, void *) {
    switch (event) {
    case XACT_EVENT_PRE_COMMIT:
        for (Job *job = jobs.first; job != nullptr; job = job->after) start_job(job);
        break;
    case XACT_EVENT_PRE_PREPARE:
        if (jobs.first != nullptr)
            ereport(
                ERROR,
                (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                 errmsg("cannot PREPARE a transaction that has registered background sessions")));
        break;
    case XACT_EVENT_COMMIT: end_jobs(kCommitted); break;
    case XACT_EVENT_ABORT: end_jobs(kRolledBack); break;
    default: break;
    }
}

void forget_jobs_of(SubTransactionId subtransaction) {
    for (Job *job = jobs.first, *after; job != nullptr; job = after) {
        after = job->after;
        if (job->subtransaction != subtransaction) continue;
        jobs.remove(job);
        pg::hold(-static_cast<ptrdiff_t>(job->held));
        pfree(job->setup.data);
        pfree(job);
    }
}

void at_subtransaction_end(SubXactEvent event, SubTransactionId own, SubTransactionId parent,
                           void *) {
    if (event == SUBXACT_EVENT_ABORT_SUB) forget_jobs_of(own);
    if (event != SUBXACT_EVENT_COMMIT_SUB) return;
    for (Job *job = jobs.first; job != nullptr; job = job->after)
        if (job->subtransaction == own) job->subtransaction = parent;
}

} // namespace

void on_commit(const char *sql, int nparams, const Param *params) {
    check_may_launch();
    pg::check_held(sizeof(Job));
    initialize_at_first_use();
    MemoryContext old = MemoryContextSwitchTo(TopTransactionContext);
    auto *job = static_cast<Job *>(palloc0(sizeof(Job)));
    job->subtransaction = GetCurrentSubTransactionId();
    job->user = GetUserId();
    initStringInfo(&job->setup);
    const CommandMessage command = {1, 0, static_cast<uint32>(nparams), sql, params, 0};
    ErrorData *error = pg::attempt([job, &command] {
        (void)write_session_settings(&job->setup);
        complete_settings(&job->setup);
        append_command(&job->setup, command);
    });
    MemoryContextSwitchTo(old);
    if (error != nullptr) {
        pfree(job->setup.data);
        pfree(job);
        pg::rethrow(error);
    }
    job->held = GetMemoryChunkSpace(job) + GetMemoryChunkSpace(job->setup.data);
    pg::hold(static_cast<ptrdiff_t>(job->held));
    jobs.append(job);
}

// The last may fail, for want of memory, and all is done again: called twice, the first does
// no harm.
void initialize_on_commit() {
    RegisterSubXactCallback(at_subtransaction_end, nullptr);
    RegisterXactCallback(at_transaction_end, nullptr);
}

} // namespace pllua_bg::session
