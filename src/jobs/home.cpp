// Of which database the queue is. See orders.h for the contracts.
#include "jobs/area.h"
#include "jobs/jobs.h"
#include "jobs/orders.h"
#include "jobs/rows.h"
#include "jobs/tables.h"

extern "C" {
#include "access/xlog.h"
#include "utils/fmgroids.h"
}

namespace pllua_bg::jobs {

namespace {

OwnStatement select_home = {"select pg_catalog.bool_and(system operator(pg_catalog.=) $1 and "
                            "database operator(pg_catalog.=) $2) "
                            "from bg.job_home",
                            2,
                            {INT8OID, OIDOID},
                            nullptr};

OwnStatement delete_home = {"delete from bg.job_home", 0, {}, nullptr};

// A subscription that brings the jobs of another database. One whose owner may not write them
// brings none.
#define IS_SUBSCRIBED                                                                              \
    "exists (select from pg_catalog.pg_subscription_rel r join pg_catalog.pg_subscription s "      \
    "on s.oid operator(pg_catalog.=) r.srsubid "                                                   \
    "where r.srrelid operator(pg_catalog.=) 'bg.job'::pg_catalog.regclass and "                    \
    "pg_catalog.has_table_privilege(s.subowner, r.srrelid, 'INSERT'))"

OwnStatement select_subscribed = {"select " IS_SUBSCRIBED, 0, {}, nullptr};

// Of no database.
OwnStatement leave_home = {
    "insert into bg.job_home select 0, 0 where " IS_SUBSCRIBED, 0, {}, nullptr};

OwnStatement settle_home = {
    "insert into bg.job_home select $1, $2 where not exists (select from bg.job_home)",
    2,
    {INT8OID, OIDOID},
    nullptr};

OwnStatement insert_home = {
    "insert into bg.job_home (system, database) values ($1, $2)", 2, {INT8OID, OIDOID}, nullptr};

// Of a name that there is no more: nobody's.
OwnStatement adopt_jobs = {
    "update bg.job j set owner = o.owner from (select d.owner_name, coalesce(r.oid, 0) as owner "
    "from (select distinct owner_name from bg.job) d left join pg_catalog.pg_roles r "
    "on r.rolname operator(pg_catalog.=) d.owner_name) o "
    "where o.owner_name operator(pg_catalog.=) j.owner_name and o.owner operator(pg_catalog.<>) "
    "j.owner",
    0,
    {},
    nullptr};

OwnStatement adopt_done = {
    "update bg.job_done j set owner = o.owner from (select d.owner_name, coalesce(r.oid, 0) as "
    "owner "
    "from (select distinct owner_name from bg.job_done) d left join pg_catalog.pg_roles r "
    "on r.rolname operator(pg_catalog.=) d.owner_name) o "
    "where o.owner_name operator(pg_catalog.=) j.owner_name and o.owner operator(pg_catalog.<>) "
    "j.owner",
    0,
    {},
    nullptr};

// What it brings next would be of roles by their numbers again.
void check_not_subscribed() {
    (void)run_as_owner(&select_subscribed, nullptr, nullptr);
    bool isnull;
    if (!DatumGetBool(first_value(1, &isnull))) return;
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                    errmsg("a subscription brings the jobs of another database"),
                    errhint("Drop it, or leave the tables of schema bg out of its publication.")));
}

} // namespace

void settle_home_at_first() {
    Datum values[] = {Int64GetDatum(static_cast<int64>(GetSystemIdentifier())),
                      ObjectIdGetDatum(MyDatabaseId)};
    Row row = find_row("job_home", F_INT8EQ, values[0], AccessShareLock);
    const bool found = row.tuple != nullptr;
    close_row(&row);
    if (!found) (void)run_as_owner(&settle_home, values, nullptr);
}

void note_subscription() {
    if (!has_extension()) return;
    SPI_connect();
    (void)run_as_owner(&leave_home, nullptr, nullptr);
    SPI_finish();
}

bool is_at_home() {
    SPI_connect();
    Datum values[] = {Int64GetDatum(static_cast<int64>(GetSystemIdentifier())),
                      ObjectIdGetDatum(MyDatabaseId)};
    (void)run_as_owner(&select_home, values, nullptr);
    bool isnull;
    const Datum at_home = first_value(1, &isnull);
    SPI_finish();
    return !isnull && DatumGetBool(at_home);
}

void adopt() {
    check_running();
    SPI_connect();
    check_not_subscribed();
    (void)run_as_owner(&adopt_jobs, nullptr, nullptr);
    (void)run_as_owner(&adopt_done, nullptr, nullptr);
    (void)run_as_owner(&delete_home, nullptr, nullptr);
    Datum values[] = {Int64GetDatum(static_cast<int64>(GetSystemIdentifier())),
                      ObjectIdGetDatum(MyDatabaseId)};
    (void)run_as_owner(&insert_home, values, nullptr);
    SPI_finish();
    announce(0);
}

} // namespace pllua_bg::jobs
