// Progress with a version that is odd while it is written; see PGSTAT_BEGIN_WRITE_ACTIVITY in
// utils/backend_status.h for the protocol.
#include "session/shared/progress.h"

#include "pg/encoding.h"

namespace pllua_bg::session {

namespace {

// A reader that meets an odd version this often has met a worker that died while it wrote.
constexpr int kReadAttempts = 10000;

} // namespace

void write_progress(SegmentHeader *header, double done, double total, const char *message) {
    START_CRIT_SECTION();
    (void)pg_atomic_fetch_add_u32(&header->progress_version, 1);
    pg_write_barrier();
    header->progress.done = done;
    header->progress.total = total;
    pg::copy_clipped(header->progress.message, message, kProgressMessageSize);
    pg_write_barrier();
    (void)pg_atomic_fetch_add_u32(&header->progress_version, 1);
    END_CRIT_SECTION();
}

bool copy_progress(SegmentHeader *header, Progress *progress) {
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

} // namespace pllua_bg::session
