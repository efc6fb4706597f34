// Sessions in SQL: the functions of schema bg.
// Owns nothing. Sessions are named by the pid of their worker.
#include "pg/compat.h"
#include "pg/guard.h"
#include "session/session.h"
#include "sql/arguments.h"
#include "sql/result.h"

extern "C" {
#include "utils/array.h"
#include "utils/float.h"
#include "utils/tuplestore.h"
}

PLLUA_BG_SQL_FUNCTION(pllua_bg_sql_launch)
PLLUA_BG_SQL_FUNCTION(pllua_bg_sql_run)
PLLUA_BG_SQL_FUNCTION(pllua_bg_sql_result)
PLLUA_BG_SQL_FUNCTION(pllua_bg_sql_wait)
PLLUA_BG_SQL_FUNCTION(pllua_bg_sql_detach)
PLLUA_BG_SQL_FUNCTION(pllua_bg_sql_close)
PLLUA_BG_SQL_FUNCTION(pllua_bg_sql_on_commit)
PLLUA_BG_SQL_FUNCTION(pllua_bg_sql_progress)
PLLUA_BG_SQL_FUNCTION(pllua_bg_sql_notifications)

namespace pllua_bg::sql {

namespace {

session::Session *session_argument(FunctionCallInfo fcinfo) {
    int pid = PG_GETARG_INT32(0);
    session::let_forgotten_go();
    session::Session *session = session::find(pid);
    if (session == nullptr)
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
                        errmsg("PID %d is not a background session of this backend", pid)));
    session::check_owner(session);
    return session;
}

Size queue_size_argument(FunctionCallInfo fcinfo, int number) {
    if (PG_ARGISNULL(number)) return 0;
    const int bytes = PG_GETARG_INT32(number);
    if (bytes <= 0)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("queue size of %d bytes is out of range", bytes)));
    return static_cast<Size>(bytes);
}

// 'name=value' strings, as in pg_proc.proconfig.
void settings_argument(ArrayType *array, session::LaunchOptions *options) {
    Datum *elements;
    bool *nulls;
    int count;
    deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &count);
    auto **names = static_cast<const char **>(palloc(sizeof(char *) * count + 1));
    auto **values = static_cast<const char **>(palloc(sizeof(char *) * count + 1));
    for (int i = 0; i < count; i++) {
        char *setting = nulls[i] ? nullptr : TextDatumGetCString(elements[i]);
        char *sign = setting == nullptr ? nullptr : strchr(setting, '=');
        if (sign == nullptr)
            ereport(
                ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                 errmsg("a setting of a background session must have the form \"name=value\"")));
        *sign = '\0';
        names[i] = setting;
        values[i] = sign + 1;
    }
    options->nsettings = count;
    options->setting_names = names;
    options->setting_values = values;
}

session::OnExit on_exit_argument(const char *word) {
    if (word == nullptr || strcmp(word, "finish") == 0) return session::OnExit::kFinish;
    if (strcmp(word, "cancel") == 0) return session::OnExit::kCancel;
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("invalid value for on_exit: \"%s\"", word),
                    errhint("It is \"finish\" or \"cancel\".")));
}

// The variadic arguments from `first` on. Untyped literals take the type the statement wants.
int param_arguments(FunctionCallInfo fcinfo, int first, session::Param **params) {
    Datum *values;
    bool *nulls;
    Oid *types;
    int count = PG_NARGS() <= first
                    ? 0
                    : extract_variadic_args(fcinfo, first, true, &values, &types, &nulls);
    *params = static_cast<session::Param *>(palloc0(sizeof(session::Param) * Max(count, 0) + 1));
    for (int i = 0; i < count; i++) {
        bool untyped =
            types[i] == UNKNOWNOID || get_fn_expr_argtype(fcinfo->flinfo, first + i) == UNKNOWNOID;
        (*params)[i].type = types[i] == UNKNOWNOID ? TEXTOID : types[i];
        (*params)[i].weak = untyped;
        (*params)[i].isnull = nulls[i];
        (*params)[i].value = values[i];
    }
    return Max(count, 0);
}

} // namespace

} // namespace pllua_bg::sql

using namespace pllua_bg;
using namespace pllua_bg::sql;

// launch(name, settings, queue_size in bytes, wait in seconds, idle_timeout in seconds, on_exit,
// snapshot, database, server) -> pid
Datum pllua_bg_sql_launch(PG_FUNCTION_ARGS) {
    session::LaunchOptions options;
    options.name = text_argument(fcinfo, 0);
    if (!PG_ARGISNULL(1)) settings_argument(PG_GETARG_ARRAYTYPE_P(1), &options);
    options.queue_size = queue_size_argument(fcinfo, 2);
    options.wait = timeout_argument(fcinfo, 3, "wait");
    if (!PG_ARGISNULL(4)) {
        double seconds = PG_GETARG_FLOAT8(4);
        if (!(seconds >= 0 && seconds <= INT_MAX / 1000))
            ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                            errmsg("idle_timeout is out of range")));
        options.idle_timeout = static_cast<int>(seconds * 1000);
    }
    options.on_exit = on_exit_argument(text_argument(fcinfo, 5));
    options.snapshot = !PG_ARGISNULL(6) && PG_GETARG_BOOL(6);
    if (!PG_ARGISNULL(7)) options.database = session::find_database(text_argument(fcinfo, 7));
    options.server = text_argument(fcinfo, 8);
    PG_RETURN_INT32(session::launch_for_pid(options));
}

// run(pid, sql, parameters...) -> number of the command
Datum pllua_bg_sql_run(PG_FUNCTION_ARGS) {
    require(fcinfo, 0, "pid");
    require(fcinfo, 1, "sql");
    session::Session *session = session_argument(fcinfo);
    session::Param *params;
    int count = param_arguments(fcinfo, 2, &params);
    PG_RETURN_INT64(
        static_cast<int64>(session::send(session, text_argument(fcinfo, 1), count, params)));
}

// result(pid, timeout in seconds) -> rows of the newest command not yet fetched
Datum pllua_bg_sql_result(PG_FUNCTION_ARGS) {
    require(fcinfo, 0, "pid");
    return_result(fcinfo, session_argument(fcinfo), timeout_argument(fcinfo, 1, "timeout"));
    return 0;
}

// wait(pid, timeout in seconds) -> whether all commands sent have ended
Datum pllua_bg_sql_wait(PG_FUNCTION_ARGS) {
    require(fcinfo, 0, "pid");
    session::Session *session = session_argument(fcinfo);
    const double timeout = timeout_argument(fcinfo, 1, "timeout");
    session::Status now = session::status(session);
    if (now.queued == 0) PG_RETURN_BOOL(true);
    session::Command *newest = session::newest_pending(session);
    session::WaitFor wanted = {session, newest->id};
    PG_RETURN_BOOL(session::wait_any(&wanted, 1, timeout) >= 0);
}

Datum pllua_bg_sql_detach(PG_FUNCTION_ARGS) {
    require(fcinfo, 0, "pid");
    session::detach(session_argument(fcinfo));
    PG_RETURN_VOID();
}

Datum pllua_bg_sql_close(PG_FUNCTION_ARGS) {
    require(fcinfo, 0, "pid");
    session::close(session_argument(fcinfo));
    PG_RETURN_VOID();
}

// on_commit(sql, parameters...)
Datum pllua_bg_sql_on_commit(PG_FUNCTION_ARGS) {
    require(fcinfo, 0, "sql");
    session::Param *params;
    int count = param_arguments(fcinfo, 1, &params);
    session::on_commit(text_argument(fcinfo, 0), count, params);
    PG_RETURN_VOID();
}

// progress(done, total, message) -> whether this is a session
Datum pllua_bg_sql_progress(PG_FUNCTION_ARGS) {
    require(fcinfo, 0, "done");
    const double total = PG_ARGISNULL(1) ? get_float8_nan() : PG_GETARG_FLOAT8(1);
    const char *message = text_argument(fcinfo, 2);
    PG_RETURN_BOOL(
        session::report_progress(PG_GETARG_FLOAT8(0), total, message == nullptr ? "" : message));
}

// notifications(pid) -> what LISTENs of the session have brought
Datum pllua_bg_sql_notifications(PG_FUNCTION_ARGS) {
    require(fcinfo, 0, "pid");
    return_notifications(fcinfo, session_argument(fcinfo));
    return 0;
}
