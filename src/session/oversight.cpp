// Overseeing sessions: who is who, what their launcher notes about them, how far they are, and
// their end when nothing else helps. Owns nothing.
#include "session/worker.h"

#include <cmath>

#include "pg/encoding.h"
#include "session/internal.h"
#include "session/session_table.h"

namespace pllua_bg::session {

// A reader that meets an odd version this often has met a worker that died while it wrote.
static constexpr int kReadAttempts = 10000;

void terminate(Session *session) {
    if (session->gone || session->worker == nullptr) return;
    session->ended_here = session->spoilt = true;
    TerminateBackgroundWorker(session->worker);
}

Identity identity(const Session *session) {
    return {session->cookie, session->launched_at, session->user, session->queue_size};
}

Session *find_exact(int pid, int64 cookie) {
    for (Session *session = sessions.first; session != nullptr; session = session->after)
        if (session->cookie == cookie && known_pid(session) == pid) return session;
    return nullptr;
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

// The worker is the only writer; see PGSTAT_BEGIN_WRITE_ACTIVITY in utils/backend_status.h for the
// protocol.
bool report_progress(double done, double total, const char *message) {
    SegmentHeader *header = worker.header;
    if (!std::isfinite(done) || std::isinf(total))
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("progress must be told in finite numbers")));
    if (header == nullptr) return false;
    START_CRIT_SECTION();
    (void)pg_atomic_fetch_add_u32(&header->progress_version, 1);
    pg_write_barrier();
    header->progress.done = done;
    header->progress.total = total;
    pg::copy_clipped(header->progress.message, message, kProgressMessageSize);
    pg_write_barrier();
    (void)pg_atomic_fetch_add_u32(&header->progress_version, 1);
    END_CRIT_SECTION();
    show_progress(&header->progress);
    return true;
}

static bool copy_progress(SegmentHeader *header, Progress *progress) {
    for (int i = 0; i < kReadAttempts; i++) {
        uint32 before = pg_atomic_read_u32(&header->progress_version);
        if (before == 0) return false;
        pg_read_barrier();
        memcpy(progress, &header->progress, sizeof *progress);
        pg_read_barrier();
        if ((before & 1) == 0 && before == pg_atomic_read_u32(&header->progress_version))
            return true;
    }
    return false;
}

void save_progress(Session *session) {
    session->has_progress = copy_progress(session->header, &session->progress);
}

bool read_progress(Session *session, Progress *progress) {
    if (session->header != nullptr) return copy_progress(session->header, progress);
    *progress = session->progress;
    return session->has_progress;
}

} // namespace pllua_bg::session
