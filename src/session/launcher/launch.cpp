// Starting sessions, from the pool or with a new worker.
// Owns the order of the steps, and what is undone when one fails.
#include "session/launcher/launcher.h"

#include "pg/fault.h"
#include "pg/guard.h"
#include "pg/held.h"
#include "pg/hooks.h"
#include "pg/settings.h"
#include "session/hooks.h"
#include "session/launcher/snapshot.h"
#include "session/shared/guc_transfer.h"
#include "session/shared/statistics.h"

namespace pllua_bg::session {

namespace {

Size chosen_queue_size(const LaunchOptions &options) {
    if (options.queue_size == 0) return static_cast<Size>(pg::setting_queue_size) * 1024;
    if (options.queue_size < pg::kQueueSizeMin * static_cast<Size>(1024) ||
        options.queue_size > pg::kQueueSizeMax * static_cast<Size>(1024))
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                 errmsg("queue size of %zu bytes is out of range", options.queue_size),
                 errhint("It can be from %d kB to %d kB.", pg::kQueueSizeMin, pg::kQueueSizeMax)));
    return options.queue_size;
}

// Creates the segment and attaches both queues. What it makes is owned by the session as soon as
// it exists.
void make_segment(Session *session, const LaunchOptions &options, StringInfo setup) {
    LocalLink *local = session->local;
    local->segment = create_segment(segment_size(local->queue_size, setup->len));
    auto *header = static_cast<SegmentHeader *>(dsm_segment_address(local->segment));
    segment_init(header, local->queue_size, setup->data, setup->len);
    local->header = header;
    header->session_number = session->number;
    header->database = session->database;
    header->elsewhere = is_elsewhere(options);
    header->idle_timeout = options.idle_timeout;
    header->awaits_commit = options.for_commit;
    strlcpy(header->name, NameStr(session->name), NAMEDATALEN);
    strlcpy(header->server, NameStr(session->server), NAMEDATALEN);
    MemoryContext old = MemoryContextSwitchTo(session->context);
    shm_mq_handle *out = shm_mq_attach(queue_to_worker(header), local->segment, nullptr);
    shm_mq_handle *in = shm_mq_attach(queue_to_launcher(header), local->segment, nullptr);
    channel_init(&local->channel, session->context, out, in);
    MemoryContextSwitchTo(old);
    count_held(session, static_cast<ptrdiff_t>(MemoryContextMemAllocated(session->context, false)));
}

void start_worker(LocalLink *link, const LaunchOptions &options) {
    await_slot(link->segment, options.wait >= 0 ? options.wait : pg::setting_launch_wait / 1000.0,
               options.waited,
               options.for_commit
                   ? _("could not launch the background sessions of this transaction: "
                       "no free worker slot")
                   : _("could not launch a background session: no free worker slot"),
               &link->worker);
    link->born = GetCurrentTimestamp();
    // From here on the death of a worker that never attached is seen.
    shm_mq_set_handle(link->channel.out, link->worker);
    shm_mq_set_handle(link->channel.in, link->worker);
}

// Starts a worker for a new session. Errors: pg.
Session *launch_new(const LaunchOptions &options, Size queue_size, StringInfo setup) {
    Session *volatile session = nullptr;
    // In another database its own are in force.
    if (!OidIsValid(options.user) && !is_elsewhere(options)) complete_settings(setup);
    ErrorData *error = pg::attempt([&session, &options, queue_size, setup] {
        session = make_session();
        session->database = database_of(options);
        session->link = session->local = make_local_link(session, queue_size);
        begin_use(session, options);
        if (options.snapshot) keep_snapshot(session->local);
        make_segment(session, options, setup);
        start_worker(session->local, options);
    });
    if (error != nullptr) {
        if (session != nullptr) free_session(session);
        pg::rethrow(error);
    }
    return session;
}

void check_server(const LaunchOptions &options, ServerSecret *secret) {
    if (options.server == nullptr) return;
    if (OidIsValid(options.database))
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("a session is in another database or on another server, not both"),
                        errhint("The foreign server has the option dbname.")));
    if (options.snapshot)
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("a session on another server cannot have a snapshot of this one"),
                        errhint("The option snapshot can be a session on that server, whose "
                                "transaction sees what this one is to see.")));
    hooks.check_server(options.server, secret);
}

// By what it was let in elsewhere is known to the caller only, not by the catalogs.
bool is_secret(const LaunchOptions &options, const ServerSecret &secret) {
    return secret.length > 0 || (options.server != nullptr && is_connection_string(options.server));
}

Session *start(const LaunchOptions &options, bool *reused) {
    check_may_launch();
    check_database(options);
    ServerSecret secret = {};
    check_server(options, &secret);
    pg::check_held(sizeof(Session));
    initialize_at_first_use();
    collect_orphans();
    let_forgotten_go();
    settle_committers();
    if (session_count >= pg::setting_max_sessions && count_living() >= pg::setting_max_sessions)
        ereport(
            ERROR,
            (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED), errmsg("too many background sessions"),
             errdetail("This session has %d of them.", count_living()),
             errhint("End sessions that are no longer needed: \"local s <close> = bg.launch()\", "
                     "s:close() or s:detach(), in SQL bg.close(pid); or increase "
                     "pllua_bg.max_sessions.")));
    Size queue_size = chosen_queue_size(options);
    StringInfoData setup;
    initStringInfo(&setup);
    const bool imposes =
        !OidIsValid(options.user) && write_session_settings(&setup, is_elsewhere(options));
    if (options.server == nullptr)
        write_asked_settings(&setup, options);
    else
        write_server(&setup, options, secret);
    if (options.snapshot) offer_snapshot(&setup);
    Session *session = take_from_pool(options, queue_size, &setup);
    *reused = session != nullptr;
    if (session == nullptr) session = launch_new(options, queue_size, &setup);
    session->local->imposed = session->local->imposed || imposes;
    // What the other database has instead of what was imposed is not known here.
    if (imposes && is_elsewhere(options)) session->local->not_reusable = true;
    if (is_secret(options, secret)) session->local->not_reusable = true;
    if (options.server != nullptr) explicit_bzero(setup.data, static_cast<Size>(setup.len));
    pfree(setup.data);
    return session;
}

Session *start_for_commit(const LaunchOptions &options, bool *reused) {
    initialize_at_first_use();
    collect_orphans();
    let_forgotten_go();
    const Size queue_size = chosen_queue_size(options);
    StringInfoData setup;
    initStringInfo(&setup);
    Session *session = take_from_pool(options, queue_size, &setup);
    *reused = session != nullptr;
    if (session == nullptr) session = launch_new(options, queue_size, &setup);
    pfree(setup.data);
    return session;
}

// What is left to do of a launch, which may fail or be cancelled: then nobody has the session, even
// if the transaction goes on because the code that called catches the error. Errors: pg.
template <typename Rest> void finish_launch(Session *session, Rest rest) {
    const uint64 own = session->number;
    ErrorData *error = pg::attempt(rest);
    if (error == nullptr) return;
    if (Session *unwanted = by_number(own)) close(unwanted);
    pg::rethrow(error);
}

bool is_lack_of_room(const ErrorData *error) {
    return error->sqlerrcode == ERRCODE_INSUFFICIENT_RESOURCES ||
           error->sqlerrcode == ERRCODE_CONFIGURATION_LIMIT_EXCEEDED;
}

// Calls try_it with the options. Where there is no room for it at once and garbage may hold
// sessions, that is collected, and it is called again. Errors: none, returns that of try_it.
template <typename Try> ErrorData *make_room(const LaunchOptions &options, Try try_it) {
    if (may_have_forgotten()) {
        LaunchOptions hasty = options;
        hasty.wait = 0;
        ErrorData *error = pg::attempt([&hasty, try_it] { try_it(hasty); });
        if (error == nullptr || !is_lack_of_room(error)) return error;
        pg::free_error(error);
        pg::hooks.collect_garbage();
    }
    return pg::attempt([&options, try_it] { try_it(options); });
}

// Starts a session as the user the options name. Errors: pg (memory); the others it returns.
ErrorData *start_as_user(const LaunchOptions &options, Session *volatile *session, bool *reused) {
    Oid present;
    int context;
    // Who asks again and again leaves nothing in the context of the caller.
    MemoryContext scratch =
        AllocSetContextCreate(CurrentMemoryContext, "pllua_bg launch", ALLOCSET_DEFAULT_SIZES);
    MemoryContext old = MemoryContextSwitchTo(scratch);
    GetUserIdAndSecContext(&present, &context);
    if (OidIsValid(options.user))
        SetUserIdAndSecContext(options.user, context | SECURITY_LOCAL_USERID_CHANGE);
    ErrorData *error =
        make_room(options, [=](const LaunchOptions &now) { *session = start(now, reused); });
    SetUserIdAndSecContext(present, context);
    MemoryContextSwitchTo(old);
    MemoryContextDelete(scratch);
    return error;
}

void count_failure(const ErrorData *error) {
    count(Counter::kLaunchFailures);
    if (error->sqlerrcode == ERRCODE_INSUFFICIENT_RESOURCES) count(Counter::kNoSlot);
}

void count_launch(const Session *session, bool reused) {
    count(reused ? Counter::kReused : Counter::kLaunched);
    if (is_remote(session))
        count(Counter::kOtherServer);
    else if (is_elsewhere(session))
        count(Counter::kOtherDatabase);
}

} // namespace

Session *launch(const LaunchOptions &options) {
    Session *volatile session = nullptr;
    bool reused = false;
    ErrorData *error = start_as_user(options, &session, &reused);
    withdraw_snapshot();
    if (error != nullptr && options.asks_again &&
        error->sqlerrcode == ERRCODE_INSUFFICIENT_RESOURCES) {
        pg::free_error(error);
        return nullptr;
    }
    if (error != nullptr) {
        count_failure(error);
        pg::rethrow(error);
    }
    enter(session);
    count_launch(session, reused);
    finish_launch(session, [session, reused] {
        pg::fault("launch-end");
        log_life(session, reused ? "is taken from the pool" : "is launched");
    });
    return session;
}

Session *launch_for_commit() {
    LaunchOptions options;
    options.name = "on_commit";
    options.for_commit = true;
    Session *volatile session = nullptr;
    bool reused = false;
    ErrorData *error = make_room(options, [&session, &reused](const LaunchOptions &now) {
        session = start_for_commit(now, &reused);
    });
    if (error != nullptr) {
        count_failure(error);
        pg::rethrow(error);
    }
    count(reused ? Counter::kReused : Counter::kJobs);
    log_life(session, reused ? "is taken from the pool for work after the commit"
                             : "is launched for work after the commit");
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
