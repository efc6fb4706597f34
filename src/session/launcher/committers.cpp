// The sessions that do work after commits (bg.on_commit): at most one a role, in a list of their
// own, so that nobody else finds them. Owns them while they have work; one that has none is in the
// pool.
//
// The work of a transaction for one role is one message, a group. It is sent before the commit, and
// the worker waits for the outcome, which it finds in the header of the segment; so after the
// commit nothing is left to be done that could fail. A group that has no room in the queue is in a
// segment of its own: a backend that waits for its client sends nothing that it had to keep.
#include "session/launcher/committers.h"

#include "pg/compat.h"
#include "pg/guard.h"
#include "pg/settings.h"
#include "session/launcher/launcher.h"
#include "session/shared/session_slots.h"
#include "session/shared/statistics.h"

extern "C" {
#include "storage/latch.h"
#include "utils/inval.h"
#include "utils/syscache.h"
}

namespace pllua_bg::session {

namespace {

pg::LinkedList<Committer> committers;

void settle_groups(Committer *committer, CommandId until) {
    while (committer->settled < until) free_group(committer, ++committer->settled);
}

// It is no committer any more, and its session the caller's.
Session *take_session(Committer *committer) {
    Session *session = committer->session;
    settle_groups(committer, session->last_sent);
    committers.remove(committer);
    if (committer->setup != nullptr) pfree(committer->setup);
    pfree(committer);
    return session;
}

void end_session(Session *session) {
    if (!is_gone(session)) {
        retire_entry(session->local->header);
        session->link->close();
    }
    free_session(session);
}

void take_errors(const Committer *committer) {
    SegmentHeader *header = committer->session->local->header;
    if (pg_atomic_read_u32(&header->job_errors) == 0) return;
    const uint32 errors = pg_atomic_exchange_u32(&header->job_errors, 0);
    count(Counter::kErrors, errors);
    count(Counter::kCommitErrors, errors);
}

// Takes all that the worker has said.
void receive_all_of(Session *session) {
    CommandId before;
    do {
        before = session->last_done;
        receive(session);
    } while (session->last_done != before);
}

// Takes what the worker says; one that has nothing left to do goes into the pool.
void settle(Committer *committer) {
    if (committer->undecided != 0) return;
    Session *session = committer->session;
    if (is_gone(session)) {
        free_session(take_session(committer));
        return;
    }
    // Read before: what it has sent until now is then all.
    const bool rests = pg_atomic_read_u32(&session->local->header->pool) != kInUse;
    pg_read_barrier();
    take_errors(committer);
    receive_all_of(session);
    settle_groups(committer, session->last_done);
    if (is_gone(session))
        free_session(take_session(committer));
    else if (rests && session->last_done == session->last_sent)
        rest_in_pool(take_session(committer));
}

void tell_worker(Committer *committer, uint32 outcome) {
    const CommandId group = committer->undecided;
    committer->undecided = 0;
    if (group == 0) return;
    if (is_gone(committer->session)) return;
    SegmentHeader *header = committer->session->local->header;
    pg_atomic_write_u32(outcome_of(header, group), outcome);
    pg_memory_barrier();
    const uint32 number = pg_atomic_read_u32(&header->worker_number);
    if (number != 0) SetLatch(&pg::proc_by_number(static_cast<int>(number) - 1)->procLatch);
}

// What is in segments is for the worker now, which has not begun it. It is pinned for a worker that
// has attached, which gives it back; one that never comes would leave it behind. Nobody opens that
// of a transaction that was rolled back.
void leave_segments(Committer *committer) {
    if (committer->segments == 0) return;
    await_orphans();
    SegmentHeader *header = committer->session->local->header;
    if (!has_flag(header, kAttached)) return;
    for (int i = 0; i < kMostGroups; i++) {
        const SentGroup &sent = committer->sent[i];
        if (sent.segment == nullptr) continue;
        if (pg_atomic_read_u32(&header->outcomes[i]) != kCommitted) continue;
        const dsm_handle handle = dsm_segment_handle(sent.segment);
        auto *group = static_cast<GroupSegment *>(dsm_segment_address(sent.segment));
        dsm_pin_segment(sent.segment);
        if (pg_atomic_fetch_or_u32(&group->flags, kPinned) & kAttached)
            dsm_unpin_segment(handle);
        else if (has_flag(header, kWorkerDone))
            unpin_group(group, handle);
    }
}

void role_changes(Datum, pg::CacheId, uint32 hash) {
    for (Committer *committer = committers.first; committer != nullptr;
         committer = committer->after)
        if (hash == 0 || committer->session->local->user_hash == hash)
            committer->session->local->not_reusable = true;
}

} // namespace

void free_group(Committer *committer, CommandId id) {
    SentGroup *group = &committer->sent[id % kMostGroups];
    committer->bytes -= group->bytes;
    if (group->segment != nullptr) {
        dsm_detach(group->segment);
        committer->segments--;
    }
    *group = {};
}

bool may_add_committer() {
    int count = 0;
    for (Committer *committer = committers.first; committer != nullptr;
         committer = committer->after)
        count++;
    return count < pg::setting_max_sessions;
}

void add_committer(Committer *committer) { committers.append(committer); }

void end_committer(Committer *committer) { end_session(take_session(committer)); }

Committer *committer_of(Oid user) {
    Committer *found = committers.first;
    while (found != nullptr && (found->session->user != user || is_gone(found->session) ||
                                found->undecided != 0 || found->session->local->not_reusable))
        found = found->after;
    return found;
}

void settle_committers() {
    Committer *after;
    for (Committer *committer = committers.first; committer != nullptr; committer = after) {
        after = committer->after;
        settle(committer);
    }
}

void decide_work(uint32 outcome) {
    Committer *after;
    for (Committer *committer = committers.first; committer != nullptr; committer = after) {
        after = committer->after;
        const bool first = committer->undecided == 1;
        tell_worker(committer, outcome);
        // Who was started for this transaction has ended without having connected.
        if (outcome == kRolledBack && first && committer->session->life == Life::kStarting)
            end_committer(committer);
    }
}

void end_committers() {
    decide_work(kRolledBack);
    while (Committer *committer = committers.first) {
        pg::free_error(pg::attempt([committer] { receive_all_of(committer->session); }));
        Session *session = committer->session;
        const bool busy = !is_gone(session) && session->last_done < session->last_sent;
        if (busy) {
            session->link->let_go(true);
            leave_segments(committer);
        }
        (void)take_session(committer);
        if (busy)
            free_session(session);
        else
            end_session(session);
    }
}

void initialize_committers() { CacheRegisterSyscacheCallback(AUTHOID, role_changes, 0); }

} // namespace pllua_bg::session
