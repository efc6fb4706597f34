// Sets of rows for the SQL functions of sessions.
// Owns nothing beyond the tuplestores it hands to the executor.
#include "session/sql_result.h"

#include "pg/guard.h"

extern "C" {
#include "executor/tuptable.h"
#include "parser/parse_coerce.h"
#include "utils/tuplestore.h"
}

namespace pllua_bg::session {

Target open_target(FunctionCallInfo fcinfo) {
    auto *info = reinterpret_cast<ReturnSetInfo *>(fcinfo->resultinfo);
    if (info == nullptr || !IsA(info, ReturnSetInfo) || !(info->allowedModes & SFRM_Materialize))
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("set-valued function called in context that cannot accept a set")));
    if (info->expectedDesc == nullptr)
        ereport(
            ERROR,
            (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
             errmsg("function returning record called in context that cannot accept type record"),
             errhint(
                 "Try calling the function in the FROM clause using a column definition list.")));
    MemoryContext old = MemoryContextSwitchTo(info->econtext->ecxt_per_query_memory);
    Target target;
    target.store =
        tuplestore_begin_heap((info->allowedModes & SFRM_Materialize_Random) != 0, false, work_mem);
    target.descriptor = CreateTupleDescCopy(info->expectedDesc);
    info->returnMode = SFRM_Materialize;
    info->setResult = target.store;
    info->setDesc = target.descriptor;
    MemoryContextSwitchTo(old);
    return target;
}

[[noreturn]] static void type_mismatch(const char *detail) {
    ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
                    errmsg("result rowtype does not match the specified FROM clause rowtype"),
                    errdetail("%s", detail)));
    pg_unreachable();
}

// Input functions for the columns that came as text and are wanted as what they are; InvalidOid
// elsewhere.
static FmgrInfo *match_columns(const Statement *statement, TupleDesc wanted, Oid **elements) {
    if (wanted->natts != statement->ncolumns)
        type_mismatch(psprintf("The result has %d columns, the column definition list has %d.",
                               statement->ncolumns, wanted->natts));
    auto *inputs = static_cast<FmgrInfo *>(palloc0(sizeof(FmgrInfo) * wanted->natts + 1));
    *elements = static_cast<Oid *>(palloc0(sizeof(Oid) * wanted->natts + 1));
    for (int i = 0; i < wanted->natts; i++) {
        const Column *column = &statement->columns[i];
        Oid type = TupleDescAttr(wanted, i)->atttypid;
        if (column->as_text ? type == TEXTOID || type == VARCHAROID
                            : IsBinaryCoercible(column->type, type))
            continue;
        if (column->as_text && (type != column->type || type == RECORDOID))
            type_mismatch(psprintf("Column \"%s\" of type %s can be read as text only.",
                                   NameStr(column->name), column->type_name));
        if (!column->as_text)
            type_mismatch(psprintf("Column \"%s\" has type %s, not %s.", NameStr(column->name),
                                   column->type_name, format_type_be(type)));
        Oid function;
        getTypeInputInfo(type, &function, &(*elements)[i]);
        fmgr_info(function, &inputs[i]);
    }
    return inputs;
}

static void convert_row(TupleTableSlot *slot, const FmgrInfo *inputs, const Oid *elements) {
    for (int i = 0; i < slot->tts_tupleDescriptor->natts; i++) {
        if (!OidIsValid(inputs[i].fn_oid) || slot->tts_isnull[i]) continue;
        char *form = TextDatumGetCString(slot->tts_values[i]);
        slot->tts_values[i] =
            InputFunctionCall(const_cast<FmgrInfo *>(&inputs[i]), form, elements[i], -1);
    }
}

// True when tuples formed as `sent` are tuples of the target as they are.
static bool same_layout(TupleDesc sent, TupleDesc wanted, const FmgrInfo *inputs) {
    for (int i = 0; i < wanted->natts; i++) {
        Form_pg_attribute from = TupleDescAttr(sent, i);
        Form_pg_attribute to = TupleDescAttr(wanted, i);
        if (OidIsValid(inputs[i].fn_oid) || from->attlen != to->attlen ||
            from->attbyval != to->attbyval || from->attalign != to->attalign)
            return false;
    }
    return true;
}

static void put_converted(TupleTableSlot *slot, const Target *target, const FmgrInfo *inputs,
                          const Oid *elements) {
    slot_getallattrs(slot);
    convert_row(slot, inputs, elements);
    tuplestore_putvalues(target->store, target->descriptor, slot->tts_values, slot->tts_isnull);
}

static void put_rows(Statement *statement, const Target *target) {
    Oid *elements;
    const FmgrInfo *inputs = match_columns(statement, target->descriptor, &elements);
    const bool as_they_are = same_layout(statement->descriptor, target->descriptor, inputs);
    MemoryContext scratch =
        AllocSetContextCreate(CurrentMemoryContext, "pllua_bg result row", ALLOCSET_DEFAULT_SIZES);
    TupleTableSlot *slot = MakeSingleTupleTableSlot(statement->descriptor, &TTSOpsMinimalTuple);
    TupleReader *reader = open_reader(statement, CurrentMemoryContext);
    while (MinimalTuple tuple = next_tuple(reader)) {
        ExecStoreMinimalTuple(tuple, slot, false);
        if (as_they_are) {
            tuplestore_puttupleslot(target->store, slot);
        } else {
            MemoryContext old = MemoryContextSwitchTo(scratch);
            put_converted(slot, target, inputs, elements);
            MemoryContextSwitchTo(old);
            MemoryContextReset(scratch);
        }
        CHECK_FOR_INTERRUPTS();
    }
    close_reader(reader);
    ExecDropSingleTupleTableSlot(slot);
    MemoryContextDelete(scratch);
}

// Raises unless the rows, or the tag, fit the target.
static void check_target(const Statement *statement, const Target *target) {
    TupleDesc wanted = target->descriptor;
    Oid *elements;
    if (statement->has_rows)
        (void)match_columns(statement, wanted, &elements);
    else if (wanted->natts != 1 || TupleDescAttr(wanted, 0)->atttypid != TEXTOID)
        type_mismatch("The statement returns no rows; its command tag is one column of type text.");
}

static void put_tag(const Statement *statement, const Target *target) {
    TupleDesc wanted = target->descriptor;
    Datum value = CStringGetTextDatum(statement->tag);
    bool isnull = false;
    tuplestore_putvalues(target->store, wanted, &value, &isnull);
}

// Raises the error of a failed command again, after forgetting the command.
[[noreturn]] static void raise_error(Session *session, Command *command) {
    // The position counts in the command's text, not in that of the statement that asks for the
    // result.
    if (command->error->cursorpos > 0 && command->error->internalquery == nullptr) {
        command->error->internalpos = command->error->cursorpos;
        command->error->internalquery = command->sql;
        command->error->cursorpos = 0;
    }
    ErrorData *error = pg::attempt([command] { ThrowErrorData(command->error); });
    release(session, command->id);
    pg::rethrow(error);
}

void return_result(FunctionCallInfo fcinfo, Session *session, double timeout) {
    Target target = open_target(fcinfo);
    Command *wanted = newest_untaken(session);
    if (wanted == nullptr)
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
                        errmsg("background session has no result that was not fetched")));
    WaitFor wait = {session, wanted->id};
    if (wait_any(&wait, 1, timeout) < 0)
        ereport(ERROR, (errcode(ERRCODE_QUERY_CANCELED),
                        errmsg("canceling wait for a background session due to timeout")));
    // Who asked with the wrong column definition list may ask again.
    if (wanted->state == CommandState::kComplete && wanted->last != nullptr)
        check_target(wanted->last, &target);
    take(session, wanted);
    relay_notices(session, wanted);
    if (wanted->state == CommandState::kFailed) raise_error(session, wanted);
    Statement *last = wanted->last;
    ErrorData *error = pg::attempt([last, &target] {
        if (last != nullptr && last->has_rows)
            put_rows(last, &target);
        else if (last != nullptr)
            put_tag(last, &target);
    });
    release(session, wait.id);
    if (error != nullptr) pg::rethrow(error);
}

void return_notifications(FunctionCallInfo fcinfo, Session *session) {
    Target target = open_target(fcinfo);
    while (Notification *got = next_notification(session)) {
        Datum values[3] = {Int32GetDatum(got->pid), CStringGetTextDatum(got->channel),
                           CStringGetTextDatum(got->payload)};
        bool nulls[3] = {};
        tuplestore_putvalues(target.store, target.descriptor, values, nulls);
        free_notification(got);
    }
}

} // namespace pllua_bg::session
