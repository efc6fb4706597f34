// Sets of rows for the SQL functions of sessions.
// Owns nothing beyond the tuplestores it hands to the executor.
#include "sql/result.h"

#include "pg/guard.h"
#include "session/shared/row_definition.h"

extern "C" {
#include "executor/tuptable.h"
#include "parser/parse_coerce.h"
#include "utils/inval.h"
#include "utils/tuplestore.h"
}

namespace pllua_bg::sql {

namespace {

[[noreturn]] void type_mismatch(const char *detail) {
    ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
                    errmsg("result rowtype does not match the specified FROM clause rowtype"),
                    errdetail("%s", detail)));
    pg_unreachable();
}

// Finds out which columns came in binary and have a type that is defined otherwise here.
void settle_columns(const session::StatementResult *statement) {
    AcceptInvalidationMessages();
    for (int i = 0; i < statement->ncolumns; i++) {
        session::Column *column = &statement->columns[i];
        column->type = session::type_here(*column);
        if (column->as_text || column->definitions_length == 0) continue;
        session::RowDefinition *there =
            session::read_definitions(column->definitions, column->definitions_length);
        column->foreign =
            session::definitions_hold(there, session::is_own_worker) ? nullptr : there;
    }
}

bool is_text(Oid type) { return type == TEXTOID || type == VARCHAROID; }

// True when a column is what is wanted, without conversion.
bool same_type(const session::Column *column, Oid wanted) {
    return column->as_text || column->foreign != nullptr ? is_text(wanted)
                                                         : IsBinaryCoercible(column->type, wanted);
}

// True for a column of a type that no column definition list can have, such as void.
bool is_pseudo(const session::Column *column) {
    return !column->as_text && column->foreign == nullptr && column->type < FirstNormalObjectId &&
           get_typtype(column->type) == TYPTYPE_PSEUDO;
}

// Input functions for the columns that came as text and are wanted as what they are, output
// functions for those whose types can be read as text only; InvalidOid elsewhere.
FmgrInfo *match_columns(const session::StatementResult *statement, TupleDesc wanted,
                        Oid **elements) {
    if (wanted->natts != statement->ncolumns)
        type_mismatch(psprintf("The result has %d columns, the column definition list has %d.",
                               statement->ncolumns, wanted->natts));
    auto *inputs = static_cast<FmgrInfo *>(palloc0(sizeof(FmgrInfo) * wanted->natts + 1));
    *elements = static_cast<Oid *>(palloc0(sizeof(Oid) * wanted->natts + 1));
    for (int i = 0; i < wanted->natts; i++) {
        const session::Column *column = &statement->columns[i];
        Oid type = TupleDescAttr(wanted, i)->atttypid;
        if (same_type(column, type)) continue;
        if (is_pseudo(column) && is_text(type)) {
            bool is_varlena;
            Oid function;
            getTypeOutputInfo(column->type, &function, &is_varlena);
            fmgr_info(function, &inputs[i]);
            continue;
        }
        if (is_pseudo(column) || column->foreign != nullptr ||
            (column->as_text && (type != column->type || type == RECORDOID)))
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

void convert_row(TupleTableSlot *slot, const session::Column *columns, const FmgrInfo *inputs,
                 const Oid *elements) {
    for (int i = 0; i < slot->tts_tupleDescriptor->natts; i++) {
        if (slot->tts_isnull[i]) continue;
        if (columns[i].foreign != nullptr)
            slot->tts_values[i] = CStringGetTextDatum(
                session::text_by_definition(slot->tts_values[i], columns[i].foreign));
        if (!OidIsValid(inputs[i].fn_oid)) continue;
        if (is_pseudo(&columns[i])) {
            slot->tts_values[i] = CStringGetTextDatum(
                OutputFunctionCall(const_cast<FmgrInfo *>(&inputs[i]), slot->tts_values[i]));
            continue;
        }
        char *form = TextDatumGetCString(slot->tts_values[i]);
        slot->tts_values[i] = session::read_text(columns[i], const_cast<FmgrInfo *>(&inputs[i]),
                                                 form, elements[i], -1);
    }
}

// True when the tuples of the statement are tuples of the target as they are.
bool same_layout(const session::StatementResult *statement, TupleDesc wanted) {
    if (wanted->natts != statement->ncolumns) return false;
    for (int i = 0; i < wanted->natts; i++) {
        Form_pg_attribute from = TupleDescAttr(statement->descriptor, i);
        Form_pg_attribute to = TupleDescAttr(wanted, i);
        if (statement->columns[i].foreign != nullptr ||
            !same_type(&statement->columns[i], to->atttypid) || from->attlen != to->attlen ||
            from->attbyval != to->attbyval || from->attalign != to->attalign)
            return false;
    }
    return true;
}

// Puts the rows that the reader has; they are as they are wanted.
void put_plain(session::TupleReader *reader, TupleTableSlot *slot, const Target *target) {
    while (MinimalTuple tuple = session::next_tuple(reader)) {
        ExecStoreMinimalTuple(tuple, slot, false);
        tuplestore_puttupleslot(target->store, slot);
        CHECK_FOR_INTERRUPTS();
    }
}

void put_converted(TupleTableSlot *slot, const Target *target, const session::Column *columns,
                   const FmgrInfo *inputs, const Oid *elements) {
    slot_getallattrs(slot);
    convert_row(slot, columns, inputs, elements);
    tuplestore_putvalues(target->store, target->descriptor, slot->tts_values, slot->tts_isnull);
}

void put_rows(session::StatementResult *statement, const Target *target) {
    TupleTableSlot *slot = MakeSingleTupleTableSlot(statement->descriptor, &TTSOpsMinimalTuple);
    session::TupleReader *reader = session::open_reader(statement, CurrentMemoryContext);
    settle_columns(statement);
    if (same_layout(statement, target->descriptor)) {
        put_plain(reader, slot, target);
    } else {
        Oid *elements;
        const FmgrInfo *inputs = match_columns(statement, target->descriptor, &elements);
        MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "pllua_bg result row",
                                                      ALLOCSET_DEFAULT_SIZES);
        while (MinimalTuple tuple = session::next_tuple(reader)) {
            MemoryContext old = MemoryContextSwitchTo(scratch);
            ExecStoreMinimalTuple(tuple, slot, false);
            put_converted(slot, target, statement->columns, inputs, elements);
            MemoryContextSwitchTo(old);
            MemoryContextReset(scratch);
            CHECK_FOR_INTERRUPTS();
        }
        MemoryContextDelete(scratch);
    }
    session::close_reader(reader);
    ExecDropSingleTupleTableSlot(slot);
}

// Raises unless the rows, or the tag, fit the target.
void check_target(const session::StatementResult *statement, const Target *target) {
    TupleDesc wanted = target->descriptor;
    Oid *elements;
    settle_columns(statement);
    if (statement->has_rows)
        (void)match_columns(statement, wanted, &elements);
    else if (wanted->natts != 1 || TupleDescAttr(wanted, 0)->atttypid != TEXTOID)
        type_mismatch("The statement returns no rows; its command tag is one column of type text.");
}

void put_tag(const session::StatementResult *statement, const Target *target) {
    TupleDesc wanted = target->descriptor;
    Datum value = CStringGetTextDatum(statement->tag);
    bool isnull = false;
    tuplestore_putvalues(target->store, wanted, &value, &isnull);
}

// Raises the error of a failed command again, after forgetting the command.
[[noreturn]] void raise_error(session::Session *session, session::Command *command) {
    // The position counts in the command's text, not in that of the statement
    // that asks for the result.
    if (command->error->cursorpos > 0 && command->error->internalquery == nullptr) {
        command->error->internalpos = command->error->cursorpos;
        command->error->internalquery = command->sql;
        command->error->cursorpos = 0;
    }
    ErrorData *error = pg::attempt([command] { ThrowErrorData(command->error); });
    session::release(session, command->id);
    pg::rethrow(error);
}

void wait_or_raise(const session::WaitFor &wait, double timeout) {
    if (session::wait_any(&wait, 1, timeout) < 0)
        ereport(ERROR, (errcode(ERRCODE_QUERY_CANCELED),
                        errmsg("canceling wait for a background session due to timeout")));
}

// Seconds until then; negative for no limit.
double seconds_until(double timeout, TimestampTz end) {
    return timeout < 0 ? timeout : static_cast<double>(Max(end - GetCurrentTimestamp(), 0)) / 1e6;
}

// Waits for the command, and puts the rows of its first statement while they come: the session
// keeps them, too, in case that we are interrupted. True when these were all there is to put.
bool put_meanwhile(session::Session *session, const session::Command *wanted, const Target *target,
                   double timeout) {
    const TimestampTz end = GetCurrentTimestamp() + static_cast<int64>(Min(timeout, 1e9) * 1e6);
    session::WaitFor wait = {session, wanted->id, true};
    wait_or_raise(wait, timeout);
    session::StatementResult *first = wanted->statements.first;
    if (first != nullptr) settle_columns(first);
    if (wanted->state != session::CommandState::kPending || !first->has_rows ||
        !same_layout(first, target->descriptor)) {
        wait.rows = false;
        wait_or_raise(wait, seconds_until(timeout, end));
        return false;
    }
    TupleTableSlot *slot = MakeSingleTupleTableSlot(first->descriptor, &TTSOpsMinimalTuple);
    wait.reader = session::open_reader(first, CurrentMemoryContext);
    while (wanted->state == session::CommandState::kPending) {
        put_plain(wait.reader, slot, target);
        wait_or_raise(wait, seconds_until(timeout, end));
    }
    put_plain(wait.reader, slot, target);
    session::close_reader(wait.reader);
    ExecDropSingleTupleTableSlot(slot);
    if (wanted->state == session::CommandState::kComplete && wanted->statements.last == first)
        return true;
    tuplestore_clear(target->store);
    return false;
}

} // namespace

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

void return_result(FunctionCallInfo fcinfo, session::Session *session, double timeout) {
    Target target = open_target(fcinfo);
    session::Command *wanted = session::newest_untaken(session);
    if (wanted == nullptr)
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
                        errmsg("background session has no result that was not fetched")));
    const session::CommandId id = wanted->id;
    session::unpack(session, wanted);
    const bool done = put_meanwhile(session, wanted, &target, timeout);
    // Who asked with the wrong column definition list may ask again.
    if (wanted->state == session::CommandState::kComplete && wanted->statements.last != nullptr)
        check_target(wanted->statements.last, &target);
    session::take(session, wanted);
    session::relay_notices(session, wanted);
    if (wanted->state == session::CommandState::kFailed) raise_error(session, wanted);
    session::StatementResult *last = wanted->statements.last;
    ErrorData *error = pg::attempt([last, &target, done] {
        if (done) return;
        if (last != nullptr && last->has_rows)
            put_rows(last, &target);
        else if (last != nullptr)
            put_tag(last, &target);
    });
    session::release(session, id);
    if (error != nullptr) pg::rethrow(error);
}

void return_notifications(FunctionCallInfo fcinfo, session::Session *session) {
    Target target = open_target(fcinfo);
    while (session::Notification *got = session::next_notification(session)) {
        Datum values[3] = {Int32GetDatum(got->pid), CStringGetTextDatum(got->channel),
                           CStringGetTextDatum(got->payload)};
        bool nulls[3] = {};
        tuplestore_putvalues(target.store, target.descriptor, values, nulls);
        session::free_notification(got);
    }
}

} // namespace pllua_bg::sql
