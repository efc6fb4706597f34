// A connection of libpq, which never waits in the thread of the server. See client.h.
// Owns all it has, by malloc().
#include "remote/libpq/connection.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <libpq-fe.h>
#include <new>
#include <poll.h>

#include "remote/libpq/aside.h"
#include "remote/libpq/report.h"

namespace pllua_bg::remote {

namespace {

constexpr int kMostOptions = 128;

struct LibpqResult final : Result {
    PGresult *result;
    bool is_pause; // there is none, but the command is not done
    Report made;
    char tag_of_rows[64]; // of the rows before, which came with it; as long as any of libpq's

    Outcome outcome() override;
    int columns() override { return PQnfields(result); }
    const char *name(int column) override { return PQfname(result, column); }
    TypeId type(int column) override { return PQftype(result, column); }
    int modifier(int column) override { return PQfmod(result, column); }
    int rows() override { return PQntuples(result); }
    const char *value(int row, int column, int *length) override;
    void take_row(int row, const char **values, int *lengths) override;
    const char *tag() override;
    Report report() override;
    bool is_binary() override { return PQbinaryTuples(result) != 0; }
    int params() override { return PQnparams(result); }
    TypeId param_type(int param) override { return PQparamtype(result, param); }
    void clear();
};

struct Notice {
    Report report;
    Notice *next;
};

struct LibpqConnection final : Connection {
    PGconn *conn;
    Aside side;
    LibpqResult current;
    Notice *first;
    Notice *last;
    Notice *taken;
    PGnotify *notification;
    char *line; // of a copy
    char *keywords[kMostOptions + 1];
    char *values[kMostOptions + 1];
    int timeout; // seconds
    bool is_late;
    char message[1024];
#ifdef LIBPQ_HAS_ASYNC_CANCEL
    PGcancelConn *canceller;
#else
    PGcancel *canceller;
#endif

    int aside() override { return side.file; }
    bool is_busy_aside() override;
    bool is_connected() override { return conn != nullptr && PQstatus(conn) == CONNECTION_OK; }
    bool has_used_password() override { return PQconnectionUsedPassword(conn) != 0; }
    const char *failure(char (&sqlstate)[6]) override;
    int socket() override { return PQsocket(conn); }
    char transaction() override;
    const char *setting(const char *name) override { return PQparameterStatus(conn, name); }
    bool send(const char *sql) override;
    bool send(const char *sql, const Values &values) override;
    bool send_prepare(const char *name, const char *sql, int count, const TypeId *types) override;
    bool send_describe(const char *name) override;
    bool send_run(const char *name, const Values &values) override;
    bool begin_pipeline() override { return PQenterPipelineMode(conn) != 0; }
    bool end_pipeline() override { return PQexitPipelineMode(conn) != 0; }
    int flush() override { return PQflush(conn); }
    bool consume() override { return PQconsumeInput(conn) != 0; }
    bool is_waiting() override { return PQisBusy(conn) != 0; }
    Result *next() override;
    bool copy_line(const char **line, int *length) override;
    bool refuse_copy(const char *why) override;
    bool next_notice(Report *report) override;
    bool next_notification(Notification *notification) override;
    bool cancel() override;
    void close() override;
    void forget_aside();
};

Outcome LibpqResult::outcome() {
    if (result == nullptr) return is_pause ? Outcome::kPause : Outcome::kNothing;
    switch (PQresultStatus(result)) {
    case PGRES_PIPELINE_SYNC: return Outcome::kNothing;
#ifdef LIBPQ_HAS_CHUNK_MODE
    case PGRES_TUPLES_CHUNK:
#endif
    case PGRES_SINGLE_TUPLE: return Outcome::kSomeRows;
    case PGRES_TUPLES_OK: return Outcome::kLastRows;
    case PGRES_COMMAND_OK: return Outcome::kTag;
    case PGRES_EMPTY_QUERY: return Outcome::kEmpty;
    case PGRES_COPY_OUT: return Outcome::kCopyOut;
    case PGRES_COPY_IN:
    case PGRES_COPY_BOTH: return Outcome::kCopyIn;
    default: return Outcome::kError;
    }
}

const char *LibpqResult::value(int row, int column, int *length) {
    *length = PQgetlength(result, row, column);
    if (*length == 0 && PQgetisnull(result, row, column)) return nullptr;
    return PQgetvalue(result, row, column);
}

void LibpqResult::take_row(int row, const char **values, int *lengths) {
    const int n = PQnfields(result);
    for (int i = 0; i < n; i++) values[i] = LibpqResult::value(row, i, &lengths[i]);
}

// From 17 libpq gives it with the last rows, unless they fill their chunk, and not with the end.
const char *LibpqResult::tag() {
    const char *own = PQcmdStatus(result);
    return *own == '\0' ? tag_of_rows : own;
}

Report LibpqResult::report() {
    if (made.fields == nullptr) made = copy_report(result);
    return made;
}

void LibpqResult::clear() {
    tag_of_rows[0] = '\0';
    if (result != nullptr && outcome() == Outcome::kSomeRows)
        (void)snprintf(tag_of_rows, sizeof tag_of_rows, "%s", PQcmdStatus(result));
    PQclear(result);
    free(const_cast<char *>(made.fields));
    result = nullptr;
    made = {};
}

void keep_notice(void *argument, const PGresult *result) {
    auto *self = static_cast<LibpqConnection *>(argument);
    const Report report = copy_report(result);
    if (report.fields == nullptr) return;
    auto *notice = static_cast<Notice *>(malloc(sizeof(Notice)));
    if (notice == nullptr) {
        free(const_cast<char *>(report.fields));
        return;
    }
    *notice = {report, nullptr};
    (self->last == nullptr ? self->first : self->last->next) = notice;
    self->last = notice;
}

long long now() {
    timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000LL + time.tv_nsec / 1000000;
}

void set_up(LibpqConnection *self) {
    PQsetErrorVerbosity(self->conn, PQERRORS_VERBOSE); // with the SQLSTATE
    PQsetNoticeReceiver(self->conn, keep_notice, self);
}

bool has_several_hosts(const LibpqConnection *self) {
    for (int i = 0; self->keywords[i] != nullptr; i++) {
        const bool is_place =
            strcmp(self->keywords[i], "host") == 0 || strcmp(self->keywords[i], "hostaddr") == 0;
        if (is_place && strchr(self->values[i], ',') != nullptr) return true;
    }
    return false;
}

// One after the other, as libpq does: it goes on to the next only here when one does not answer.
// Which SQLSTATE a server gives it does not say then.
void connect_to_one_of(LibpqConnection *self) {
    self->conn = PQconnectdbParams(self->keywords, self->values, 0);
    if (self->conn != nullptr && PQstatus(self->conn) == CONNECTION_OK) set_up(self);
}

// Waits for each step.
void connect_to_one(LibpqConnection *self) {
    self->conn = PQconnectStartParams(self->keywords, self->values, 0);
    if (self->conn == nullptr || PQstatus(self->conn) == CONNECTION_BAD) return;
    set_up(self);
    const long long end = now() + self->timeout * 1000LL;
    PostgresPollingStatusType step = PGRES_POLLING_WRITING;
    while (step == PGRES_POLLING_READING || step == PGRES_POLLING_WRITING) {
        const long long rest = end - now();
        const short events = step == PGRES_POLLING_READING ? POLLIN : POLLOUT;
        pollfd wanted = {PQsocket(self->conn), events, 0};
        const int ready = rest <= 0 ? 0 : poll(&wanted, 1, static_cast<int>(rest));
        if (ready < 0 && errno == EINTR) continue;
        if (ready <= 0) {
            self->is_late = true;
            return;
        }
        step = PQconnectPoll(self->conn);
    }
}

// In a thread: nothing else uses the connection meanwhile.
void connect_aside(void *argument) {
    auto *self = static_cast<LibpqConnection *>(argument);
    if (has_several_hosts(self))
        connect_to_one_of(self);
    else
        connect_to_one(self);
    if (self->is_connected()) PQsetnonblocking(self->conn, 1);
}

void cancel_aside(void *argument) {
    auto *self = static_cast<LibpqConnection *>(argument);
#ifdef LIBPQ_HAS_ASYNC_CANCEL
    (void)PQcancelBlocking(self->canceller);
#else
    char error[256];
    (void)PQcancel(self->canceller, error, sizeof error);
#endif
}

void forget(char *text) {
    if (text == nullptr) return;
    explicit_bzero(text, strlen(text)); // it may be a password
    free(text);
}

bool LibpqConnection::is_busy_aside() {
    if (!side.running) return false;
    if (!is_aside_done(&side)) return true;
    forget_aside();
    return false;
}

// What the work had, which has ended.
void LibpqConnection::forget_aside() {
    for (int i = 0; keywords[i] != nullptr; i++) {
        forget(keywords[i]);
        forget(values[i]);
        keywords[i] = values[i] = nullptr;
    }
    if (canceller == nullptr) return;
#ifdef LIBPQ_HAS_ASYNC_CANCEL
    PQcancelFinish(canceller);
#else
    PQfreeCancel(canceller);
#endif
    canceller = nullptr;
}

const char *LibpqConnection::failure(char (&sqlstate)[6]) {
    sqlstate[0] = '\0';
    if (is_late) return "timeout expired";
    if (conn == nullptr) return "out of memory";
    read_refusal(PQerrorMessage(conn), message, sizeof message, sqlstate);
    return message;
}

char LibpqConnection::transaction() {
    switch (PQtransactionStatus(conn)) {
    case PQTRANS_INTRANS: return 'T';
    case PQTRANS_INERROR: return 'E';
    default: return 'I';
    }
}

bool is_in_pipeline(PGconn *conn) { return PQpipelineStatus(conn) != PQ_PIPELINE_OFF; }

// The results that come next have rows a few at a time.
bool divide_rows(PGconn *conn) {
#ifdef LIBPQ_HAS_CHUNK_MODE
    return PQsetChunkedRowsMode(conn, 1000) != 0;
#else
    return PQsetSingleRowMode(conn) != 0;
#endif
}

// What was sent returns rows so. In a pipeline that can be said of it only when its turn has come:
// here where it is the first, else by next().
bool begin_rows(PGconn *conn, bool sent) {
    if (!sent) return false;
    if (!is_in_pipeline(conn)) return divide_rows(conn);
    (void)divide_rows(conn);
    return PQpipelineSync(conn) != 0;
}

bool LibpqConnection::send(const char *sql) {
    return begin_rows(conn, PQsendQuery(conn, sql) != 0);
}

bool LibpqConnection::send(const char *sql, const Values &params) {
    return begin_rows(conn, PQsendQueryParams(conn, sql, params.count, params.types, params.values,
                                              params.lengths, params.formats, 0) != 0);
}

bool LibpqConnection::send_prepare(const char *name, const char *sql, int count,
                                   const TypeId *types) {
    return PQsendPrepare(conn, name, sql, count, types) != 0;
}

bool LibpqConnection::send_describe(const char *name) {
    return PQsendDescribePrepared(conn, name) != 0;
}

bool LibpqConnection::send_run(const char *name, const Values &params) {
    return begin_rows(conn, PQsendQueryPrepared(conn, name, params.count, params.values,
                                                params.lengths, params.formats, 0) != 0);
}

Result *LibpqConnection::next() {
    current.clear();
    current.result = PQgetResult(conn);
    current.is_pause = current.result == nullptr && is_connected() && is_in_pipeline(conn);
    if (current.outcome() == Outcome::kNothing && is_in_pipeline(conn)) (void)divide_rows(conn);
    return &current;
}

bool LibpqConnection::copy_line(const char **text, int *length) {
    PQfreemem(line);
    line = nullptr;
    *length = PQgetCopyData(conn, &line, 1);
    *text = line;
    if (*length < 0) *length = -1;
    return *length != 0;
}

bool LibpqConnection::refuse_copy(const char *why) { return PQputCopyEnd(conn, why) == 1; }

bool LibpqConnection::next_notice(Report *report) {
    if (taken != nullptr) {
        free(const_cast<char *>(taken->report.fields));
        free(taken);
    }
    taken = first;
    if (taken == nullptr) return false;
    first = taken->next;
    if (first == nullptr) last = nullptr;
    *report = taken->report;
    return true;
}

bool LibpqConnection::next_notification(Notification *to) {
    PQfreemem(notification);
    notification = PQnotifies(conn);
    if (notification == nullptr) return false;
    *to = {notification->be_pid, notification->relname, notification->extra};
    return true;
}

bool LibpqConnection::cancel() {
    if (is_busy_aside()) return false;
#ifdef LIBPQ_HAS_ASYNC_CANCEL
    canceller = PQcancelCreate(conn);
#else
    canceller = PQgetCancel(conn);
#endif
    return canceller != nullptr && begin_aside(&side, cancel_aside, this);
}

// What a thread still uses stays.
void LibpqConnection::close() {
    if (is_busy_aside()) return;
    current.clear();
    Report report;
    while (next_notice(&report)) {}
    PQfreemem(notification);
    PQfreemem(line);
    PQfinish(conn);
    close_aside(&side);
    free(this);
}

} // namespace

Connection *new_connection(const char *const *keywords, const char *const *values, int timeout) {
    void *memory = calloc(1, sizeof(LibpqConnection));
    if (memory == nullptr) return nullptr;
    auto *self = new (memory) LibpqConnection();
    self->timeout = timeout;
    for (int i = 0; keywords[i] != nullptr && i < kMostOptions; i++) {
        self->keywords[i] = strdup(keywords[i]);
        self->values[i] = strdup(values[i]);
    }
    if (open_aside(&self->side)) {
        if (begin_aside(&self->side, connect_aside, self)) return self;
        close_aside(&self->side);
    }
    free(memory);
    return nullptr;
}

} // namespace pllua_bg::remote
