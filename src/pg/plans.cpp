// Kept plans and changed row types. See plans.h for the contracts. Owns what is known of relations
// that have changed since.
#include "pg/plans.h"

#include "pg/compat.h"

extern "C" {
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/plancache.h"
}

namespace pllua_bg::pg {

namespace {

constexpr int kMostRelations = 32;

bool columns_changed;          // of some relation
Oid relations[kMostRelations]; // which have changed in some way
int relation_count;            // more than kMostRelations: not all are in the list

void note_columns(Datum, CacheId, uint32) { columns_changed = true; }

void note_relation(Datum, Oid relation) {
    if (relation_count > 0 && relation_count <= kMostRelations &&
        relations[relation_count - 1] == relation)
        return;
    if (relation_count < kMostRelations) relations[relation_count] = relation;
    if (relation_count <= kMostRelations) relation_count++;
}

// Temporary tables come and go all the time, and a table that is gone has no plans.
bool is_lasting(Oid relation) {
    if (!OidIsValid(relation)) return true;
    const char kind = get_rel_relkind(relation);
    return kind == RELKIND_COMPOSITE_TYPE ||
           (kind != '\0' && get_rel_persistence(relation) != RELPERSISTENCE_TEMP);
}

bool has_lasting_relation() {
    if (relation_count > kMostRelations) return true;
    for (int i = 0; i < relation_count; i++)
        if (is_lasting(relations[i])) return true;
    return false;
}

} // namespace

void refresh_plans() {
    // A transaction that has failed only ends, and may not look anything up.
    if (!IsTransactionState()) return;
    AcceptInvalidationMessages();
    if (columns_changed && has_lasting_relation()) ResetPlanCache();
    columns_changed = false;
    relation_count = 0;
}

void initialize_plans() {
    CacheRegisterSyscacheCallback(ATTNUM, note_columns, 0);
    CacheRegisterRelcacheCallback(note_relation, 0);
}

} // namespace pllua_bg::pg
