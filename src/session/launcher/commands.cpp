// The commands of a session: entering, finding, counting, forgetting; and what has come of each.
// Owns the memory of commands.
//
// A command costs little until somebody looks at it. What comes of it is kept as it came, in one
// block, while it is small; unpack() makes statements, notices and errors of it.
#include "session/launcher/launcher.h"

#include "pg/encoding.h"
#include "pg/fault.h"
#include "pg/guard.h"
#include "pg/held.h"

namespace pllua_bg::session {

namespace {

// Bytes of a statement's text that are kept to show it.
constexpr int kShown = 1024;
// What comes of a command is unpacked when it is more than this.
constexpr Size kLeastPacked = 240; // with what the allocator adds, a power of two
constexpr Size kMostPacked = 1008;

// Counts what a command holds now.
void recount(Session *session, OwnCommand *own) {
    Size now = GetMemoryChunkSpace(own);
    if (own->packed != nullptr) now += GetMemoryChunkSpace(own->packed);
    if (own->context != nullptr) now += MemoryContextMemAllocated(own->context, true);
    count_held(session, static_cast<ptrdiff_t>(now) - static_cast<ptrdiff_t>(own->held));
    own->held = now;
}

void open_context(Session *session, OwnCommand *own) {
    own->context =
        AllocSetContextCreate(session->context, "pllua_bg command", ALLOCSET_SMALL_SIZES);
}

// Frees what has come.
void drop_contents(OwnCommand *own) {
    if (own->context != nullptr) MemoryContextDelete(own->context);
    if (own->packed != nullptr) pfree(own->packed);
    own->context = nullptr;
    own->packed = nullptr;
    own->packed_length = own->packed_capacity = 0;
    own->statements = {};
    own->open = nullptr;
    own->notices = {};
    own->error = nullptr;
}

// True when the message was added to what is packed. Errors: pg (memory).
bool pack(Session *session, OwnCommand *own, const Message &message) {
    const FrameHeader header = {static_cast<uint32>(message.length), message.type};
    const Size wanted = own->packed_length + sizeof header + MAXALIGN(message.length);
    if (own->context != nullptr || wanted > kMostPacked) return false;
    if (wanted > own->packed_capacity) {
        const Size capacity = wanted <= kLeastPacked ? kLeastPacked : kMostPacked;
        auto *larger = static_cast<char *>(MemoryContextAlloc(session->context, capacity));
        if (own->packed != nullptr) {
            memcpy(larger, own->packed, own->packed_length);
            pfree(own->packed);
        }
        own->packed = larger;
        own->packed_capacity = static_cast<uint32>(capacity);
    }
    memcpy(own->packed + own->packed_length, &header, sizeof header);
    memcpy(own->packed + own->packed_length + sizeof header, message.payload, message.length);
    own->packed_length = static_cast<uint32>(wanted);
    return true;
}

void unpack_messages(Session *session, OwnCommand *own) {
    FrameCursor cursor = {own->packed, own->packed + own->packed_length};
    Frame frame;
    while (next_frame(&cursor, &frame)) take_contents(session, own, read_message(frame));
    pg::fault("unpack");
    if (own->failure == Failure::kLost) take_death(session, own);
}

} // namespace

void count_held(Session *session, ptrdiff_t bytes) {
    session->held += static_cast<Size>(bytes);
    pg::hold(bytes);
}

// Numbers ascend in the list; most look-ups are for one of its ends.
OwnCommand *find_command(Session *session, CommandId id) {
    OwnCommand *first = session->commands.first;
    OwnCommand *last = session->commands.last;
    if (first == nullptr || id < first->id || id > last->id) return nullptr;
    bool from_front = id - first->id <= last->id - id;
    OwnCommand *own = from_front ? first : last;
    while (from_front ? own->id < id : own->id > id) own = from_front ? own->after : own->before;
    return own->id == id ? own : nullptr;
}

OwnCommand *current_command(Session *session) { return session->current; }

void current_is_done(Session *session) {
    OwnCommand *own = session->current;
    trace_done(session, own);
    session->last_done = own->id;
    session->current = own->after;
    if (own->discarded) drop_command(session, own);
}

Command *command(Session *session, CommandId id) {
    OwnCommand *own = find_command(session, id);
    return own == nullptr || own->discarded ? nullptr : own;
}

OwnCommand *add_command(Session *session, const char *sql, bool streaming) {
    const Size size = pg::clipped_length(sql, kShown) + 1;
    auto *own =
        static_cast<OwnCommand *>(MemoryContextAlloc(session->context, sizeof(OwnCommand) + size));
    memset(own, 0, sizeof *own);
    own->sql = reinterpret_cast<char *>(own + 1);
    pg::copy_clipped(own->sql, sql, size);
    own->id = ++session->last_sent;
    own->state = CommandState::kPending;
    own->untaken = true;
    own->streaming = streaming;
    session->commands.append(own);
    if (session->current == nullptr) session->current = own;
    recount(session, own);
    return own;
}

void begin_contents(Session *session, OwnCommand *own) {
    // Whoever reads the rows of a stream has pointers into what comes.
    if (own->streaming || session->early_notices.first != nullptr) open_context(session, own);
    recount(session, own);
}

void take_early_notices(Session *session, OwnCommand *own) {
    if (session->early_notices.first == nullptr) return;
    own->notices = session->early_notices;
    for (Notice *notice = own->notices.first; notice != nullptr; notice = notice->after)
        MemoryContextSetParent(GetMemoryChunkContext(notice), own->context);
    session->early_notices = {};
    recount(session, own);
}

void drop_command(Session *session, OwnCommand *own) {
    session->commands.remove(own);
    if (session->current == own) session->current = nullptr;
    count_held(session, -static_cast<ptrdiff_t>(own->held));
    drop_contents(own);
    pfree(own);
}

void release(Session *session, CommandId id) {
    OwnCommand *own = find_command(session, id);
    if (own == nullptr) return;
    if (own->state != CommandState::kPending) {
        drop_command(session, own);
        return;
    }
    own->discarded = true;
    drop_contents(own);
    recount(session, own);
}

void keep_message(Session *session, OwnCommand *own, const Message &message) {
    if (own->discarded) return;
    if (!pack(session, own, message)) {
        unpack(session, own);
        take_contents(session, own, message);
    }
    recount(session, own);
}

void unpack(Session *session, Command *command) {
    auto *own = static_cast<OwnCommand *>(command);
    if (own->context != nullptr) return;
    char *packed = own->packed;
    open_context(session, own);
    ErrorData *error = pg::attempt([session, own] { unpack_messages(session, own); });
    if (error != nullptr) {
        own->packed = nullptr;
        const uint32 length = own->packed_length;
        const uint32 capacity = own->packed_capacity;
        drop_contents(own);
        own->packed = packed;
        own->packed_length = length;
        own->packed_capacity = capacity;
        pg::rethrow(error);
    }
    if (packed != nullptr) pfree(packed);
    own->packed = nullptr;
    own->packed_length = own->packed_capacity = 0;
    recount(session, own);
}

void forget_error(Session *session, OwnCommand *own) {
    if (own->failure != Failure::kError) return;
    unpack(session, own);
    own->failure = Failure::kNone;
    own->error = nullptr;
    trace_error(own, 0, nullptr);
}

Command *take_out(Session *session, CommandId id) {
    OwnCommand *own = find_command(session, id);
    if (own == nullptr || own->discarded || own->state == CommandState::kPending) return nullptr;
    unpack(session, own);
    const Size size = sizeof(OwnCommand) + strlen(own->sql) + 1;
    auto *taken = static_cast<OwnCommand *>(MemoryContextAlloc(own->context, size));
    memcpy(taken, own, size);
    taken->sql = reinterpret_cast<char *>(taken + 1);
    taken->untaken = false;
    for (StatementResult *statement = taken->statements.first; statement != nullptr;
         statement = statement->after)
        statement->streaming = nullptr;
    MemoryContextSetParent(own->context, CurrentMemoryContext);
    own->context = nullptr;
    drop_command(session, own);
    return taken;
}

Command *newest_untaken(Session *session) {
    for (OwnCommand *own = session->commands.last; own != nullptr; own = own->before)
        if (own->untaken && !own->discarded) return own;
    return nullptr;
}

Command *oldest_untaken(Session *session) {
    for (OwnCommand *own = session->commands.first; own != nullptr; own = own->after)
        if (own->untaken && !own->discarded) return own;
    return nullptr;
}

Command *newest_pending(Session *session) {
    return session->current == nullptr ? nullptr : session->commands.last;
}

void take(Session *, Command *command) { command->untaken = false; }

} // namespace pllua_bg::session
