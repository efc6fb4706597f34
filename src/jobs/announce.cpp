// Telling the scheduler, at the commit, of the jobs a transaction has submitted. Owns the list of
// them, which is of a fixed size: of more than that it says that there are more.
#include "jobs/area.h"

#include "pg/settings.h"

extern "C" {
#include "access/xact.h"
}

namespace pllua_bg::jobs {

namespace {

constexpr int kMostIds = 256;

struct Announcement {
    int64 id;
    SubTransactionId subtransaction;
};

Announcement announcements[kMostIds];
int count;
int64 rescan_from = kNoRescan; // there are more, or it was asked for
bool probes;                   // other databases are to be looked at

void forget() {
    count = 0;
    rescan_from = kNoRescan;
    probes = false;
}

bool is_any() { return count > 0 || rescan_from != kNoRescan; }

void tell() {
    if (probes) probe_databases();
    if (!is_any()) return;
    int64 ids[kMostIds];
    for (int i = 0; i < count; i++) ids[i] = announcements[i].id;
    publish(MyDatabaseId, {ids, count, rescan_from});
}

void at_transaction_end(XactEvent event, void *) {
    switch (event) {
    case XACT_EVENT_PREPARE:
        // A scheduler is there when another backend commits it, and stays until then (retire()).
        if (is_any()) publish(MyDatabaseId, {nullptr, 0, kAll});
        forget();
        break;
    case XACT_EVENT_ABORT: forget(); break;
    default: break;
    }
}

// All of one subtransaction are together at the end.
void at_subtransaction_end(SubXactEvent event, SubTransactionId own, SubTransactionId parent,
                           void *) {
    if (event == SUBXACT_EVENT_ABORT_SUB)
        while (count > 0 && announcements[count - 1].subtransaction == own) count--;
    if (event == SUBXACT_EVENT_COMMIT_SUB)
        for (int i = count; i > 0 && announcements[i - 1].subtransaction == own; i--)
            announcements[i - 1].subtransaction = parent;
}

} // namespace

void check_running() {
    if (area != nullptr) return;
    const bool off = !pg::setting_jobs;
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                    errmsg("jobs do not run in this server"),
                    off ? errhint("The setting pllua_bg.jobs is off.")
                        : errhint("The library pllua_bg must be in shared_preload_libraries.")));
}

void refuse_ring(int level) {
    ereport(level,
            (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED), errmsg("too many databases have jobs"),
             errhint("The number of databases that may have jobs at a time is limited by "
                     "pllua_bg.job_databases, now %d.",
                     area->nrings)));
}

void announce(int64 id) {
    check_running();
    if (ring_of(MyDatabaseId, true) == nullptr) refuse_ring(ERROR);
    if (id == 0 || count == kMostIds)
        rescan_from = Min(rescan_from, Max(id, kAll));
    else
        announcements[count++] = {id, GetCurrentSubTransactionId()};
}

void tell_of_committed() {
    tell();
    forget();
}

void announce_probe() { probes = true; }
void announce_rescan() { rescan_from = kAll; }

void initialize_announcements() {
    if (!process_shared_preload_libraries_in_progress || !pg::setting_jobs) return;
    RegisterSubXactCallback(at_subtransaction_end, nullptr);
    RegisterXactCallback(at_transaction_end, nullptr);
}

} // namespace pllua_bg::jobs
