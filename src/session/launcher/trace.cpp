// Notes of commands while somebody traces: what was sent to which session, when it ran, what came
// of it. Nothing is noted while nobody does. Owns the traces; each has its memory.
#include "session/shared/trace.h"
#include "pg/encoding.h"
#include "pg/held.h"
#include "session/launcher/launcher.h"

extern "C" {
#include "utils/memutils.h"
}

namespace pllua_bg::session {

// A trace keeps the first commands, `most` of them. Its commands are numbered as those of all
// traces are, without a gap.
struct Trace {
    Trace *before; // in active
    Trace *after;
    MemoryContext context; // owns everything here
    TimestampTz began;
    uint64 first; // number of commands[0]
    uint32 most;
    uint32 count;
    uint32 room; // there is in commands
    uint64 dropped;
    bool is_active;
    TracedCommand *commands;
    Size held; // bytes counted
};

namespace {

pg::LinkedList<Trace> active;
uint64 last_number = 0;
int64 current_task = 0;

// Bytes of an error's message that are kept.
constexpr Size kMessage = 256;
constexpr uint32 kFirstRoom = 64;
// Whoever reads a trace takes so many times its memory, under the same limit.
constexpr Size kReader = 6;

void recount(Trace *trace) {
    const Size now = MemoryContextMemAllocated(trace->context, false);
    pg::hold(static_cast<ptrdiff_t>(now) - static_cast<ptrdiff_t>(trace->held));
    trace->held = now;
}

// nullptr where there is no memory for it.
void *allocate(Trace *trace, Size size) {
    if (!pg::take_held_room((trace->held + size) * kReader)) return nullptr;
    return MemoryContextAllocExtended(trace->context, size, MCXT_ALLOC_NO_OOM | MCXT_ALLOC_HUGE);
}

// A copy of a text, or the one of the command before, which is the same most often; nullptr: no
// memory.
const char *keep(Trace *trace, const char *text, const char *before) {
    if (before != nullptr && strcmp(text, before) == 0) return before;
    const Size size = strlen(text) + 1;
    void *copy = allocate(trace, size);
    return copy == nullptr ? nullptr : static_cast<const char *>(memcpy(copy, text, size));
}

// False where there is no room for one more.
bool make_room(Trace *trace) {
    if (trace->count < trace->room) return true;
    if (trace->count >= trace->most) return false;
    const uint32 room = Min(trace->most, trace->room == 0 ? kFirstRoom : trace->room * 2);
    auto *larger = static_cast<TracedCommand *>(allocate(trace, sizeof(TracedCommand) * room));
    if (larger == nullptr) return false;
    if (trace->commands != nullptr) {
        memcpy(larger, trace->commands, sizeof(TracedCommand) * trace->count);
        pfree(trace->commands);
    }
    trace->commands = larger;
    trace->room = room;
    return true;
}

bool add(Trace *trace, const Session *session, const OwnCommand *own) {
    if (trace->dropped > 0 || !make_room(trace)) return false;
    const TracedCommand *last = trace->count == 0 ? nullptr : &trace->commands[trace->count - 1];
    TracedCommand *traced = &trace->commands[trace->count];
    *traced = {};
    traced->sql = keep(trace, own->sql, last == nullptr ? nullptr : last->sql);
    traced->name = keep(trace, NameStr(session->name), last == nullptr ? nullptr : last->name);
    traced->server =
        keep(trace, NameStr(session->server), last == nullptr ? nullptr : last->server);
    if (traced->sql == nullptr || traced->name == nullptr || traced->server == nullptr)
        return false;
    traced->session = session->number;
    traced->pid = session->pid;
    traced->user = session->user;
    traced->task = current_task;
    traced->sent = GetCurrentTimestamp();
    trace->count++;
    return true;
}

// The command of that number in the trace; nullptr: it has none.
TracedCommand *find(const Trace *trace, uint64 number) {
    if (number < trace->first || number - trace->first >= trace->count) return nullptr;
    return &trace->commands[number - trace->first];
}

// Calls change(trace, traced) for the command in each trace that has it.
template <class Change> void change_each(const OwnCommand *own, Change change) {
    if (own->traced == 0) return;
    for (Trace *trace = active.first; trace != nullptr; trace = trace->after) {
        TracedCommand *traced = find(trace, own->traced);
        if (traced == nullptr) continue;
        change(trace, traced);
        recount(trace);
    }
}

void set_error(Trace *trace, TracedCommand *traced, int sqlstate, const char *message) {
    traced->sqlstate = sqlstate;
    traced->error = nullptr;
    if (message == nullptr) return;
    char clipped[kMessage];
    pg::copy_clipped(clipped, message, sizeof clipped);
    traced->error = keep(trace, clipped, nullptr);
}

} // namespace

void trace_sent(const Session *session, OwnCommand *own, bool prepares) {
    if (active.first == nullptr) return;
    own->traced = ++last_number;
    for (Trace *trace = active.first; trace != nullptr; trace = trace->after) {
        if (add(trace, session, own))
            trace->commands[trace->count - 1].prepares = prepares;
        else
            trace->dropped++;
        recount(trace);
    }
}

void trace_error(const OwnCommand *own, int sqlstate, const char *message) {
    change_each(own, [=](Trace *trace, TracedCommand *traced) {
        set_error(trace, traced, sqlstate, message);
    });
}

void trace_done(const Session *session, const OwnCommand *own) {
    change_each(own, [=](Trace *trace, TracedCommand *traced) {
        traced->state =
            own->state == CommandState::kFailed ? TracedState::kFailed : TracedState::kComplete;
        traced->pid = session->pid;
        traced->begun = own->begun;
        traced->ended = own->ended;
        if (own->failure == Failure::kLost)
            set_error(trace, traced,
                      session->refused ? session->fatal->sqlerrcode : ERRCODE_CONNECTION_FAILURE,
                      session->cause_of_death);
    });
}

void trace_left(const Session *session) {
    if (active.first == nullptr) return;
    for (const OwnCommand *own = session->current; own != nullptr; own = own->after)
        change_each(own, [=](Trace *, TracedCommand *traced) {
            traced->state = TracedState::kLeft;
            traced->pid = session->pid;
            traced->ended = GetCurrentTimestamp();
        });
}

Trace *begin_trace(uint32 most) {
    MemoryContext context =
        AllocSetContextCreate(TopMemoryContext, "pllua_bg trace", ALLOCSET_DEFAULT_SIZES);
    auto *trace = static_cast<Trace *>(MemoryContextAllocZero(context, sizeof(Trace)));
    trace->context = context;
    trace->most = most;
    trace->first = last_number + 1;
    trace->began = GetCurrentTimestamp();
    trace->is_active = true;
    active.append(trace);
    recount(trace);
    return trace;
}

void end_trace(Trace *trace) {
    if (!trace->is_active) return;
    trace->is_active = false;
    active.remove(trace);
    if (active.first == nullptr) current_task = 0;
}

void free_trace(Trace *trace) {
    end_trace(trace);
    pg::hold(-static_cast<ptrdiff_t>(trace->held));
    MemoryContextDelete(trace->context);
}

TracedCommands traced_commands(const Trace *trace) {
    return {trace->commands, trace->count, trace->dropped, trace->began};
}

void set_traced_task(int64 number) { current_task = number; }

} // namespace pllua_bg::session
