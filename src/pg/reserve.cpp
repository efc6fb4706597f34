// Memory for the time after the operating system has refused some. See reserve.h for the contracts.
//
// It is asked for with malloc, as the server does: what was freed can be had again there, though
// not by mmap. Shared memory is mapped, so it has a reserve of its own. Neither is touched: they
// take address space, and a promise of memory.
#include "pg/reserve.h"

#include <stdlib.h>
#include <sys/mman.h>

extern "C" {
#include "access/xact.h"
}

namespace pllua_bg::pg {

namespace {

constexpr size_t kSize = 8 * 1024 * 1024;
constexpr size_t kMapped = 2 * 1024 * 1024;
// What Lua code leaves of the reserve to the server.
constexpr size_t kLeft = kSize / 2;
// What a later transaction may take of that.
constexpr Size kRoom = 1024 * 1024;
// What nobody has counted takes this much.
constexpr Size kLeast = 8 * 1024;

void *reserve;
void *mapped;
Size room = kRoom;

// Blocks that are not freed at once are not optimised away.
bool can_have(size_t size) {
    void *volatile block = malloc(size);
    free(block);
    return block != nullptr;
}

void keep_mapped() {
    if (mapped != nullptr) return;
    mapped = mmap(nullptr, kMapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) mapped = nullptr;
}

void renew_room(XactEvent event, void *) {
    if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT) room = kRoom;
}

} // namespace

void keep_reserve() {
    if (reserve != nullptr) [[likely]]
        return;
    keep_mapped();
    reserve = malloc(kSize);
    if (can_have(kSize)) return;
    free(reserve);
    reserve = nullptr;
}

void release_reserve() {
    if (reserve == nullptr) return;
    free(reserve);
    reserve = nullptr;
    room = 0;
}

bool may_take(Size bytes) {
    if (reserve != nullptr) [[likely]]
        return true;
    keep_reserve();
    if (reserve != nullptr || can_have(kLeft)) return true;
    const Size taken = Max(bytes, kLeast);
    if (taken > room) return false;
    room -= taken;
    return true;
}

dsm_segment *create_segment(Size size, int flags) {
    if (mapped != nullptr) (void)munmap(mapped, kMapped);
    mapped = nullptr;
    dsm_segment *segment = dsm_create(size, flags);
    keep_mapped();
    return segment;
}

void initialize_reserve() { RegisterXactCallback(renew_room, nullptr); }

} // namespace pllua_bg::pg
