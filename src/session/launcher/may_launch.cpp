// Whether the current user may launch sessions, here and now.
// Owns nothing.
#include "session/launcher/launcher.h"

#include "pg/compat.h"
#include "pg/settings.h"
#include "pg/wait.h"

extern "C" {
#include "access/parallel.h"
#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "utils/acl.h"
#include "utils/syscache.h"
}

namespace pllua_bg::session {

namespace {

void check_may_use_schema() {
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

void check_can_login() {
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
void check_depth() {
    if (session_depth < pg::setting_max_depth) return;
    ereport(ERROR, (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
                    errmsg("background sessions are nested too deeply"),
                    errdetail("This is itself a background session, at level %d.", session_depth),
                    errhint("The number of levels is limited by pllua_bg.max_depth, now %d.",
                            pg::setting_max_depth)));
}

// In single-user mode nobody starts workers.
void check_postmaster() {
    if (IsUnderPostmaster) return;
    ereport(ERROR,
            (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
             errmsg("background sessions are not possible in single-user mode"),
             errdetail("Background workers are started by the postmaster, and there is none.")));
}

} // namespace

void check_not_restricted() {
    if (InSecurityRestrictedOperation())
        ereport(ERROR,
                (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                 errmsg("cannot use background sessions within security-restricted operation")));
}

void check_may_use() {
    check_postmaster();
    check_not_restricted();
    if (IsInParallelMode() || IsParallelWorker())
        ereport(ERROR, (errcode(ERRCODE_INVALID_TRANSACTION_STATE),
                        errmsg("cannot launch a background session during a parallel operation")));
    check_may_use_schema();
    check_can_login();
}

void check_may_launch() {
    check_may_use();
    pg::name_wait_events();
    check_depth();
}

} // namespace pllua_bg::session
