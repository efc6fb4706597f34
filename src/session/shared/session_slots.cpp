// Taking, showing and giving back the entries of the table of sessions. See session_slots.h.
// Owns this worker's entry.
#include "session/shared/session_slots.h"

#include "pg/encoding.h"
#include "pg/settings.h"
#include "session/shared/shared_memory.h"

namespace pllua_bg::session {

namespace {

// An entry that no worker has adopted for so long belongs to nobody: microseconds.
constexpr int64 kStaleAfter = 60 * INT64CONST(1000000);

Slot *own_slot; // of the worker of this process

void lock() { LWLockAcquire(shared_lock, LW_EXCLUSIVE); }
void unlock() { LWLockRelease(shared_lock); }

// The session's slot; nullptr when it has none. What it holds can be trusted only with the lock.
Slot *slot_of(SegmentHeader *header) {
    if (shared_area == nullptr) return nullptr;
    const uint32 number = pg_atomic_read_u32(&header->slot_entry);
    if (number == 0) return nullptr;
    Slot *slot = &shared_slots[number - 1];
    return slot->entry.cookie == header->cookie && slot->entry.use != Use::kFree ? slot : nullptr;
}

void reset_use(Slot *slot, const char *name) {
    SlotEntry *entry = &slot->entry;
    entry->use = Use::kSession;
    entry->launched_at = GetCurrentTimestamp();
    pg_atomic_write_u64(&slot->sent, 0);
    NameData clipped = {};
    pg::copy_clipped(NameStr(clipped), name, NAMEDATALEN);
    SpinLockAcquire(&slot->mutex);
    entry->name = clipped;
    WorkerReport *report = &entry->report;
    report->transaction = 'I';
    report->running = report->finished = 0;
    report->has_progress = false;
    report->sql[0] = report->error[0] = '\0';
    SpinLockRelease(&slot->mutex);
}

void fill_slot(Slot *slot, SegmentHeader *header) {
    SlotEntry *entry = &slot->entry;
    entry->cookie = header->cookie;
    entry->launcher_pid = header->launcher_pid;
    entry->worker_pid = 0;
    entry->database = header->database;
    entry->user = header->user;
    entry->encoding = header->encoding;
    pg::copy_clipped(NameStr(entry->server), header->server, NAMEDATALEN);
    entry->report.ready = false;
    reset_use(slot, header->name);
    pg_atomic_write_u32(&header->slot_entry, static_cast<uint32>(slot - shared_slots) + 1);
}

// Takes back what belongs to nobody. Call with the lock.
void free_abandoned() {
    const TimestampTz oldest = GetCurrentTimestamp() - kStaleAfter;
    for (int i = 0; i < shared_area->nslots; i++) {
        SlotEntry *entry = &shared_slots[i].entry;
        if (entry->worker_pid == 0 && entry->launched_at < oldest) entry->use = Use::kFree;
    }
}

// nullptr when there is none. Call with the lock.
Slot *find_free() {
    for (int i = 0; i < shared_area->nslots; i++)
        if (shared_slots[i].entry.use == Use::kFree) return &shared_slots[i];
    return nullptr;
}

// Raises when the role has as many sessions as it may. Call with the lock, which it then releases.
void check_role_limit(Oid role) {
    const int most = pg::setting_max_sessions_per_role;
    if (most == 0) return;
    int count = 0;
    for (int i = 0; i < shared_area->nslots; i++) {
        const SlotEntry *entry = &shared_slots[i].entry;
        count += entry->use == Use::kSession && entry->user == role ? 1 : 0;
    }
    if (count < most) return;
    unlock();
    ereport(ERROR,
            (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
             errmsg("too many background sessions for role \"%s\"", GetUserNameFromId(role, true)),
             errdetail("The role has %d of them in this server.", count),
             errhint("Detach sessions that are no longer needed, or increase "
                     "pllua_bg.max_sessions_per_role.")));
}

void put_progress(Slot *slot, const Progress *progress) {
    SpinLockAcquire(&slot->mutex);
    slot->entry.report.progress = *progress;
    slot->entry.report.has_progress = true;
    SpinLockRelease(&slot->mutex);
}

void copy_text(char *into, const char *text, Size length) {
    memcpy(into, text, length);
    into[length] = '\0';
}

} // namespace

bool take_entry(SegmentHeader *header) {
    reach_shared_area();
    if (shared_area == nullptr) return true;
    lock();
    free_abandoned();
    check_role_limit(header->user);
    Slot *slot = find_free();
    if (slot != nullptr) fill_slot(slot, header);
    unlock();
    return slot != nullptr;
}

void retire_entry(SegmentHeader *header) {
    if (shared_area == nullptr) return;
    lock();
    if (Slot *slot = slot_of(header))
        slot->entry.use = slot->entry.worker_pid == 0 ? Use::kFree : Use::kEnding;
    unlock();
}

void pool_entry(SegmentHeader *header) {
    if (shared_area == nullptr) return;
    lock();
    if (Slot *slot = slot_of(header)) slot->entry.use = Use::kPooled;
    unlock();
}

void use_entry(SegmentHeader *header) {
    if (shared_area == nullptr) return;
    lock();
    Slot *slot = slot_of(header);
    if (slot != nullptr && slot->entry.use == Use::kPooled) slot->entry.use = Use::kSession;
    unlock();
}

void reuse_entry(SegmentHeader *header, const char *name) {
    if (shared_area == nullptr) return;
    lock();
    check_role_limit(header->user);
    if (Slot *slot = slot_of(header)) reset_use(slot, name);
    unlock();
}

void show_work(SegmentHeader *header, const Progress *progress) {
    if (shared_area == nullptr) return;
    LWLockAcquire(shared_lock, LW_SHARED);
    if (Slot *slot = slot_of(header)) put_progress(slot, progress);
    LWLockRelease(shared_lock);
}

void show_sent(SegmentHeader *header, CommandId id) {
    if (Slot *slot = slot_of(header)) pg_atomic_write_u64(&slot->sent, id);
}

void adopt_entry(SegmentHeader *header) {
    reach_shared_area();
    if (shared_area == nullptr) return;
    lock();
    Slot *slot = slot_of(header);
    if (slot == nullptr) {
        slot = find_free();
        if (slot != nullptr) fill_slot(slot, header);
    }
    if (slot != nullptr) slot->entry.worker_pid = MyProcPid;
    own_slot = slot;
    unlock();
}

void release_entry() {
    if (own_slot == nullptr) return;
    lock();
    own_slot->entry.use = Use::kFree;
    own_slot = nullptr;
    unlock();
}

void show_running(CommandId id, const char *sql) {
    if (own_slot == nullptr) return;
    const Size length = pg::clipped_length(sql, kSlotSqlSize);
    SpinLockAcquire(&own_slot->mutex);
    own_slot->entry.report.running = id;
    copy_text(own_slot->entry.report.sql, sql, length);
    SpinLockRelease(&own_slot->mutex);
}

void show_idle(CommandId finished, char transaction) {
    if (own_slot == nullptr) return;
    SpinLockAcquire(&own_slot->mutex);
    WorkerReport *report = &own_slot->entry.report;
    report->ready = true;
    report->running = 0;
    report->finished = finished;
    report->transaction = transaction;
    report->sql[0] = '\0';
    SpinLockRelease(&own_slot->mutex);
}

void show_error(const char *message) {
    if (own_slot == nullptr) return;
    const Size length = pg::clipped_length(message, kSlotErrorSize);
    SpinLockAcquire(&own_slot->mutex);
    copy_text(own_slot->entry.report.error, message, length);
    SpinLockRelease(&own_slot->mutex);
}

void show_progress(const Progress *progress) {
    if (own_slot != nullptr) put_progress(own_slot, progress);
}

void show_title(const char *title) {
    if (own_slot == nullptr) return;
    NameData clipped = {};
    pg::copy_clipped(NameStr(clipped), title, NAMEDATALEN);
    SpinLockAcquire(&own_slot->mutex);
    own_slot->entry.name = clipped;
    SpinLockRelease(&own_slot->mutex);
}

int slot_count() {
    reach_shared_area();
    return shared_area == nullptr ? 0 : shared_area->nslots;
}

bool read_entry(int index, SlotEntry *entry) {
    Slot *slot = &shared_slots[index];
    LWLockAcquire(shared_lock, LW_SHARED);
    const bool shown = slot->entry.use == Use::kSession;
    if (shown) {
        SpinLockAcquire(&slot->mutex);
        *entry = slot->entry;
        SpinLockRelease(&slot->mutex);
        entry->sent = pg_atomic_read_u64(&slot->sent);
    }
    LWLockRelease(shared_lock);
    return shown;
}

} // namespace pllua_bg::session
