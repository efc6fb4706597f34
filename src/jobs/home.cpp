// Of which database the queue is. See orders.h for the contracts.
#include "jobs/jobs.h"
#include "jobs/orders.h"
#include "jobs/tables.h"

extern "C" {
#include "access/xlog.h"
}

namespace pllua_bg::jobs {

namespace {

OwnStatement select_home = {
    "select pg_catalog.count(*) operator(pg_catalog.=) 1 and "
    "pg_catalog.bool_and(system operator(pg_catalog.=) $1 and database operator(pg_catalog.=) $2) "
    "from bg.job_home",
    2,
    {INT8OID, OIDOID},
    nullptr};

OwnStatement delete_home = {"delete from bg.job_home", 0, {}, nullptr};

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

} // namespace

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
