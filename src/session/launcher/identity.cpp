// Overseeing sessions: who is who, what their launcher notes about them, how far they are, and
// their end when nothing else helps. Owns nothing.
#include "session/launcher/launcher.h"

#include "pg/encoding.h"
#include "session/shared/session_slots.h"

namespace pllua_bg::session {

void terminate(Session *session) {
    if (is_gone(session)) return;
    session->ended_here = true;
    session->link->terminate();
}

Identity identity(const Session *session) {
    return {session->cookie, session->launched_at, session->user,
            session->local == nullptr ? 0 : session->local->queue_size};
}

Session *find_exact(int pid, int64 cookie) {
    for (Session *session = sessions.first; session != nullptr; session = session->after)
        if (session->cookie == cookie && known_pid(session) == pid) return session;
    return nullptr;
}

bool has_worker(int launcher_pid, uint64 cookie) {
    if (launcher_pid != MyProcPid) return false;
    for (Session *session = sessions.first; session != nullptr; session = session->after)
        if (session->local != nullptr && session->local->header != nullptr &&
            session->local->header->cookie == cookie)
            return true;
    return false;
}

void set_note(Session *session, const char *bytes, Size length) {
    char *note = static_cast<char *>(MemoryContextAlloc(session->context, length + 1));
    memcpy(note, bytes, length);
    if (session->note != nullptr) pfree(session->note);
    session->note = note;
    session->note_length = length;
}

const char *note(const Session *session, Size *length) {
    *length = session->note_length;
    return session->note;
}

bool read_progress(Session *session, Progress *progress) {
    return session->link->progress(progress);
}

void show_work(Session *session, double done, double total, const char *message) {
    if (session->local == nullptr || session->local->header == nullptr) return;
    Progress progress = {done, total, ""};
    pg::copy_clipped(progress.message, message, kProgressMessageSize);
    show_work(session->local->header, &progress);
}

} // namespace pllua_bg::session
