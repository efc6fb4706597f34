// What LISTENs of sessions have brought, until somebody takes it.
// Owns the notifications; each is one chunk in the memory of its session. Whoever notifies is
// perhaps nobody's friend: their number is limited, and their size to a part of the memory limit.
#include "session/launcher/launcher.h"
#include "session/shared/message.h"

#include "pg/held.h"
#include "pg/settings.h"

namespace pllua_bg::session {

namespace {

// Notifications that have come for sessions with a listener.
uint64 arrived = 0;
// Bytes of those of all sessions that nobody has taken.
Size total = 0;

Notification *remove_first(Session *session) {
    Notification *first = session->notifications.list.take_first();
    session->notifications.count--;
    total -= GetMemoryChunkSpace(first);
    return first;
}

bool is_room(const Session *session, Size size) {
    const int most = pg::setting_max_notifications;
    return (most == 0 || session->notifications.count < most) &&
           total + size <= pg::most_for_notifications();
}

// Drops the oldest until there is room for one more.
void make_room(Session *session, Size size) {
    bool dropped = false;
    while (session->notifications.list.first != nullptr && !is_room(session, size)) {
        pfree(remove_first(session));
        dropped = true;
    }
    if (!dropped || session->notifications.dropping) return;
    session->notifications.dropping = true;
    warn_of_lost_notifications(session->pid);
}

} // namespace

void drop_notifications(Session *session) {
    while (session->notifications.list.first != nullptr) pfree(remove_first(session));
    session->notifications.dropping = false;
}

void take_notification(Session *session, const NotificationMessage &message) {
    const Size size = sizeof(Notification) + message.length;
    make_room(session, size);
    auto *got = static_cast<Notification *>(MemoryContextAlloc(session->context, size));
    char *text = reinterpret_cast<char *>(got + 1);
    memcpy(text, message.channel, message.length);
    got->pid = message.pid;
    got->channel = text;
    got->payload = text + (message.payload - message.channel);
    session->notifications.list.append(got);
    session->notifications.count++;
    total += GetMemoryChunkSpace(got);
    if (session->notifications.listener) arrived++;
}

Notification *first_notification(Session *session) {
    if (session->notifications.list.first == nullptr) return nullptr;
    Notification *got = remove_first(session);
    if (session->notifications.list.first == nullptr) session->notifications.dropping = false;
    return got;
}

bool has_notification(const Session *session) {
    return is_gone(session) || session->notifications.list.first != nullptr;
}

void set_listener(Session *session) { session->notifications.listener = true; }

uint64 notifications_arrived() { return arrived; }

void free_notification(Notification *notification) { pfree(notification); }

} // namespace pllua_bg::session
