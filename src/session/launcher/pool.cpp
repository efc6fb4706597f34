// The pool: sessions that were let go and wait, clean, for another use.
// Owns the list of them. A session enters it idle; its worker then forgets its last use and says
// so; only then may it be used again, by the same user with the same options. Launcher and
// worker leave the pool by a compare-and-exchange, so that a worker never ends for idleness
// under a launch.
#include "session/launcher/launcher.h"
#include "session/launcher/snapshot.h"

#include "pg/compat.h"
#include "pg/fault.h"
#include "pg/guard.h"
#include "pg/settings.h"
#include "pg/wait.h"
#include "session/shared/guc_transfer.h"
#include "session/shared/session_slots.h"
#include "session/shared/slot_waiters.h"

extern "C" {
#include "access/xact.h"
#include "storage/ipc.h"
#include "utils/inval.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
}

namespace pllua_bg::session {

namespace {

// A session whose memory here has grown beyond this is not kept.
constexpr Size kMostMemory = 512 * 1024;
// How long a launch waits for a worker that is just forgetting its last use, in milliseconds: no
// more than a new worker takes to start where processors are busy, or to connect elsewhere.
constexpr int kMostWait = 20;

// How long a backend keeps using a worker for whose slot others wait, in milliseconds: long beside
// the time it takes to start another, short beside pllua_bg.launch_wait.
constexpr int kTurn = 150;

// Milliseconds a session may still be kept; not positive when it is too old.
int64 remaining_lifetime(const Session *session) {
    int64 age = (GetCurrentTimestamp() - session->local->born) / 1000;
    return Min(pg::setting_pool_lifetime * INT64CONST(1000),
               pg::setting_pool_age * INT64CONST(1000) - age);
}

void end_pooled(Session *session) {
    pool.remove(session);
    pool_count--;
    if (!is_gone(session)) {
        log_life(session, "is taken from the pool and ended");
        retire_entry(session->local->header);
        session->link->close();
    }
    free_session(session);
}

bool is_usable(const Session *session) {
    const LocalLink *local = session->local;
    return !is_gone(session) && !local->not_reusable &&
           pg_atomic_read_u32(&local->header->pool) == kResting &&
           !has_flag(local->header, kWorkerDone | kClosing);
}

void end_unusable() {
    Session *after;
    for (Session *session = pool.first; session != nullptr; session = after) {
        after = session->after;
        if (!is_usable(session)) end_pooled(session);
    }
}

// Frees what the last use has left here.
void forget_use(Session *session) {
    while (session->commands.first != nullptr) drop_command(session, session->commands.first);
    drop_notifications(session);
    session->notifications.listener = false;
    while (Notice *notice = session->early_notices.take_first())
        MemoryContextDelete(GetMemoryChunkContext(notice));
    if (session->note != nullptr) pfree(session->note);
    session->note = nullptr;
    session->note_length = 0;
    session->local->has_progress = false;
    if (session->last_error != nullptr) pfree(session->last_error);
    session->last_error = nullptr;
}

bool is_clean(const Session *session) {
    const LocalLink *local = session->local;
    return session->life == Life::kRunning && !local->not_reusable && session->current == nullptr &&
           session->last_done == session->last_sent && session->transaction == 'I' &&
           session->fatal == nullptr && session->last_command == 0 &&
           !has_backlog(&local->channel) && local->channel.batch_length == 0 &&
           !has_flag(local->header, kClosing | kOverflow | kWorkerDone | kPinned) &&
           remaining_lifetime(session) > 0;
}

// True when somebody waits for a slot and this backend has others, or has had its turn.
bool is_turn_over(const Session *session) {
    const int64 age = (GetCurrentTimestamp() - session->local->born) / 1000;
    return (session_count > 1 || pool_count > 0 || age >= kTurn) && is_slot_awaited();
}

bool send_reset(Session *session) {
    receive(session);
    if (!is_clean(session)) return false;
    forget_use(session);
    pg::fault("pool-keep");
    if (MemoryContextMemAllocated(session->context, true) > kMostMemory) return false;
    LocalLink *local = session->local;
    pg_atomic_write_u32(&local->header->pool, kResting);
    write_fixed(&local->channel, ResetMessage{remaining_lifetime(session)});
    (void)session->link->flush();
    return !has_backlog(&local->channel);
}

bool fits(const Session *session, const LaunchOptions &options, Size queue_size) {
    return session->user == GetUserId() && session->database == database_of(options) &&
           strcmp(NameStr(session->server), options.server == nullptr ? "" : options.server) == 0 &&
           session->local->queue_size == queue_size &&
           session->local->header->idle_timeout == options.idle_timeout &&
           remaining_lifetime(session) > 0;
}

// The newest session that fits and is ready; nullptr when there is none. `*soon`: one is about
// to be.
Session *look_for(const LaunchOptions &options, Size queue_size, bool *soon) {
    *soon = false;
    for (Session *session = pool.last; session != nullptr; session = session->before)
        receive(session);
    end_unusable();
    for (Session *session = pool.last; session != nullptr; session = session->before) {
        if (!fits(session, options, queue_size)) continue;
        if (session->local->pool_state == PoolState::kClean) return session;
        *soon = true;
    }
    return nullptr;
}

Session *wait_for_one(const LaunchOptions &options, Size queue_size) {
    bool soon;
    Session *session = look_for(options, queue_size, &soon);
    pg::Poll poll = {};
    while (session == nullptr && soon && pg::poll_again(&poll))
        session = look_for(options, queue_size, &soon);
    if (session != nullptr || !soon) return session;
    TimestampTz end = GetCurrentTimestamp() + kMostWait * INT64CONST(1000);
    while (session == nullptr && soon) {
        long rest = pg::milliseconds_until(end);
        if (rest == 0) break;
        (void)pg::wait_latch(rest, pg::WaitEvent::kResult);
        session = look_for(options, queue_size, &soon);
    }
    return session;
}

void reuse(Session *session, const LaunchOptions &options, StringInfo setup) {
    pool.remove(session);
    pool_count--;
    LocalLink *local = session->local;
    local->pool_state = PoolState::kWaking;
    session->last_sent = session->last_done = 0;
    forget_commands(local->header);
    ErrorData *error = pg::attempt([session, local, &options, setup] {
        if (local->imposed) complete_settings(setup);
        begin_use(session, options);
        if (options.snapshot) keep_snapshot(local);
        strlcpy(local->header->name, NameStr(session->name), NAMEDATALEN);
        write_reuse(&local->channel, {setup->data, static_cast<Size>(setup->len)});
        (void)session->link->flush();
        pg::fault("pool-reuse");
        receive(session); // sees a worker that has died since it was found resting
    });
    if (error == nullptr) return;
    pool.append(session);
    pool_count++;
    end_pooled(session);
    pg::rethrow(error);
}

void never_reuse(Session *session, uint32 hash) {
    for (; session != nullptr; session = session->after)
        if (session->local != nullptr && (hash == 0 || session->local->user_hash == hash))
            session->local->not_reusable = true;
}

// A role was changed or dropped: what its workers believe of it may be wrong.
void role_changes(Datum, pg::CacheId, uint32 hash) {
    never_reuse(sessions.first, hash);
    never_reuse(pool.first, hash);
}

void never_reuse_remote(Session *session) {
    for (; session != nullptr; session = session->after)
        if (session->local != nullptr && is_remote(session)) session->local->not_reusable = true;
}

// A foreign server, a user mapping or a wrapper was changed or dropped: who connects now may be let
// in elsewhere, as somebody else, or not at all.
void server_changes(Datum, pg::CacheId, uint32) {
    never_reuse_remote(sessions.first);
    never_reuse_remote(pool.first);
}

void at_transaction_end(XactEvent event, void *) {
    if (pool_count == 0) return;
    if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)
        end_unusable();
}

} // namespace

pg::LinkedList<Session> pool;
int pool_count = 0;

void trim_pool(int most) {
    while (pool_count > Max(most, 0)) end_pooled(pool.first);
}

bool keep_for_reuse(Session *session) {
    if (proc_exit_inprogress || pg::setting_pool_size == 0 || is_gone(session)) return false;
    if (session->local == nullptr) return false;
    bool sent = false;
    ErrorData *error =
        pg::attempt([session, &sent] { sent = !is_turn_over(session) && send_reset(session); });
    pg::free_error(error);
    if (error != nullptr || !sent) return false;
    pool_entry(session->local->header);
    log_life(session, "is put into the pool");
    sessions.remove(session);
    session_count--;
    session->local->pool_state = PoolState::kResetting;
    pool.append(session);
    pool_count++;
    trim_pool(pg::setting_pool_size);
    return true;
}

void rest_in_pool(Session *session) {
    forget_use(session);
    log_life(session, "is put into the pool");
    session->local->pool_state = PoolState::kClean;
    pool.append(session);
    pool_count++;
    if (!is_usable(session) || MemoryContextMemAllocated(session->context, true) > kMostMemory)
        end_pooled(session);
    trim_pool(pg::setting_pool_size);
}

int64 pool_lifetime(const Session *session) {
    return pg::setting_pool_size == 0 ? 0 : Max(remaining_lifetime(session), 0);
}

Session *take_from_pool(const LaunchOptions &options, Size queue_size, StringInfo setup) {
    if (pool_count == 0) return nullptr;
    // What the server checks when a worker connects may have changed.
    if (!pg::may_connect(database_of(options), GetUserId())) return nullptr;
    while (Session *session = wait_for_one(options, queue_size)) {
        pg::fault("pool-take");
        reuse_entry(session->local->header, options.name == nullptr ? "" : options.name);
        if (leave_pool(session->local->header, kInUse)) {
            reuse(session, options, setup);
            if (!is_gone(session)) return session;
            log_life(session, "died in the pool and is replaced");
            free_session(session);
            continue;
        }
        end_pooled(session);
    }
    return nullptr;
}

void initialize_pool() {
    CacheRegisterSyscacheCallback(AUTHOID, role_changes, 0);
    CacheRegisterSyscacheCallback(FOREIGNDATAWRAPPEROID, server_changes, 0);
    CacheRegisterSyscacheCallback(FOREIGNSERVEROID, server_changes, 0);
    CacheRegisterSyscacheCallback(USERMAPPINGOID, server_changes, 0);
    RegisterXactCallback(at_transaction_end, nullptr);
}

} // namespace pllua_bg::session
