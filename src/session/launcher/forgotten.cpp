// Sessions that nobody can reach any more: their handle was collected, and nobody was told their
// pid. The collector only marks them; they are let go, as by detach(), by the next launch, by who
// looks at the sessions, or at the end of the transaction, where one warning tells of all.
// Owns what that warning will say.
#include "session/launcher/launcher.h"

extern "C" {
#include "access/xact.h"
#include "utils/timestamp.h"
}

namespace pllua_bg::session {

namespace {

constexpr int kMostNamed = 5;
// Who has looked for garbage in vain does so again after so many milliseconds.
constexpr int kPause = 1000;

int let_go_count; // since the last warning
struct Named {
    int pid;
    NameData name;
} named[kMostNamed];

// What there was when garbage was looked for last.
uint64 looked_at_number;
TimestampTz looked_at_time;

void note(Session *session) {
    if (let_go_count < kMostNamed) {
        named[let_go_count].pid = known_pid(session);
        named[let_go_count].name = session->name;
    }
    let_go_count++;
}

void warn() {
    const int count = let_go_count;
    let_go_count = 0;
    StringInfoData list;
    initStringInfo(&list);
    for (int i = 0; i < Min(count, kMostNamed); i++) {
        const char *name = NameStr(named[i].name);
        if (i > 0) appendStringInfoString(&list, ", ");
        if (named[i].pid != 0)
            appendStringInfo(&list, "PID %d", named[i].pid);
        else
            appendStringInfoString(&list, _("one that was starting"));
        if (*name != '\0') appendStringInfo(&list, " \"%s\"", name);
    }
    if (count > kMostNamed) appendStringInfo(&list, _(" and %d others"), count - kMostNamed);
    ereport(WARNING,
            (errmsg_plural("%d background session that nobody held any more was let go",
                           "%d background sessions that nobody held any more were let go",
                           static_cast<unsigned long>(count), count),
             errdetail_internal("%s.", list.data),
             errhint("End a session that is no longer needed: \"local s <close> = bg.launch()\", "
                     "s:close() or s:detach().")));
    pfree(list.data);
}

void at_transaction_end(XactEvent event, void *) {
    if (event != XACT_EVENT_PRE_COMMIT && event != XACT_EVENT_PRE_PREPARE) return;
    let_forgotten_go();
    if (let_go_count > 0) warn();
}

} // namespace

void let_forgotten_go() {
    if (!any_forgotten) return;
    any_forgotten = false;
    Session *after;
    for (Session *session = sessions.first; session != nullptr; session = after) {
        after = session->after;
        if (!session->forgotten) continue;
        if (!is_gone(session)) note(session);
        detach(session);
    }
}

bool may_have_forgotten() {
    const TimestampTz now = GetCurrentTimestamp();
    uint64 newest = 0;
    for (Session *session = sessions.first; session != nullptr; session = session->after)
        if (!session->told) newest = Max(newest, session->number);
    if (newest == 0) return false;
    if (newest <= looked_at_number && !TimestampDifferenceExceeds(looked_at_time, now, kPause))
        return false;
    looked_at_number = newest;
    looked_at_time = now;
    return true;
}

void initialize_forgotten() { RegisterXactCallback(at_transaction_end, nullptr); }

} // namespace pllua_bg::session
