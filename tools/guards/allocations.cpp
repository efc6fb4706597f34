// Makes allocations fail while a call of the module's is running: with CHECK_GUARDS_SEED in the environment at random, the same
// for the same seed and application_name; with `set application_name = 'guards N'` the N-th one after that and the
// next BURST - 1 ('guards N BURST'). At random none fails any more, in any process, once the data directory has a file ENOUGH_MEMORY.
#include "stack.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <execinfo.h>
#include <sys/mman.h>
#include <unistd.h>

extern "C" {
#include "postgres.h"

#include "commands/extension.h"
#include "miscadmin.h"
#include "nodes/memnodes.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#if PG_VERSION_NUM >= 170000
#include "utils/memutils_internal.h"
#endif

void *__libc_malloc(std::size_t);
void *__libc_realloc(void *, std::size_t);
}

// The library is also loaded into programs that the server starts.
#pragma weak TopMemoryContext
#pragma weak ErrorContext
#pragma weak CritSectionCount
#pragma weak creating_extension
#pragma weak MyProcPid
#pragma weak MyBackendType
#pragma weak IsUnderPostmaster
#pragma weak application_name
#pragma weak ExitOnAnyError

namespace guards {

namespace {

MemoryContextMethods real;
std::uint64_t seed;  // 0: nothing fails at random
std::uint64_t state; // of the random numbers
int seeded_in;       // the process they are for: one that has the library from its parent begins anew
long left = -1;      // allocations until one fails; -1: none does
int burst = 1;
const char *known_name;
bool busy;

std::uint64_t next_random() {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

// Small distances are as likely as large ones; a worker shall be able to start.
void choose_next() {
    const unsigned most = MyBackendType == B_BACKEND ? 17 : 21;
    left = static_cast<long>(next_random() % (std::uint64_t{2} << next_random() % most));
    burst = next_random() % 4 == 0 ? 3 : 1;
}

void begin_at_random() {
    seeded_in = MyProcPid;
    state = seed;
    if (MyBackendType != B_BACKEND) state ^= static_cast<std::uint64_t>(MyProcPid) << 20; // or they would all fail at the same place
    for (const char *c = application_name; c != nullptr && *c != '\0'; c++) state = (state ^ static_cast<unsigned char>(*c)) * 0x100000001B3u;
    if (state == 0) state = 1;
    choose_next();
}

void obey_name() {
    known_name = application_name;
    long wanted;
    int wanted_burst = 1;
    if (known_name == nullptr || std::sscanf(known_name, "guards %ld %d", &wanted, &wanted_burst) < 1) {
        left = -1;
        if (seed != 0) begin_at_random();
        return;
    }
    left = wanted;
    burst = wanted_burst;
}

// Where the server forgets what it was at, without us, too.
const char *const weaknesses[] = {
    "LockAcquireExtended", // a lock whose list of owners could not be made is granted later, and written to where the list is not
    "dsm_impl_op",         // the file of a segment stays when there is no memory for zeros to fill it with
    "smgrDoPendingDeletes", // the end of a transaction that is over for others already is begun again
    "pgstat_get_entry_ref", // an entry without a reference stays in the table
    "FreeExprContext",     // with assertions: what has been freed stays in a list, if that cannot be copied
    "AtEOSubXact_PgStat",  // the statistics of a subtransaction have left their stack before they are moved to the parent
    // A setting of ours for which there is no memory ends the process; from 16 on that memory is of a context.
    "DefineCustomBoolVariable", "DefineCustomIntVariable", "DefineCustomRealVariable", "DefineCustomStringVariable", "DefineCustomEnumVariable",
};

bool is_weakness_of_the_server() {
    void *frames[16];
    const int count = backtrace(frames, 16);
    for (int i = 0; i < count; i++) {
        Dl_info where = {};
        if (dladdr(frames[i], &where) == 0 || where.dli_sname == nullptr) continue;
        for (const char *name : weaknesses)
            if (std::strcmp(where.dli_sname, name) == 0) return true;
    }
    return false;
}

// What pg_regress and the suite of examples do before their tests, and what all connections do before they say who they are.
bool is_preparing() {
    if (application_name == nullptr || *application_name == '\0') return MyBackendType == B_BACKEND;
    return std::strcmp(application_name, "pg_regress") == 0 || std::strcmp(application_name, "examples") == 0;
}

// Every process of the server is in the data directory.
bool is_enough() { return seed != 0 && access("ENOUGH_MEMORY", F_OK) == 0; }

bool is_excused(MemoryContext context) {
    // The server keeps room for errors, and means to stop when memory is short in a critical section, or before it has begun; from 17 on
    // also where it begins a subtransaction of ours (BeginInternalSubTransaction).
    // Without their database and the extensions in it there are no tests.
    return CritSectionCount > 0 || ExitOnAnyError || context == ErrorContext || !IsUnderPostmaster || creating_extension || is_preparing();
}

bool should_fail(Size size, MemoryContext context) {
    if (busy) return false;
    if (seed != 0 && seeded_in != MyProcPid) begin_at_random();
    if (application_name != known_name) obey_name();
    if (left < 0 || is_excused(context) || !inside_module(reinterpret_cast<Address>(__builtin_frame_address(0)))) return false;
    if (left > 0) {
        left--;
        return false;
    }
    if (is_enough()) {
        choose_next();
        return false;
    }
    busy = true;
    if (is_weakness_of_the_server()) {
        busy = false;
        return false; // the next one
    }
    left = -1;
    say("an allocation of %zu bytes fails", static_cast<std::size_t>(size));
    if (std::getenv("CHECK_GUARDS_STACKS") != nullptr) say_stack();
    busy = false;
    if (--burst > 0)
        left = 0;
    else if (seed != 0)
        choose_next();
    return true;
}

#if PG_VERSION_NUM >= 170000
void *failing_alloc(MemoryContext context, Size size, int flags) {
    return should_fail(size, context) ? MemoryContextAllocationFailure(context, size, flags) : real.alloc(context, size, flags);
}
void *failing_realloc(void *block, Size size, int flags) {
    return should_fail(size, nullptr) ? MemoryContextAllocationFailure(GetMemoryChunkContext(block), size, flags)
                                      : real.realloc(block, size, flags);
}
#else
void *failing_alloc(MemoryContext context, Size size) { return should_fail(size, context) ? nullptr : real.alloc(context, size); }
#if PG_VERSION_NUM >= 160000
void *failing_realloc(void *block, Size size) { return should_fail(size, nullptr) ? nullptr : real.realloc(block, size); }
#else
void *failing_realloc(MemoryContext context, void *block, Size size) {
    return should_fail(size, context) ? nullptr : real.realloc(context, block, size);
}
#endif
#endif

bool is_the_servers(const void *caller) { return server.has(reinterpret_cast<Address>(caller)); }

} // namespace

void watch_allocations() {
    auto *methods = const_cast<MemoryContextMethods *>(TopMemoryContext->methods);
    const auto page = static_cast<Address>(sysconf(_SC_PAGESIZE));
    const Address low = reinterpret_cast<Address>(methods) & ~(page - 1);
    if (mprotect(reinterpret_cast<void *>(low), 2 * page, PROT_READ | PROT_WRITE) != 0) fail("memory contexts cannot be watched");
    real = *methods;
    methods->alloc = failing_alloc;
    methods->realloc = failing_realloc;
    if (const char *wanted = std::getenv("CHECK_GUARDS_SEED")) seed = static_cast<std::uint64_t>(std::atol(wanted)) * 0x9E3779B97F4A7C15u;
}

} // namespace guards

// Blocks of memory contexts, and what the server allocates without them.
extern "C" [[gnu::visibility("default")]] void *malloc(std::size_t size) {
    if (guards::is_the_servers(__builtin_return_address(0)) && guards::should_fail(size, nullptr)) return nullptr;
    return __libc_malloc(size);
}
extern "C" [[gnu::visibility("default")]] void *realloc(void *block, std::size_t size) {
    if (guards::is_the_servers(__builtin_return_address(0)) && guards::should_fail(size, nullptr)) return nullptr;
    return __libc_realloc(block, size);
}
