// What there is of jobs in this database. Owns nothing.
#include "jobs/area.h"

#include "pg/compat.h"

extern "C" {
#include "access/twophase.h"
#include "catalog/dependency.h"
#include "commands/extension.h"
#include "utils/snapmgr.h"
}

namespace pllua_bg::jobs {

namespace {

// The first value of a query that reads, as text in CurrentMemoryContext; nullptr: there is none.
char *ask(const char *query) {
    MemoryContext context = CurrentMemoryContext;
    char *answer = nullptr;
    (void)SPI_connect();
    PushActiveSnapshot(GetTransactionSnapshot());
    if (SPI_execute(query, true, 1) == SPI_OK_SELECT && SPI_processed > 0) {
        const char *value = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
        if (value != nullptr) answer = MemoryContextStrdup(context, value);
    }
    PopActiveSnapshot();
    (void)SPI_finish();
    return answer;
}

bool belongs_to(Oid extension, Oid catalog, Oid object) {
    return OidIsValid(object) && getExtensionOfObject(catalog, object) == extension;
}

Oid scheduler_procedure(Oid schema) {
    return GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid, CStringGetDatum("run_scheduler"),
                           PointerGetDatum(buildoidvector(nullptr, 0)), ObjectIdGetDatum(schema));
}

} // namespace

bool has_extension() {
    const Oid extension = get_extension_oid(kExtension, true);
    const Oid schema = get_namespace_oid("bg", true);
    if (!OidIsValid(extension) || !OidIsValid(schema)) return false;
    return belongs_to(extension, RelationRelationId, get_relname_relid("job", schema)) &&
           belongs_to(extension, ProcedureRelationId, scheduler_procedure(schema));
}

// The library goes with the version that its control file names.
void check_version() {
    const char *needed =
        ask("SELECT default_version FROM pg_catalog.pg_available_extensions "
            "WHERE name = 'pllua_bg_jobs' AND installed_version <> default_version");
    if (needed == nullptr) return;
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                    errmsg("jobs of this database wait: extension %s is not of version %s",
                           kExtension, needed),
                    errhint("ALTER EXTENSION %s UPDATE", kExtension)));
}

bool has_jobs() { return ask("SELECT 1 FROM bg.job LIMIT 1") != nullptr; }

bool has_prepared_transactions() {
    return max_prepared_xacts > 0 &&
           ask("SELECT 1 FROM pg_catalog.pg_prepared_xacts "
               "WHERE database = pg_catalog.current_database() LIMIT 1") != nullptr;
}

} // namespace pllua_bg::jobs
