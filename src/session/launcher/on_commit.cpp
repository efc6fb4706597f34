// Work that starts when the transaction that has called for it commits.
// Owns the list of that of the current transaction, and its memory context, which ends with it.
//
// It is sent before the commit, so that a failure to do so still rolls the transaction back; the
// worker is told how the transaction ended when that is known to all (committers.cpp).
#include "pg/fault.h"
#include "pg/guard.h"
#include "pg/held.h"
#include "pg/list.h"
#include "session/launcher/committers.h"
#include "session/launcher/launcher.h"
#include "session/shared/guc_transfer.h"
#include "session/shared/message.h"
#include "session/shared/statistics.h"

extern "C" {
#include "access/xact.h"
}

namespace pllua_bg::session {

namespace {

// The settings at the time of some calls, as frames.
struct Setup {
    int users;
    bool imposes;
    Size length;
    // the frames follow
};

struct Job {
    Job *before;
    Job *after;
    SubTransactionId subtransaction;
    Oid user;
    bool sent;
    Setup *setup;
    Size length; // of the command's frame, which follows
};

pg::LinkedList<Job> jobs;
// Some setup has imposed settings, which those that follow have to take back.
bool imposed;

template <class T> char *bytes_of(T *header) { return reinterpret_cast<char *>(header + 1); }
template <class T> const char *bytes_of(const T *header) {
    return reinterpret_cast<const char *>(header + 1);
}

// Of the whole transaction. Of a kind that gives blocks back in which nothing is left, so that what
// a subtransaction had is free for all when it is rolled back. nullptr: there is none yet.
MemoryContext memory;

void forget_memory(void *) { memory = nullptr; }

MemoryContext ensure_memory() {
    if (memory != nullptr) return memory;
    MemoryContext made = GenerationContextCreate(TopTransactionContext, "pllua_bg on_commit",
                                                 ALLOCSET_DEFAULT_SIZES);
    auto *callback = static_cast<MemoryContextCallback *>(
        MemoryContextAllocZero(TopTransactionContext, sizeof(MemoryContextCallback)));
    callback->func = forget_memory;
    MemoryContextRegisterResetCallback(made, callback);
    return memory = made;
}

// One that has its bytes behind it, and counts as held.
template <class T> T *make(const StringInfoData *frames) {
    const Size length = static_cast<Size>(frames->len);
    auto *made = static_cast<T *>(MemoryContextAllocHuge(ensure_memory(), sizeof(T) + length));
    *made = {};
    made->length = length;
    memcpy(bytes_of(made), frames->data, length);
    pg::hold(static_cast<ptrdiff_t>(GetMemoryChunkSpace(made)));
    return made;
}

void give_back(void *made) {
    pg::hold(-static_cast<ptrdiff_t>(GetMemoryChunkSpace(made)));
    pfree(made);
}

void drop_job(Job *job) {
    jobs.remove(job);
    if (--job->setup->users == 0) give_back(job->setup);
    give_back(job);
}

// The settings of now; those of the last call where they are the same.
Setup *present_setup() {
    StringInfoData frames;
    initStringInfo(&frames);
    const bool imposes = write_session_settings(&frames, false);
    imposed = imposed || imposes;
    if (imposed) complete_settings(&frames);
    Setup *last = jobs.last == nullptr ? nullptr : jobs.last->setup;
    if (last != nullptr && last->length == static_cast<Size>(frames.len) &&
        memcmp(bytes_of(last), frames.data, last->length) == 0)
        return last;
    auto *setup = make<Setup>(&frames);
    setup->imposes = imposes;
    return setup;
}

void add_job(const CommandMessage &command) {
    StringInfoData frames;
    initStringInfo(&frames);
    append_command(&frames, command);
    Setup *setup = present_setup();
    Job *volatile job = nullptr;
    ErrorData *error = pg::attempt([&job, &frames] { job = make<Job>(&frames); });
    if (error != nullptr) {
        if (setup->users == 0) give_back(setup);
        pg::rethrow(error);
    }
    job->subtransaction = GetCurrentSubTransactionId();
    job->user = GetUserId();
    job->setup = setup;
    setup->users++;
    jobs.append(job);
}

// Calls visit for each command of a user, with its settings where they are not those of the command
// before; nullptr: they are.
template <class F> void visit_frames(Oid user, F visit) {
    const Setup *setup = nullptr;
    for (const Job *job = jobs.first; job != nullptr; job = job->after) {
        if (job->user != user) continue;
        visit(job, job->setup == setup ? nullptr : job->setup);
        setup = job->setup;
    }
}

// All but the first setup.
void write_frames(char *frames, const void *user) {
    bool first = true;
    visit_frames(*static_cast<const Oid *>(user), [&](const Job *job, const Setup *setup) {
        if (setup != nullptr && !first)
            frames = write_frame(frames, MessageType::kReuse, bytes_of(setup), setup->length);
        memcpy(frames, bytes_of(job), job->length);
        frames += job->length;
        first = false;
    });
}

// As that user.
void send_work_of(Oid user) {
    Work work = {nullptr, 0, 0, write_frames, &user, false};
    int commands = 0;
    visit_frames(user, [&work, &commands](const Job *job, const Setup *setup) {
        if (work.setup == nullptr) {
            work.setup = bytes_of(setup);
            work.setup_length = setup->length;
        } else if (setup != nullptr) {
            work.length += frame_size(setup->length);
        }
        work.length += job->length;
        commands++;
        work.imposes = work.imposes || job->setup->imposes;
    });
    Oid present;
    int context;
    GetUserIdAndSecContext(&present, &context);
    SetUserIdAndSecContext(user, context | SECURITY_LOCAL_USERID_CHANGE);
    send_work(work);
    count(Counter::kCommands, commands);
    SetUserIdAndSecContext(present, context);
    for (Job *job = jobs.first; job != nullptr; job = job->after)
        job->sent = job->sent || job->user == user;
}

void settle_earlier() {
    // What cannot be looked at now is looked at the next time.
    pg::free_error(pg::attempt([] { settle_committers(); }));
}

void send_all() {
    for (const Job *job = jobs.first; job != nullptr; job = job->after)
        if (!job->sent) send_work_of(job->user);
    if (jobs.first != nullptr) pg::fault("on-commit-sent");
}

void refuse_prepare() {
    if (jobs.first == nullptr) return;
    ereport(ERROR,
            (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
             errmsg("cannot PREPARE a transaction that has called bg.on_commit"),
             errdetail("Another backend may commit it, which would not know of the work."),
             errhint("Use COMMIT. A subscription has to be created or altered with two_phase = "
                     "false, or its triggers have to write into a table instead.")));
}

void end_jobs(uint32 outcome) {
    while (jobs.first != nullptr) drop_job(jobs.first);
    decide_work(outcome);
}

void at_transaction_end(XactEvent event, void *) {
    switch (event) {
    case XACT_EVENT_PRE_COMMIT:
        settle_earlier();
        send_all();
        break;
    case XACT_EVENT_PRE_PREPARE: refuse_prepare(); break;
    case XACT_EVENT_COMMIT:
        if (jobs.first != nullptr) pg::fault("on-commit-committed");
        break;
    case XACT_EVENT_ABORT: end_jobs(kRolledBack); break;
    default: break;
    }
}

// The newest job, when it is of that subtransaction: all of one are together at the end.
Job *last_job_of(SubTransactionId subtransaction) {
    return jobs.last != nullptr && jobs.last->subtransaction == subtransaction ? jobs.last
                                                                               : nullptr;
}

void at_subtransaction_end(SubXactEvent event, SubTransactionId own, SubTransactionId parent,
                           void *) {
    if (event == SUBXACT_EVENT_ABORT_SUB)
        while (Job *job = last_job_of(own)) drop_job(job);
    if (event == SUBXACT_EVENT_COMMIT_SUB)
        for (Job *job = last_job_of(own); job != nullptr && job->subtransaction == own;
             job = job->before)
            job->subtransaction = parent;
}

} // namespace

void begin_committed_work() { end_jobs(kCommitted); }

void on_commit(const char *sql, int nparams, const Param *params) {
    check_may_launch();
    pg::check_held(sizeof(Job));
    initialize_at_first_use();
    const CommandMessage command = {1, kQuiet, static_cast<uint32>(nparams), sql, params, 0};
    MemoryContext scratch =
        AllocSetContextCreate(CurrentMemoryContext, "pllua_bg on_commit", ALLOCSET_DEFAULT_SIZES);
    MemoryContext old = MemoryContextSwitchTo(scratch);
    ErrorData *error = pg::attempt([&command] { add_job(command); });
    MemoryContextSwitchTo(old);
    MemoryContextDelete(scratch);
    if (error != nullptr) pg::rethrow(error);
}

// The last may fail, for want of memory, and all is done again: called twice, the first does
// no harm.
void initialize_on_commit() {
    RegisterSubXactCallback(at_subtransaction_end, nullptr);
    RegisterXactCallback(at_transaction_end, nullptr);
}

} // namespace pllua_bg::session
