// Rows on their way from the executor to Lua. See rows.h for the contracts.
#include "api/spi/rows.h"

#include "lua/state.h"

extern "C" {
#include "access/detoast.h"
#include "executor/tuptable.h"
#include "utils/datum.h"
}

namespace pllua_bg::api {

struct RowBlock {
    RowBlock *before;
    RowBlock *after;
    int ncolumns;
    int used;
    int capacity;
    Datum *values; // capacity * ncolumns
    bool *nulls;
};

namespace {

constexpr int kFirstCapacity = 4;
constexpr int kMaxCapacity = 1024;
// Bytes by which a store grows between two looks at the account.
constexpr Size kStep = 128 * 1024;

RowStore *store_of(DestReceiver *receiver) { return reinterpret_cast<RowStore *>(receiver); }

// A command of several statements announces rows several times: the last one counts.
void startup(DestReceiver *receiver, int, TupleDesc descriptor) {
    RowStore *store = store_of(receiver);
    store->blocks = {};
    store->count = 0;
    if (store->expected != nullptr && equalTupleDescs(store->expected, descriptor)) {
        store->descriptor = store->expected;
        return;
    }
    MemoryContext previous = MemoryContextSwitchTo(store->context);
    store->descriptor = CreateTupleDescCopy(descriptor);
    MemoryContextSwitchTo(previous);
}

// Counts what the store has, and as much for the Lua values that are to be made of it.
void check_account(RowStore *store, Size size) {
    lua::take_external(lua::interp(store->L), size - store->counted);
    store->counted = size;
    if (lua::account_would_exceed(store->L, size))
        ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY),
                        errmsg("the rows of the result exceed the memory limit"),
                        errhint("Iterate with spi.rows, which holds few rows at a time.")));
}

RowBlock *add_block(RowStore *store) {
    const int capacity = store->blocks.last == nullptr
                             ? kFirstCapacity
                             : Min(store->blocks.last->capacity * 4, kMaxCapacity);
    const int ncolumns = store->descriptor->natts;
    const Size cells = static_cast<Size>(capacity) * static_cast<Size>(ncolumns);
    const Size size = MAXALIGN(sizeof(RowBlock)) + cells * (sizeof(Datum) + sizeof(bool));
    auto *block = static_cast<RowBlock *>(MemoryContextAllocHuge(store->context, size));
    block->ncolumns = ncolumns;
    block->used = 0;
    block->capacity = capacity;
    block->values =
        reinterpret_cast<Datum *>(reinterpret_cast<char *>(block) + MAXALIGN(sizeof(RowBlock)));
    block->nulls = reinterpret_cast<bool *>(block->values + cells);
    store->blocks.append(block);
    return block;
}

// Values stored out of line are fetched now: later the snapshot that can see them may be gone.
Datum copy_value(Datum value, int16 length) {
    if (length == -1) {
        auto *pointer = reinterpret_cast<struct varlena *>(DatumGetPointer(value));
        if (VARATT_IS_EXTERNAL(pointer) && !VARATT_IS_EXTERNAL_EXPANDED(pointer))
            return PointerGetDatum(detoast_external_attr(pointer));
    }
    return datumCopy(value, false, length);
}

bool receive(TupleTableSlot *slot, DestReceiver *receiver) {
    RowStore *store = store_of(receiver);
    RowBlock *block = store->blocks.last;
    if (block == nullptr || block->used == block->capacity) block = add_block(store);
    slot_getallattrs(slot);
    const Size first = static_cast<Size>(block->used) * static_cast<Size>(block->ncolumns);
    Datum *values = block->values + first;
    bool *nulls = block->nulls + first;
    MemoryContext previous = MemoryContextSwitchTo(store->context);
    for (int i = 0; i < block->ncolumns; i++) {
        Form_pg_attribute column = TupleDescAttr(store->descriptor, i);
        nulls[i] = slot->tts_isnull[i];
        if (nulls[i] || column->attbyval)
            values[i] = slot->tts_values[i];
        else
            values[i] = copy_value(slot->tts_values[i], column->attlen);
    }
    MemoryContextSwitchTo(previous);
    block->used++;
    store->count++;
    const Size size = MemoryContextMemAllocated(store->context, false);
    if (size > store->counted + kStep) check_account(store, size);
    return true;
}

void shutdown(DestReceiver *) {}

} // namespace

void prepare_store(RowStore *store, lua_State *L, MemoryContext context, TupleDesc expected) {
    store->receiver.receiveSlot = receive;
    store->receiver.rStartup = startup;
    store->receiver.rShutdown = shutdown;
    store->receiver.rDestroy = shutdown;
    store->receiver.mydest = DestTuplestore;
    store->context = context;
    store->L = L;
    store->expected = expected;
    store->descriptor = nullptr;
    store->blocks = {};
    store->count = 0;
}

void start_reading(RowReader *reader, const RowStore *store) {
    reader->block = store->blocks.first;
    reader->index = 0;
}

bool next_row(RowReader *reader) {
    const RowBlock *block = reader->block;
    if (block != nullptr && reader->index == block->used) {
        block = reader->block = block->after;
        reader->index = 0;
    }
    if (block == nullptr) return false;
    const Size first = static_cast<Size>(reader->index) * static_cast<Size>(block->ncolumns);
    reader->values = block->values + first;
    reader->nulls = block->nulls + first;
    reader->index++;
    return true;
}

} // namespace pllua_bg::api
