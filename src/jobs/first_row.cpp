// What a job has returned. See first_row.h for the contracts.
#include "jobs/first_row.h"

#include "pg/cast.h"
#include "pg/guard.h"
#include "pg/subxact.h"

extern "C" {
#include "access/detoast.h"
#include "executor/tuptable.h"
#include "utils/fmgroids.h"
}

namespace pllua_bg::jobs {

namespace {

constexpr Size kMostBytes = 1024 * 1024;

FirstRow *row_of(DestReceiver *receiver) { return reinterpret_cast<FirstRow *>(receiver); }

// Each statement announces its rows anew.
void startup(DestReceiver *receiver, int, TupleDesc descriptor) {
    FirstRow *row = row_of(receiver);
    MemoryContext previous = MemoryContextSwitchTo(row->context);
    row->descriptor = CreateTupleDescCopy(descriptor);
    row->tuple = nullptr;
    MemoryContextSwitchTo(previous);
}

bool receive(TupleTableSlot *slot, DestReceiver *receiver) {
    FirstRow *row = row_of(receiver);
    if (row->tuple != nullptr) return true;
    MemoryContext previous = MemoryContextSwitchTo(row->context);
    row->tuple = ExecCopySlotHeapTuple(slot);
    MemoryContextSwitchTo(previous);
    return true;
}

void end(DestReceiver *) {}

// As it will be without compression.
Size raw_size(const FirstRow *row) {
    Size size = 0;
    for (int i = 0; i < row->descriptor->natts; i++) {
        bool isnull;
        const Datum value = heap_getattr(row->tuple, i + 1, row->descriptor, &isnull);
        if (!isnull && TupleDescAttr(row->descriptor, i)->attlen == -1)
            size += toast_raw_datum_size(value);
    }
    return size;
}

pg::TypedValue value_of(const FirstRow *row) {
    pg::TypedValue value = {RECORDOID, false, 0};
    if (row->descriptor->natts == 1) {
        value.type = TupleDescAttr(row->descriptor, 0)->atttypid;
        value.value = heap_getattr(row->tuple, 1, row->descriptor, &value.isnull);
        if (value.type == VOIDOID) value.isnull = true;
    } else {
        value.value = heap_copy_tuple_as_datum(row->tuple, BlessTupleDesc(row->descriptor));
    }
    return value;
}

// The work is done: a value that is no JSON does not undo it.
bool convert(pg::TypedValue *value, const char **note) {
    MemoryContext memory = CurrentMemoryContext;
    pg::Subtransaction own;
    pg::begin_subtransaction(&own);
    ErrorData *error = pg::attempt([value, memory] {
        MemoryContextSwitchTo(memory);
        pg::call_function(F_TO_JSONB, value, JSONBOID);
    });
    ErrorData *failed = pg::end_subtransaction(&own, error == nullptr);
    if (error == nullptr) error = failed;
    if (error == nullptr) return true;
    if (pg::is_final(error)) pg::rethrow(error);
    *note = psprintf("the result is no JSON: %s", error->message);
    pg::free_error(error);
    return false;
}

} // namespace

void init_first_row(FirstRow *row) {
    *row = {};
    row->receiver.rStartup = startup;
    row->receiver.receiveSlot = receive;
    row->receiver.rShutdown = end;
    row->receiver.rDestroy = end;
    row->receiver.mydest = DestNone;
    row->context = CurrentMemoryContext;
}

Jsonb *row_as_json(const FirstRow *row, const char **note) {
    *note = nullptr;
    if (row->tuple == nullptr || row->descriptor->natts == 0) return nullptr;
    Size size = raw_size(row);
    if (size <= kMostBytes) {
        pg::TypedValue value = value_of(row);
        if (value.isnull || !convert(&value, note)) return nullptr;
        Jsonb *json = DatumGetJsonbP(value.value);
        size = VARSIZE(json);
        if (size <= kMostBytes) return json;
    }
    *note = psprintf("the result has %zu bytes, more than the 1 MB that is kept", size);
    return nullptr;
}

} // namespace pllua_bg::jobs
