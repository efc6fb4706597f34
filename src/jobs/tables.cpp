// Statements on the tables of jobs, and whose a job is. See tables.h for the contracts.
#include "jobs/tables.h"

#include "jobs/jobs.h"
#include "pg/actor.h"

extern "C" {
#include "access/table.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "utils/acl.h"
#include "utils/snapmgr.h"
}

namespace pllua_bg::jobs {

namespace {

OwnStatement find_owner = {
    "select case when bg.jobs_at_home() then o.owner else (select r.oid from pg_catalog.pg_roles r "
    "where r.rolname operator(pg_catalog.=) o.owner_name) end from ("
    "select owner, owner_name from bg.job where id operator(pg_catalog.=) $1 union all "
    "select owner, owner_name from bg.job_done where id operator(pg_catalog.=) $1) o limit 1",
    1,
    {INT8OID},
    nullptr};

Oid find_table(const char *name) {
    const Oid schema = get_namespace_oid("bg", true);
    const Oid table = OidIsValid(schema) ? get_relname_relid(name, schema) : InvalidOid;
    if (OidIsValid(table)) return table;
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                    errmsg("there are no jobs in this database"),
                    errhint("CREATE EXTENSION pllua_bg_jobs")));
}

Oid tables_owner() {
    const Oid table = find_table("job");
    HeapTuple row = SearchSysCache1(RELOID, ObjectIdGetDatum(table));
    if (!HeapTupleIsValid(row)) elog(ERROR, "cache lookup failed for relation %u", table);
    const Oid owner = reinterpret_cast<Form_pg_class>(GETSTRUCT(row))->relowner;
    ReleaseSysCache(row);
    return owner;
}

[[noreturn]] void fail(const char *what, int code) {
    ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR),
                    errmsg_internal("%s of jobs: %s", what, SPI_result_code_string(code))));
}

void prepare(OwnStatement *statement) {
    SPIPlanPtr plan = SPI_prepare(statement->sql, statement->nparams, statement->types);
    if (plan == nullptr) fail("SPI_prepare", SPI_result);
    if (SPI_keepplan(plan) != 0) fail("SPI_keepplan", SPI_result);
    statement->plan = plan;
}

// Runs it with a snapshot, or nullptr: as any statement of a function.
uint64 run(OwnStatement *statement, Datum *values, const char *nulls, Snapshot snapshot) {
    if (statement->plan == nullptr) prepare(statement);
    const int code = snapshot == nullptr
                         ? SPI_execute_plan(statement->plan, values, nulls, false, 0)
                         : SPI_execute_snapshot(statement->plan, values, nulls, snapshot,
                                                InvalidSnapshot, true, false, 0);
    if (code < 0) fail("SPI_execute_plan", code);
    return SPI_processed;
}

uint64 run_as_role(Oid role, OwnStatement *statement, Datum *values, const char *nulls,
                   Snapshot snapshot) {
    const pg::Actor actor = pg::current_actor();
    // An error puts the user back: it ends a transaction or subtransaction that was begun before.
    SetUserIdAndSecContext(role, actor.security_context | SECURITY_LOCAL_USERID_CHANGE);
    const uint64 count = run(statement, values, nulls, snapshot);
    SetUserIdAndSecContext(actor.user, actor.security_context);
    return count;
}

} // namespace

Relation open_table(const char *name, LOCKMODE lock) { return table_open(find_table(name), lock); }

void check_tables() { (void)tables_owner(); }

uint64 run_as_caller(OwnStatement *statement, Datum *values, const char *nulls) {
    return run(statement, values, nulls, nullptr);
}

uint64 run_as_owner(OwnStatement *statement, Datum *values, const char *nulls) {
    return run_as_role(tables_owner(), statement, values, nulls, nullptr);
}

uint64 run_as_owner_now(OwnStatement *statement, Datum *values) {
    if (IsInParallelMode())
        ereport(ERROR, (errcode(ERRCODE_INVALID_TRANSACTION_STATE),
                        errmsg("cannot look at jobs during a parallel operation")));
    CommandCounterIncrement();
    return run_as_role(tables_owner(), statement, values, nullptr, GetLatestSnapshot());
}

Datum first_value(int column, bool *isnull) {
    return SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, column, isnull);
}

void refuse_unknown_job(int64 id) {
    ereport(ERROR,
            (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("job " INT64_FORMAT " does not exist", id)));
}

void check_member(Oid owner, int64 id) {
    // Of nobody, where the role was dropped: superusers'.
    if (OidIsValid(owner) ? has_privs_of_role(GetUserId(), owner) : superuser()) return;
    ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                    errmsg("permission denied for job " INT64_FORMAT, id),
                    errdetail("It is of another role.")));
}

Oid owner_of_job(int64 id) {
    Datum values[] = {Int64GetDatum(id)};
    if (run_as_owner_now(&find_owner, values) == 0) refuse_unknown_job(id);
    bool isnull;
    const Datum owner = first_value(1, &isnull);
    return isnull ? InvalidOid : DatumGetObjectId(owner);
}

} // namespace pllua_bg::jobs
