// Starting sessions.
// Owns the registration of workers and the counter that numbers sessions.
#include "session/launcher/launcher.h"

#include <dlfcn.h>
#include <signal.h>

#include "pg/compat.h"
#include "pg/encoding.h"
#include "pg/fault.h"
#include "pg/guard.h"
#include "pg/held.h"
#include "pg/reserve.h"
#include "pg/settings.h"
#include "pg/wait.h"
#include "session/launcher/snapshot.h"
#include "session/shared/guc_transfer.h"
#include "session/shared/message.h"
#include "session/shared/session_slots.h"
#include "session/shared/statistics.h"

extern "C" {
#include "access/parallel.h"
#include "catalog/pg_authid.h"
#include "storage/ipc.h"
#include "utils/syscache.h"
}

namespace pllua_bg::session {

static uint64 last_number = 0;

static void check_may_use_schema() {
    Oid schema = get_namespace_oid("bg", true);
    if (!OidIsValid(schema))
        ereport(ERROR,
                (errcode(ERRCODE_UNDEFINED_SCHEMA), errmsg("schema \"bg\" does not exist"),
                 errhint("Background sessions need CREATE EXTENSION pllua_bg in this database.")));
    if (pg::may_use_schema(schema, GetUserId())) return;
    const char *role = GetUserNameFromId(GetUserId(), true); // nullptr: it was dropped
    ereport(
        ERROR,
        (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
         errmsg("permission denied for background sessions"),
         errdetail("The role needs USAGE on schema \"bg\"."),
         role == nullptr ? 0 : errhint("GRANT USAGE ON SCHEMA bg TO %s", quote_identifier(role))));
}

static void check_can_login() {
    if (!pg::kNeedsLogin) return;
    HeapTuple role = SearchSysCache1(AUTHOID, ObjectIdGetDatum(GetUserId()));
    if (!HeapTupleIsValid(role)) return; // the worker will say so
    bool can_login = reinterpret_cast<Form_pg_authid>(GETSTRUCT(role))->rolcanlogin;
    ReleaseSysCache(role);
    if (can_login) return;
    ereport(
        ERROR,
        (errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
         errmsg("role \"%s\" is not permitted to log in", GetUserNameFromId(GetUserId(), true)),
         errdetail(
             "A background session runs as the current user, and before PostgreSQL 17 a background "
             "worker cannot start as a role without LOGIN."),
         errhint("Grant the role LOGIN, or launch the session as another role.")));
}

// Sessions that launch sessions that launch sessions end somewhere.
static void check_depth() {
    if (session_depth < pg::setting_max_depth) return;
    ereport(ERROR, (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
                    errmsg("background sessions are nested too deeply"),
                    errdetail("This is itself a background session, at level %d.", session_depth),
                    errhint("The number of levels is limited by pllua_bg.max_depth, now %d.",
                            pg::setting_max_depth)));
}

void check_may_launch() {
    check_not_restricted();
    if (IsInParallelMode() || IsParallelWorker())
        ereport(ERROR, (errcode(ERRCODE_INVALID_TRANSACTION_STATE),
                        errmsg("cannot launch a background session during a parallel operation")));
    check_may_use_schema();
    check_can_login();
    pg::name_wait_events();
    check_depth();
}

// How a worker finds this library: by its plain name where the server looks anyway, else by its
// path.
static void fill_library_name(BackgroundWorker *worker) {
    Dl_info info;
    if (dladdr(reinterpret_cast<void *>(&fill_library_name), &info) == 0 ||
        info.dli_fname == nullptr)
        elog(ERROR, "could not find the path of the library");
    const char *path = info.dli_fname;
    const char *slash = strrchr(path, '/');
    Size folder = slash == nullptr ? 0 : static_cast<Size>(slash - path);
    const char *suffix = strrchr(path, '.');
    if (slash != nullptr && strlen(pkglib_path) == folder &&
        strncmp(path, pkglib_path, folder) == 0 && suffix != nullptr && suffix > slash) {
        strlcpy(worker->bgw_library_name, slash + 1,
                Min(pg::kLibraryNameSize, static_cast<Size>(suffix - slash)));
        return;
    }
    if (strlcpy(worker->bgw_library_name, path, pg::kLibraryNameSize) >= pg::kLibraryNameSize)
        ereport(ERROR,
                (errcode(ERRCODE_CONFIG_FILE_ERROR),
                 errmsg("path of the library is too long for a background worker: \"%s\"", path)));
}

// Registers a worker for a segment; false when no slot is free. Errors: pg.
static bool register_worker(dsm_segment *segment, BackgroundWorkerHandle **handle) {
    auto *header = static_cast<SegmentHeader *>(dsm_segment_address(segment));
    if (!take_entry(header)) return false;
    BackgroundWorker worker;
    memset(&worker, 0, sizeof worker);
    worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
    worker.bgw_start_time = BgWorkerStart_ConsistentState;
    worker.bgw_restart_time = BGW_NEVER_RESTART;
    worker.bgw_notify_pid = MyProcPid;
    worker.bgw_main_arg = UInt32GetDatum(dsm_segment_handle(segment));
    fill_library_name(&worker);
    strlcpy(worker.bgw_function_name, kWorkerFunction, BGW_MAXLEN);
    strlcpy(worker.bgw_type, kWorkerType, BGW_MAXLEN);
    pg_snprintf(worker.bgw_name, BGW_MAXLEN, "pllua_bg session of PID %d", MyProcPid);
    memcpy(worker.bgw_extra, &header->cookie, sizeof header->cookie);
    MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);
    bool registered = RegisterDynamicBackgroundWorker(&worker, handle);
    MemoryContextSwitchTo(old);
    if (!registered) retire_entry(header);
    return registered;
}

// With dynamic_shared_memory_type = mmap the server leaves a buffer in the current context.
static dsm_segment *try_segment(Size size) {
    MemoryContext scratch =
        AllocSetContextCreate(CurrentMemoryContext, "pllua_bg segment", ALLOCSET_SMALL_SIZES);
    MemoryContext old = MemoryContextSwitchTo(scratch);
    dsm_segment *segment = pg::create_segment(size, DSM_CREATE_NULL_IF_MAXSEGMENTS);
    MemoryContextSwitchTo(old);
    MemoryContextDelete(scratch);
    return segment;
}

dsm_segment *create_segment(Size size) {
    dsm_segment *segment = try_segment(size);
    if (segment == nullptr && pool_count > 0) {
        trim_pool(0);
        segment = try_segment(size);
    }
    if (segment == nullptr)
        ereport(ERROR,
                (errcode(ERRCODE_INSUFFICIENT_RESOURCES),
                 errmsg("too many dynamic shared memory segments for another background session"),
                 errhint("The number of segments depends on max_connections.")));
    dsm_pin_mapping(segment);
    return segment;
}

static Size chosen_queue_size(const LaunchOptions &options) {
    if (options.queue_size == 0) return static_cast<Size>(pg::setting_queue_size) * 1024;
    if (options.queue_size < pg::kQueueSizeMin * static_cast<Size>(1024) ||
        options.queue_size > pg::kQueueSizeMax * static_cast<Size>(1024))
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                 errmsg("queue size of %zu bytes is out of range", options.queue_size),
                 errhint("It can be from %d kB to %d kB.", pg::kQueueSizeMin, pg::kQueueSizeMax)));
    return options.queue_size;
}

void begin_use(Session *session, const LaunchOptions &options) {
    if (!pg_strong_random(&session->cookie, sizeof session->cookie))
        ereport(ERROR,
                (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not generate a random number")));
    session->number = ++last_number;
    session->launched_at = GetCurrentTimestamp();
    session->on_exit = options.on_exit;
    session->transaction = options.snapshot ? 'T' : 'I';
    memset(&session->name, 0, sizeof session->name);
    if (options.snapshot) keep_snapshot(session->local);
    if (options.name != nullptr)
        pg::copy_clipped(NameStr(session->name), options.name, NAMEDATALEN);
}

Session *make_session() {
    MemoryContext context =
        AllocSetContextCreate(TopMemoryContext, "pllua_bg session", ALLOCSET_SMALL_SIZES);
    auto *session = static_cast<Session *>(MemoryContextAllocZero(context, sizeof(Session)));
    session->context = context;
    session->user = GetUserId();
    return session;
}

// Creates the segment and attaches both queues. What it makes is owned by the session as soon as it
// exists.
static void make_segment(Session *session, const LaunchOptions &options, StringInfo setup) {
    LocalLink *local = session->local;
    local->segment = create_segment(segment_size(local->queue_size, setup->len));
    auto *header = static_cast<SegmentHeader *>(dsm_segment_address(local->segment));
    segment_init(header, local->queue_size, setup->data, setup->len);
    local->header = header;
    header->session_number = session->number;
    header->idle_timeout = options.idle_timeout;
    strlcpy(header->name, NameStr(session->name), NAMEDATALEN);
    MemoryContext old = MemoryContextSwitchTo(session->context);
    shm_mq_handle *out = shm_mq_attach(queue_to_worker(header), local->segment, nullptr);
    shm_mq_handle *in = shm_mq_attach(queue_to_launcher(header), local->segment, nullptr);
    channel_init(&local->channel, session->context, out, in);
    MemoryContextSwitchTo(old);
    count_held(session, static_cast<ptrdiff_t>(MemoryContextMemAllocated(session->context, false)));
}

void await_slot(dsm_segment *segment, double seconds, const char *refusal,
                BackgroundWorkerHandle **handle) {
    TimestampTz deadline = GetCurrentTimestamp() + static_cast<int64>(Min(seconds, 1e9) * 1e6);
    long pause = 1;
    while (!register_worker(segment, handle)) {
        long rest = pg::milliseconds_until(deadline);
        if (rest == 0)
            ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_RESOURCES), errmsg("%s", refusal),
                            errhint("You may need to increase max_worker_processes.")));
        // A session nobody uses makes room.
        trim_pool(pool_count - 1);
        // Workers that end need what they wrote to be taken.
        receive_all();
        (void)pg::wait_latch(Min(pause, rest), pg::WaitEvent::kStart);
        pause = Min(pause * 2, 50);
    }
}

static void start_worker(LocalLink *link, double wait) {
    await_slot(link->segment, wait >= 0 ? wait : pg::setting_launch_wait / 1000.0,
               _("could not launch a background session: no free worker slot"), &link->worker);
    // From here on the death of a worker that never attached is seen.
    shm_mq_set_handle(link->channel.out, link->worker);
    shm_mq_set_handle(link->channel.in, link->worker);
}

// Starts a worker for a new session. Errors: pg.
static Session *launch_new(const LaunchOptions &options, Size queue_size, StringInfo setup) {
    Session *volatile session = nullptr;
    complete_settings(setup);
    ErrorData *error = pg::attempt([&session, &options, queue_size, setup] {
        session = make_session();
        session->link = session->local = make_local_link(session, queue_size);
        begin_use(session, options);
        make_segment(session, options, setup);
        start_worker(session->local, options.wait);
    });
    if (error != nullptr) {
        if (session != nullptr) free_session(session);
        pg::rethrow(error);
    }
    return session;
}

static Session *start(const LaunchOptions &options, bool *reused) {
    check_may_launch();
    pg::check_held(sizeof(Session));
    initialize_at_first_use();
    collect_orphans();
    if (session_count >= pg::setting_max_sessions && count_living() >= pg::setting_max_sessions)
        ereport(
            ERROR,
            (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED), errmsg("too many background sessions"),
             errdetail("This session has %d of them.", count_living()),
             errhint(
                 "Detach sessions that are no longer needed, or increase pllua_bg.max_sessions.")));
    Size queue_size = chosen_queue_size(options);
    StringInfoData setup;
    initStringInfo(&setup);
    const bool imposes = write_session_settings(&setup);
    write_asked_settings(&setup, options);
    if (options.snapshot) offer_snapshot(&setup);
    Session *session = take_from_pool(options, queue_size, &setup);
    *reused = session != nullptr;
    if (session == nullptr) session = launch_new(options, queue_size, &setup);
    session->local->imposed = session->local->imposed || imposes;
    pfree(setup.data);
    return session;
}

// What is left to do of a launch, which may fail or be cancelled: then nobody has the session, even
// if the transaction goes on because the code that called catches the error. Errors: pg.
template <typename Rest> static void finish_launch(Session *session, Rest rest) {
    const uint64 own = session->number;
    ErrorData *error = pg::attempt(rest);
    if (error == nullptr) return;
    if (Session *unwanted = by_number(own)) close(unwanted);
    pg::rethrow(error);
}

void enter(Session *session) {
    session->unused = true;
    sessions.append(session);
    session_count++;
}

Session *launch(const LaunchOptions &options) {
    Session *volatile session = nullptr;
    bool reused = false;
    ErrorData *error =
        pg::attempt([&session, &options, &reused] { session = start(options, &reused); });
    withdraw_snapshot();
    if (error != nullptr) {
        count(Counter::kLaunchFailures);
        pg::rethrow(error);
    }
    enter(session);
    count(reused ? Counter::kReused : Counter::kLaunched);
    finish_launch(session, [session, reused] {
        pg::fault("launch-end");
        log_life(session, reused ? "is taken from the pool" : "is launched");
    });
    return session;
}

int launch_for_pid(const LaunchOptions &options) {
    Session *session = launch(options);
    int found = 0;
    finish_launch(session, [session, &found] {
        pg::fault("launch-pid");
        found = pid(session);
    });
    return found;
}

} // namespace pllua_bg::session
