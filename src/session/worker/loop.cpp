// The worker's loop: waits for commands, runs them, survives their errors, does a
// backend's duties while idle. Owns what a session is between two commands. Follows
// PostgresMain in src/backend/tcop/postgres.c.
#include "session/worker/worker.h"

#include "pg/compat.h"
#include "pg/fault.h"
#include "pg/guard.h"
#include "pg/reserve.h"
#include "pg/wait.h"
#include "session/shared/session_slots.h"
#include "session/worker/idle.h"

extern "C" {
#include "access/xact.h"
#include "jit/jit.h"
#include "pgstat.h"
#include "replication/slot.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "utils/portal.h"
#include "utils/snapmgr.h"
#include "utils/timeout.h"
#include "utils/wait_event.h"
}

namespace pllua_bg::session {

namespace {

// A cancel for the present command takes effect, one for another does not.
void begin_command(const CommandMessage *command) {
    worker.running = command->id;
    worker.begun = GetCurrentTimestamp();
    worker.result_size = 0;
    if (command->flags & kLast) worker.last = command->id;
    worker.channel.wait = (command->flags & kStreaming) != 0;
    pg_atomic_write_u64(&worker.header->started, command->id);
    pg_memory_barrier();
    if (is_cancelled(worker.header, command->id) || has_flag(worker.header, kClosing)) {
        QueryCancelPending = true;
        InterruptPending = true;
    }
    take_busy_lock();
}

// Reports the state after a command, or after an error while idle.
void report_ready() {
    worker.running = 0;
    worker.channel.wait = false;
    release_busy_lock();
    report_idle_activity();
    ReadyMessage ready = {};
    ready.command = pg_atomic_read_u64(&worker.header->finished);
    ready.transaction = executor->transaction_state();
    show_idle(ready.command, ready.transaction);
    ready.begun = worker.begun;
    ready.ended = GetCurrentTimestamp();
    write_fixed(&worker.channel, ready);
    flush(&worker.channel);
}

void end_command() {
    if (worker.header == nullptr) return;
    if (worker.group.id != 0) {
        worker.running = 0;
        release_busy_lock();
        end_group_command();
        return;
    }
    if (worker.running != 0) pg_atomic_write_u64(&worker.header->finished, worker.running);
    report_ready();
}

// The last command is done, and all it has brought is on its way.
bool is_at_end() {
    return worker.last != 0 && pg_atomic_read_u64(&worker.header->finished) >= worker.last &&
           !has_backlog(&worker.channel);
}

// Waits for the next message; false when the session is over. Errors: pg (interrupts).
bool next_message(Frame *frame) {
    pg::Poll poll = {};
    // Who has just started has a launcher that is busy with starting others, or asleep.
    bool polling = worker.begun != 0;
    Idle idle = {};
    for (;;) {
        serve_interrupts();
        if (has_flag(worker.header, kClosing)) return false;
        if (take_message(frame)) {
            end_idle(&idle);
            return true;
        }
        bool found;
        if (!receive_messages(&found)) return false;
        if (found) continue;
        if (has_backlog(&worker.channel)) (void)send_backlog(&worker.channel);
        if (is_at_end()) return false;
        polling = polling && pg::poll_again(&poll);
        if (polling) continue;
        if (!sleep_idle(&idle)) return false;
    }
}

void run_command(const CommandMessage &command) {
    begin_command(&command);
    pg::fault("worker-command");
    executor->execute(&command);
    end_command();
}

// What is logged of work after the commit says so.
void name_group(void *) {
    if (geterrcode() != ERRCODE_SUCCESSFUL_COMPLETION)
        errcontext("on_commit of process %d", worker.header->launcher_pid);
}

// The next step of the work after a commit; false when the session is over.
bool obey_group() {
    serve_interrupts();
    if (has_flag(worker.header, kClosing)) return false;
    ErrorContextCallback named = {error_context_stack, name_group, nullptr};
    error_context_stack = &named;
    Frame frame;
    bool goes_on = true;
    if (!next_frame(&worker.group.frames, &frame)) {
        goes_on = end_group();
        if (goes_on) report_ready();
    } else if (frame.type == MessageType::kReuse) {
        worker.group.setup = read_reuse(frame);
    } else {
        take_group_setup();
        CommandMessage command = read_command(frame);
        command.id = worker.group.id;
        run_command(command);
    }
    error_context_stack = named.previous;
    return goes_on;
}

void obey(const Frame &frame) {
    switch (frame.type) {
    case MessageType::kCommand: run_command(read_command(frame)); break;
    case MessageType::kGroup: begin_group(read_group(frame)); break;
    case MessageType::kForget:
        executor->forget_statement(read_fixed<ForgetMessage>(frame).statement);
        break;
    case MessageType::kReset: reset(read_fixed<ResetMessage>(frame)); break;
    case MessageType::kReuse:
        reuse(read_reuse(frame));
        if (transaction_state() != 'I') report_ready();
        break;
    default: elog(ERROR, "unknown message for a background session");
    }
}

bool obey_next() {
    MemoryContextSwitchTo(MessageContext);
    MemoryContextReset(MessageContext);
    InvalidateCatalogSnapshotConditionally();
    if (worker.group.id != 0) return obey_group();
    Frame frame;
    if (!next_message(&frame)) return false;
    obey(frame);
    return true;
}

// Keeps what the error says for bg.sessions. The transaction is over, its memory free again.
void show_failure() {
    MemoryContextSwitchTo(MessageContext);
    ErrorData *error = CopyErrorData();
    if (error->message != nullptr) show_error(error->message);
    FreeErrorData(error);
}

// What PostgresMain does after an error.
void recover() {
    if (geterrcode() == ERRCODE_OUT_OF_MEMORY) pg::release_reserve();
    HOLD_INTERRUPTS();
    disable_all_timeouts(false);
    QueryCancelPending = false;
    worker.channel.wait = false;
    EmitErrorReport();
    const int sqlstate = geterrcode();
    debug_query_string = nullptr;
    AbortCurrentTransaction();
    PortalErrorCleanup();
    if (MyReplicationSlot != nullptr) ReplicationSlotRelease();
    pg::drop_temporary_slots();
    jit_reset_after_error();
    show_failure();
    MemoryContextSwitchTo(TopMemoryContext);
    FlushErrorState();
    worker.in_command = false;
    RESUME_INTERRUPTS();
    executor->recover();
    if (worker.group.id != 0) count_group_error(sqlstate);
    end_command();
}

} // namespace

void run_loop() {
    end_command();
    for (;;) {
        bool more = false;
        if (pg::attempt_raw([&more] { more = obey_next(); })) {
            if (!more) return;
        } else {
            recover();
            pg::fault("worker-recovered");
            // Half a reset is none.
            if (worker.phase == Phase::kChanging || (worker.phase == Phase::kPooled && retire()))
                return;
        }
    }
}

} // namespace pllua_bg::session
