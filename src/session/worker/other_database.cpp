// A session in another database than its launcher: whether whoever owns this one has opened it for
// such sessions, and when it has to go. Owns nothing.
#include "session/worker/worker.h"

#include "pg/compat.h"

extern "C" {
#include "catalog/dependency.h"
#include "catalog/pg_database.h"
#include "catalog/pg_namespace.h"
#include "commands/dbcommands.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "utils/acl.h"
}

namespace pllua_bg::session {

namespace {

// Anyone who may create schemas could make one of that name.
Oid schema_of_extension() {
    const Oid schema = get_namespace_oid("bg", true);
    const Oid extension = get_extension_oid("pllua_bg", true);
    if (!OidIsValid(schema) || !OidIsValid(extension)) return InvalidOid;
    return getExtensionOfObject(NamespaceRelationId, schema) == extension ? schema : InvalidOid;
}

} // namespace

// pg_hba.conf is not asked for background workers. So a client's right to connect is not enough.
void check_invited() {
    if (!worker.header->elsewhere) return;
    const Oid schema = schema_of_extension();
    const char *database = get_database_name(MyDatabaseId);
    if (!OidIsValid(schema))
        ereport(FATAL,
                (errcode(ERRCODE_UNDEFINED_SCHEMA),
                 errmsg("database \"%s\" has no background sessions", database),
                 errdetail("The extension pllua_bg, with its schema \"bg\", is not there."),
                 errhint("Sessions from other databases need CREATE EXTENSION pllua_bg in that "
                         "database.")));
    if (pg::may_use_schema(schema, GetUserId())) return;
    const char *role = GetUserNameFromId(GetUserId(), false);
    ereport(FATAL,
            (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
             errmsg("permission denied for background sessions in database \"%s\"", database),
             errdetail("The role needs USAGE on schema \"bg\" there."),
             errhint("GRANT USAGE ON SCHEMA bg TO %s, in that database.", quote_identifier(role))));
}

// A command that wants the database for itself, or copies it, has a lock on it and then waits some
// seconds for others to go.
bool is_database_wanted() {
    if (!worker.header->elsewhere) return false;
    LOCKTAG tag;
    int count;
    SET_LOCKTAG_OBJECT(tag, InvalidOid, DatabaseRelationId, MyDatabaseId, 0);
    VirtualTransactionId *holders = GetLockConflicts(&tag, RowExclusiveLock, &count);
    pfree(holders);
    return count > 0;
}

} // namespace pllua_bg::session
