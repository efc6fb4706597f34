// Sessions in another database of the cluster, as far as it can be seen from here whether they may
// be there: what the server says to a client who wants to connect. That the database is open for
// such sessions the worker finds out (worker/other_database.cpp). Owns nothing.
#include "session/launcher/launcher.h"

#include "pg/compat.h"
#include "pg/encoding.h"
#include "pg/open_type.h"

extern "C" {
#include "catalog/pg_database.h"
#include "catalog/pg_type.h"
#include "commands/dbcommands.h"
#include "mb/pg_wchar.h"
#include "storage/procarray.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/varlena.h"
}

namespace pllua_bg::session {

namespace {

// Its limit says that DROP DATABASE was broken off in the middle.
constexpr int kInvalidLimit = -2;

// The name of a database for a message.
const char *shown(Form_pg_database database) { return pg::valid_text(NameStr(database->datname)); }

void check_open(Form_pg_database database) {
    if (database->datconnlimit == kInvalidLimit)
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("cannot connect to invalid database \"%s\"", shown(database)),
                        errhint("Use DROP DATABASE to drop invalid databases.")));
    if (!database->datallowconn)
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("database \"%s\" is not currently accepting connections",
                               shown(database))));
}

void check_right(Form_pg_database database) {
    if (pg::may_connect(database->oid, GetUserId())) return;
    ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                    errmsg("permission denied for database \"%s\"", shown(database)),
                    errdetail("User does not have CONNECT privilege.")));
}

// The server does not count background workers: so a session is refused where one more client
// would be.
void check_limit(Form_pg_database database) {
    const int limit = database->datconnlimit;
    if (limit < 0 || superuser() || CountDBConnections(database->oid) < limit) return;
    ereport(ERROR,
            (errcode(ERRCODE_TOO_MANY_CONNECTIONS),
             errmsg("too many connections for database \"%s\"", shown(database)),
             errdetail("Its limit is %d, and one more client could not connect either.", limit)));
}

// Texts, names and messages travel as they are.
void check_encoding(Form_pg_database database) {
    if (database->encoding == GetDatabaseEncoding()) return;
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                    errmsg("a background session cannot be in a database with another encoding"),
                    errdetail("The encoding of database \"%s\" is %s, that of this one is %s.",
                              shown(database), pg_encoding_to_char(database->encoding),
                              GetDatabaseEncodingName())));
}

void check_snapshot(const LaunchOptions &options) {
    if (!options.snapshot) return;
    ereport(
        ERROR,
        (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
         errmsg("a background session in another database cannot have this snapshot"),
         errdetail("A snapshot says what is visible in its own database only."),
         errhint("The option snapshot can be a session in that database, whose transaction sees "
                 "what this one is to see.")));
}

// The type that a qualified name stands for; InvalidOid: none that the current user may see.
Oid find_type(const char *schema_name, const char *name) {
    const Oid schema = get_namespace_oid(schema_name, true);
    if (!OidIsValid(schema) || !pg::may_use_schema(schema, GetUserId())) return InvalidOid;
    return GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid, CStringGetDatum(name),
                           ObjectIdGetDatum(schema));
}

} // namespace

Oid find_database(const char *name) {
    if (strlen(name) >= NAMEDATALEN)
        ereport(ERROR, (errcode(ERRCODE_NAME_TOO_LONG),
                        errmsg("option database must have less than %d bytes", NAMEDATALEN)));
    const Oid database = get_database_oid(name, true);
    if (!OidIsValid(database))
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_DATABASE),
                        errmsg("database \"%s\" does not exist", name)));
    return database;
}

Oid database_of(const LaunchOptions &options) {
    return OidIsValid(options.database) ? options.database : MyDatabaseId;
}

bool is_elsewhere(const LaunchOptions &options) { return database_of(options) != MyDatabaseId; }

bool is_elsewhere(const Session *session) { return session->database != MyDatabaseId; }

void check_database(const LaunchOptions &options) {
    if (!is_elsewhere(options)) return;
    check_snapshot(options);
    HeapTuple row = SearchSysCache1(DATABASEOID, ObjectIdGetDatum(options.database));
    if (!HeapTupleIsValid(row))
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_DATABASE),
                        errmsg("database %u does not exist", options.database)));
    const auto database = reinterpret_cast<Form_pg_database>(GETSTRUCT(row));
    check_open(database);
    check_right(database);
    check_limit(database);
    check_encoding(database);
    ReleaseSysCache(row);
}

Oid type_here(const Column &column) {
    if (OidIsValid(column.type)) return column.type;
    constexpr char kArray[] = "[]";
    char *name = pstrdup(column.type_name);
    const Size length = strlen(name);
    const bool is_array = length > 2 && strcmp(name + length - 2, kArray) == 0;
    if (is_array) name[length - 2] = '\0';
    List *parts;
    if (!SplitIdentifierString(name, '.', &parts) || list_length(parts) != 2) return InvalidOid;
    Oid type = find_type(static_cast<char *>(linitial(parts)), //
                         static_cast<char *>(lsecond(parts)));
    if (is_array && OidIsValid(type)) type = get_array_type(type);
    // That database chooses the name: no code of users here is run by it.
    return OidIsValid(type) && pg::reads_domains(type) ? InvalidOid : type;
}

} // namespace pllua_bg::session
