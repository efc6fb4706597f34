// Sending the work of a transaction to a session that will do it after the commit.
// Owns nothing.
#include "session/launcher/committers.h"

#include "pg/fault.h"
#include "pg/guard.h"
#include "pg/settings.h"
#include "pg/wait.h"
#include "session/launcher/launcher.h"
#include "session/shared/session_slots.h"

namespace pllua_bg::session {

namespace {

// Groups in a segment that one session has not done; the server has not many segments.
constexpr int kMostSegments = 16;
// A worker gives room in its queue back late: no more than one part in so many is used.
constexpr Size kQueueShare = 2;

Committer *start_committer() {
    pg::fault("on-commit-start");
    auto *committer =
        static_cast<Committer *>(MemoryContextAllocZero(TopMemoryContext, sizeof(Committer)));
    ErrorData *error = pg::attempt([committer] { committer->session = launch_for_commit(); });
    if (error != nullptr) {
        pfree(committer);
        pg::rethrow(error);
    }
    add_committer(committer);
    return committer;
}

// Bytes of the setup that the message has to have: the worker keeps that of the group before.
Size setup_length(const Committer *committer, const Work &work) {
    const bool known = committer->setup != nullptr &&
                       committer->setup_length == work.setup_length &&
                       memcmp(committer->setup, work.setup, work.setup_length) == 0;
    return known ? 0 : work.setup_length;
}

void forget_setup(Committer *committer) {
    if (committer->setup != nullptr) pfree(committer->setup);
    committer->setup = nullptr;
}

void keep_setup(Committer *committer, const Work &work) {
    forget_setup(committer);
    committer->setup =
        static_cast<char *>(MemoryContextAllocHuge(TopMemoryContext, work.setup_length));
    memcpy(committer->setup, work.setup, work.setup_length);
    committer->setup_length = work.setup_length;
}

bool fits_queue(const Committer *committer, Size length) {
    const Size most = command_queue_size(committer->session->local->queue_size) / kQueueShare;
    return committer->bytes + length <= most;
}

bool has_room(const Committer *committer, const Work &work) {
    const Session *session = committer->session;
    if (has_backlog(&session->local->channel)) return false;
    if (session->last_sent - committer->settled >= kMostGroups) return false;
    const Size setup = setup_length(committer, work);
    if (fits_queue(committer, setup + work.length)) return true;
    return committer->segments < kMostSegments &&
           (committer->bytes == 0 || fits_queue(committer, setup));
}

[[noreturn]] void refuse() {
    ereport(ERROR,
            (errcode(ERRCODE_INSUFFICIENT_RESOURCES),
             errmsg("could not queue the work of bg.on_commit of this transaction: its session is "
                    "busy with that of earlier ones"),
             errhint("It may wait for a lock of this transaction. Retry the transaction, or "
                     "increase pllua_bg.launch_wait.")));
}

// Waits a moment for something to change until `end`.
void wait_until(TimestampTz end) {
    const long rest = pg::milliseconds_until(end);
    if (rest == 0) refuse();
    (void)pg::wait_latch(Min(rest, 1000), pg::WaitEvent::kRoom);
}

TimestampTz end_of_wait() {
    return GetCurrentTimestamp() + pg::setting_launch_wait * INT64CONST(1000);
}

// One of the current user that has room.
Committer *choose_committer(const Work &work) {
    const TimestampTz end = end_of_wait();
    for (;;) {
        settle_committers();
        Committer *committer = committer_of(GetUserId());
        if (committer == nullptr && may_add_committer()) return start_committer();
        if (committer != nullptr && has_room(committer, work)) return committer;
        wait_until(end);
    }
}

// A segment with the frames, which lives as long as the committer has not settled the group.
dsm_segment *make_segment(const Work &work) {
    dsm_segment *segment = create_segment(sizeof(GroupSegment) + work.length);
    auto *group = static_cast<GroupSegment *>(dsm_segment_address(segment));
    pg_atomic_init_u32(&group->flags, 0);
    group->padding = 0;
    group->length = work.length;
    work.write(frames_of(group), work.argument);
    return segment;
}

// Writes the message, in the queue or beside it. Errors: pg.
void write_group(Committer *committer, const Work &work, CommandId id) {
    Session *session = committer->session;
    SentGroup *sent = &committer->sent[id % kMostGroups];
    pg::fault("on-commit-send");
    const Size setup = setup_length(committer, work);
    GroupMessage message = {id, pool_lifetime(session), work.setup, setup, 0, nullptr, work.length};
    if (setup > 0) keep_setup(committer, work);
    if (!fits_queue(committer, setup + work.length)) {
        sent->segment = make_segment(work);
        committer->segments++;
        message.segment = dsm_segment_handle(sent->segment);
        message.length = 0;
    }
    char *frames = session::write_group(&session->local->channel, message);
    if (message.segment == 0) work.write(frames, work.argument);
    sent->bytes = setup + message.length;
    committer->bytes += sent->bytes;
}

// Sends a group; the worker will wait for the outcome. False when it has ended meanwhile.
bool send_group(Committer *committer, const Work &work) {
    Session *session = committer->session;
    LocalLink *local = session->local;
    const CommandId id = session->last_sent + 1;
    pg_atomic_write_u32(outcome_of(local->header, id), kUndecided);
    committer->undecided = id;
    OwnCommand *own = add_command(session, "bg.on_commit", false);
    ErrorData *error = pg::attempt([=, &work] { write_group(committer, work, id); });
    if (error != nullptr) {
        drop_command(session, own);
        session->last_sent--;
        free_group(committer, id);
        committer->undecided = 0;
        forget_setup(committer);
        if (session->last_done == session->last_sent) end_committer(committer);
        pg::rethrow(error);
    }
    release(session, id);
    show_sent(local->header, id);
    local->imposed = local->imposed || work.imposes;
    flush(session);
    for (const TimestampTz end = end_of_wait(); has_backlog(&local->channel); flush(session))
        wait_until(end);
    // From the pool it comes for this: else it may have ended before it could see the message.
    const bool lost = pg_atomic_read_u32(&local->header->pool) != kInUse &&
                      !leave_pool(local->header, kInUse) &&
                      pg_atomic_read_u32(&local->header->pool) == kRetired;
    return !lost && !local->channel.gone;
}

} // namespace

void send_work(const Work &work) {
    for (;;) {
        Committer *committer = choose_committer(work);
        if (send_group(committer, work)) return;
        end_committer(committer);
    }
}

} // namespace pllua_bg::session
