// What sessions on other servers need of libpq. Implemented in libpq/, which is a module of its own
// (pllua_bg_remote): nothing else is linked to libpq.
// Owns nothing. Neither a header of the server nor of libpq is needed for it. No function raises,
// none but the destruction of a connection that is still being made waits for a network.
#pragma once

#include <cstddef>

namespace pllua_bg::remote {

using TypeId = unsigned int; // an Oid

// Changes with this file: the module of another build is not used.
inline constexpr int kClientVersion = 2;
inline constexpr char kClientLibrary[] = "pllua_bg_remote";
inline constexpr char kClientFunction[] = "pllua_bg_remote_client";

// What libpq says of a keyword.
enum class Keyword { kUnknown, kPlain, kSecret, kDebug };

// An error or a notice: the fields of an ErrorResponse of the protocol. Empty: there is none.
struct Report {
    const char *fields;
    size_t length;
};

struct Notification {
    int pid;
    const char *channel;
    const char *payload;
};

enum class Outcome {
    kPause,    // of a pipeline: ask again
    kNothing,  // the command is done
    kSomeRows, // of a statement; more come
    kLastRows, // of a statement, with its tag; there may be none left
    kTag,      // of a statement without rows; also a statement prepared or described
    kEmpty,    // an empty statement
    kError,
    kCopyOut,
    kCopyIn, // or both ways
};

// A result; it is there until the next one is asked for.
struct Result {
    virtual Outcome outcome() = 0;
    virtual int columns() = 0;
    virtual const char *name(int column) = 0;
    virtual TypeId type(int column) = 0;
    virtual int modifier(int column) = 0;
    virtual int rows() = 0;
    // nullptr: NULL. Ends with a zero byte.
    virtual const char *value(int row, int column, int *length) = 0;
    // All values of a row.
    virtual void take_row(int row, const char **values, int *lengths) = 0;
    virtual const char *tag() = 0;
    virtual Report report() = 0;
    // Of a copy: its lines are binary.
    virtual bool is_binary() = 0;
    // Of a prepared statement that was described.
    virtual int params() = 0;
    virtual TypeId param_type(int param) = 0;
};

// The values of parameters, each as text or in binary; nullptr: NULL.
struct Values {
    int count;
    const TypeId *types; // 0: what the server infers; nullptr for prepared statements
    const char *const *values;
    const int *lengths; // of those in binary
    const int *formats; // 1: binary
};

struct Connection {
    // Something is done aside, which may take as long as the network wants: connecting, or
    // cancelling. Its file is readable when it has ended; is_busy_aside() finds that out.
    virtual int aside() = 0;
    virtual bool is_busy_aside() = 0;

    virtual bool is_connected() = 0;
    virtual bool has_used_password() = 0;
    // What the server or libpq says of the last failure; *sqlstate: five letters where the server
    // refuses the connection and says why, else empty.
    virtual const char *failure(char (&sqlstate)[6]) = 0;
    virtual int socket() = 0;
    virtual char transaction() = 0; // 'I', 'T' or 'E'
    // A setting that the server reports, as it is there now; nullptr: it does not report that.
    virtual const char *setting(const char *name) = 0;

    // Each sends one thing, whose results then come; false: failure().
    virtual bool send(const char *sql) = 0;
    virtual bool send(const char *sql, const Values &values) = 0;
    virtual bool send_prepare(const char *name, const char *sql, int count,
                              const TypeId *types) = 0;
    virtual bool send_describe(const char *name) = 0;
    virtual bool send_run(const char *name, const Values &values) = 0;
    // In a pipeline more may be sent before the results of what was sent have come, one statement
    // at a time, without its preparation or description; each has an end of its own. transaction()
    // is not known in it. Begins and ends only while nothing is to come; false: failure().
    virtual bool begin_pipeline() = 0;
    virtual bool end_pipeline() = 0;
    // 1: there is more to write; 0: all is written; -1: failure().
    virtual int flush() = 0;
    // Reads what is there; false: failure().
    virtual bool consume() = 0;
    // The next result is not there yet.
    virtual bool is_waiting() = 0;
    virtual Result *next() = 0; // never nullptr
    // The next line of a copy out: true with its length, or with -1 at the end; false: it is not
    // there yet. Valid until the next call.
    virtual bool copy_line(const char **line, int *length) = 0;
    virtual bool refuse_copy(const char *why) = 0;

    // What has come besides results, oldest first; each is valid until the next call.
    virtual bool next_notice(Report *report) = 0;
    virtual bool next_notification(Notification *notification) = 0;

    // Begins to cancel what runs, aside; false: that is not possible.
    virtual bool cancel() = 0;
    virtual void close() = 0;
};

struct Client {
    virtual Keyword keyword(const char *name) = 0;
    // Reads a connection string. False: it is malformed, has an option that there is not, or there
    // is no memory; libpq would quote a part of it, which may be a password.
    virtual bool parse(const char *text) = 0;
    // The next option that it has; false: there are no more. Valid until forget_parsed().
    virtual bool next_parsed(const char **keyword, const char **value) = 0;
    // Overwrites and frees them.
    virtual void forget_parsed() = 0;
    // Begins to connect, aside; both arrays end with nullptr and are copied. nullptr: no memory, or
    // too many open files.
    virtual Connection *connect(const char *const *keywords, const char *const *values,
                                int timeout) = 0;
};

} // namespace pllua_bg::remote
