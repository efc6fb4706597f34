// The sessions of the cluster, as every backend can see them, as far as they share memory;
// without it all of this does nothing. Owns the entries, one for each worker slot.
//
// The launcher takes an entry before it registers a worker; the worker adopts it when it starts
// and gives it back at its exit, however that comes.
// An entry no worker has adopted is given back by the launcher, or taken from it after a minute;
// a worker that starts later than that takes another one.
#pragma once

#include "session/shared/segment.h"

extern "C" {
#include "storage/spin.h"
}

namespace pllua_bg::session {

enum class Use : uint8 {
    kFree,
    kSession,
    kPooled, // waits for another use
    kEnding  // its launcher has closed it, the worker is about to end
};

inline constexpr Size kSlotSqlSize = 1024;
inline constexpr Size kSlotErrorSize = 256;

// What the worker says.
struct WorkerReport {
    bool ready; // it has started
    char transaction;
    CommandId running; // 0: none
    CommandId finished;
    bool has_progress;
    Progress progress;
    char sql[kSlotSqlSize]; // of the running command, clipped
    char error[kSlotErrorSize];
};

struct SlotEntry {
    Use use; // this and what follows up to `report`: changed with the lock held
    uint64 cookie;
    int launcher_pid;
    int worker_pid; // 0: no worker has adopted it
    Oid database;
    Oid user;
    int encoding;    // of the texts: the names, and those in the report
    NameData server; // as SegmentHeader::server
    NameData name;   // read and written with the slot's mutex
    TimestampTz launched_at;
    CommandId sent; // newest command; in a slot: see Slot::sent
    WorkerReport report;
};

struct Slot {
    SlotEntry entry;
    pg_atomic_uint64 sent; // written by the launcher
    slock_t mutex;         // guards what the worker writes: entry.report and the name
};

// The launcher's side. The session is the one the segment belongs to.

// Takes an entry for a worker that is about to be registered; false when none is free. Errors: pg
// 53400 (pllua_bg.max_sessions_per_role).
bool take_entry(SegmentHeader *header);
// The session is no longer wanted, or has no worker. Errors: none.
void retire_entry(SegmentHeader *header);
// The session goes into the pool, or is taken from it. Errors: none; reuse_entry pg 53400.
void pool_entry(SegmentHeader *header);
void reuse_entry(SegmentHeader *header, const char *name);
// The session of the pool goes on with what it did before. Errors: none.
void use_entry(SegmentHeader *header);
// How far the work is that the session is part of: others see this as its progress, or what it has
// told itself, whichever was last. Errors: none.
void show_work(SegmentHeader *header, const Progress *progress);
// A command was sent. Errors: none.
void show_sent(SegmentHeader *header, CommandId id);

// The worker's side. Errors: none; adopt_entry pg.

void adopt_entry(SegmentHeader *header);
void release_entry();
void show_running(CommandId id, const char *sql);
void show_idle(CommandId finished, char transaction);
void show_error(const char *message);
void show_progress(const Progress *progress);
// Another name, until the next use.
void show_title(const char *title);

// The reader's side.

// How many entries there are; 0 where no memory is shared. Errors: pg.
int slot_count();
// Copies the entry with this index; false when it is no session. Errors: none.
bool read_entry(int index, SlotEntry *entry);

} // namespace pllua_bg::session
