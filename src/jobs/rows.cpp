// Rows of the tables of jobs without a statement. See rows.h for the contracts. What an
// administrator has given the tables counts: indexes, constraints and triggers after the row is
// written, as the owner of the tables; rules, policies and triggers before that do not.
#include "jobs/rows.h"

#include "jobs/tables.h"
#include "pg/actor.h"
#include "pg/compat.h"
#include "pg/compat_rows.h"

extern "C" {
#include "access/table.h"
#include "access/tableam.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "utils/fmgroids.h"
#include "utils/snapmgr.h"
}

namespace pllua_bg::jobs {

namespace {

// Of a table that is written; closed with the state.
ResultRelInfo *open_target(EState *state, Relation table) {
    ResultRelInfo *target = makeNode(ResultRelInfo);
    InitResultRelInfo(target, table, 0, nullptr, 0);
    ExecOpenIndices(target, false);
    state->es_opened_result_relations = lappend(state->es_opened_result_relations, target);
    return target;
}

bool delete_row(EState *state, const Row *row) {
    ItemPointer place = &row->tuple->t_self;
    if (!pg::delete_tuple(row->table, place, state->es_output_cid, state->es_snapshot))
        return false;
    if (row->table->trigdesc != nullptr)
        ExecARDeleteTriggers(state, open_target(state, row->table), place, nullptr, nullptr, false);
    return true;
}

int16 slot_now() {
    Row row = find_row("job_state", F_BOOLEQ, BoolGetDatum(true), AccessShareLock);
    bool isnull;
    const int16 slot =
        row.tuple == nullptr ? int16{0} : DatumGetInt16(column_of(&row, kStateSlot, &isnull));
    close_row(&row);
    return slot;
}

void put(TupleTableSlot *into, AttrNumber column, Datum value, bool isnull = false) {
    into->tts_values[column - 1] = value;
    into->tts_isnull[column - 1] = isnull;
}

void check_columns(Relation table, int count) {
    if (RelationGetNumberOfAttributes(table) != count)
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("table %s has other columns than the library knows",
                               RelationGetRelationName(table))));
}

// What is stored outside of the row is copied by the insert.
void keep(EState *state, Relation history, int16 slot, const Row *row, const Outcome *outcome) {
    check_columns(row->table, kSubmittedAt);
    check_columns(history, kSupersededBy);
    TupleTableSlot *into = table_slot_create(history, &state->es_tupleTable);
    heap_deform_tuple(row->tuple, RelationGetDescr(row->table), into->tts_values, into->tts_isnull);
    put(into, kSlot, Int16GetDatum(slot));
    put(into, kState, CharGetDatum(outcome->state));
    put(into, kStartedAt, TimestampTzGetDatum(outcome->started_at));
    put(into, kEndedAt, TimestampTzGetDatum(GetCurrentTimestamp()));
    put(into, kPid, Int32GetDatum(MyProcPid));
    put(into, kResult, PointerGetDatum(outcome->result), outcome->result == nullptr);
    put(into, kNote, outcome->note == nullptr ? 0 : CStringGetTextDatum(outcome->note),
        outcome->note == nullptr);
    put(into, kError, 0, true);
    put(into, kSupersededBy, 0, true);
    (void)ExecStoreVirtualTuple(into);
    ExecSimpleRelationInsert(open_target(state, history), state, into);
}

bool end_as_owner(const Row *row, bool stays, const Outcome *outcome) {
    EState *state = CreateExecutorState();
    state->es_snapshot = GetActiveSnapshot();
    state->es_output_cid = GetCurrentCommandId(true);
    const int16 slot = outcome == nullptr ? int16{0} : slot_now();
    // Open until the triggers have run.
    Relation history =
        outcome == nullptr ? nullptr : open_table(psprintf("job_done_%d", slot), RowExclusiveLock);
    AfterTriggerBeginQuery();
    const bool ended = stays || delete_row(state, row);
    if (ended && history != nullptr) keep(state, history, slot, row, outcome);
    AfterTriggerEndQuery(state);
    ExecCloseResultRelations(state);
    ExecResetTupleTable(state->es_tupleTable, false);
    FreeExecutorState(state);
    if (history != nullptr) table_close(history, NoLock);
    return ended;
}

} // namespace

Row find_row(const char *table, RegProcedure equal, Datum key, LOCKMODE lock) {
    Row row = {open_table(table, lock), nullptr, nullptr};
    const Oid collation = TupleDescAttr(RelationGetDescr(row.table), 0)->attcollation;
    ScanKeyData wanted;
    ScanKeyEntryInitialize(&wanted, 0, 1, BTEqualStrategyNumber, InvalidOid, collation, equal, key);
    const Oid index = pg::primary_key_of(row.table);
    row.scan =
        systable_beginscan(row.table, index, OidIsValid(index), GetActiveSnapshot(), 1, &wanted);
    row.tuple = systable_getnext(row.scan);
    return row;
}

Datum column_of(const Row *row, AttrNumber column, bool *isnull) {
    return heap_getattr(row->tuple, column, RelationGetDescr(row->table), isnull);
}

void close_row(Row *row) {
    systable_endscan(row->scan);
    table_close(row->table, NoLock);
}

bool end_row(int64 id, int16 attempt, bool stays, const Outcome *outcome) {
    CommandCounterIncrement();
    PushActiveSnapshot(GetTransactionSnapshot());
    Row row = find_row("job", F_INT8EQ, Int64GetDatum(id), RowExclusiveLock);
    bool isnull;
    bool found =
        row.tuple != nullptr && DatumGetInt16(column_of(&row, kAttempt, &isnull)) == attempt;
    if (found) {
        // An error puts the user back: it ends a transaction or subtransaction begun before.
        const pg::Actor actor = pg::current_actor();
        SetUserIdAndSecContext(row.table->rd_rel->relowner,
                               actor.security_context | SECURITY_LOCAL_USERID_CHANGE);
        found = end_as_owner(&row, stays, outcome);
        SetUserIdAndSecContext(actor.user, actor.security_context);
    }
    close_row(&row);
    PopActiveSnapshot();
    return found;
}

} // namespace pllua_bg::jobs
