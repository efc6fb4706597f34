// Memory for the time after the operating system has refused some. See reserve.h for the contracts.
//
// It is mapped while address space is left, else what malloc has of freed memory will do: the
// server asks malloc. A mapped block that malloc made would, when freed, change how malloc gives
// memory back. Shared memory can only be mapped, so it has a reserve of its own. Neither is
// touched: they take address space, and a promise of memory.
#include "pg/reserve.h"

#include <stdlib.h>
#include <sys/mman.h>

extern "C" {
#include "access/xact.h"
}

namespace pllua_bg::pg {

namespace {

constexpr size_t kSize = 8 * 1024 * 1024;
constexpr size_t kForSegment = 2 * 1024 * 1024;
// What has a name brings the server's list of names, which is mapped until the process ends.
constexpr size_t kForSegments = kHasNamedSegments ? 2 * kForSegment : kForSegment;
// What Lua code leaves of the reserve to the server.
constexpr size_t kLeft = kSize / 2;
// What a later transaction may take of that.
constexpr Size kRoom = 1024 * 1024;
// What nobody has counted takes this much.
constexpr Size kLeast = 8 * 1024;

struct Block {
    void *at; // null: not there
    size_t size;
    bool mapped;
};

Block reserve;
Block for_segments;
Size room = kRoom;

void *map(size_t size) {
    void *at = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return at == MAP_FAILED ? nullptr : at;
}

Block take(size_t size) {
    void *at = map(size);
    return at != nullptr ? Block{at, size, true} : Block{malloc(size), size, false};
}

void give_back(Block *block) {
    if (block->mapped)
        (void)munmap(block->at, block->size);
    else
        free(block->at);
    *block = {};
}

bool can_have(size_t size) {
    Block block = take(size);
    const bool there = block.at != nullptr;
    give_back(&block);
    return there;
}

void keep_for_segments() {
    for (size_t size = kForSegments; for_segments.at == nullptr && size >= kForSegment; size /= 2) {
        void *at = map(size);
        if (at != nullptr) for_segments = {at, size, true};
    }
}

void renew_room(XactEvent event, void *) {
    if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT) room = kRoom;
}

} // namespace

void keep_reserve() {
    if (reserve.at != nullptr) [[likely]]
        return;
    keep_for_segments();
    reserve = take(kSize);
    if (reserve.at != nullptr && !can_have(kSize)) give_back(&reserve);
}

void release_reserve() {
    if (reserve.at == nullptr) return;
    give_back(&reserve);
    room = 0;
}

bool take_room(Size bytes) {
    if (reserve.at != nullptr) [[likely]]
        return true;
    keep_reserve();
    if (reserve.at != nullptr || can_have(kLeft)) return true;
    const Size taken = Max(bytes, kLeast);
    if (taken > room) return false;
    room -= taken;
    return true;
}

dsm_segment *create_segment(Size size, int flags) {
    give_back(&for_segments);
    dsm_segment *segment = dsm_create(size, flags);
    keep_for_segments();
    return segment;
}

void *map_named_segment(const char *name, Size size, FillSegment fill) {
    if (!kHasNamedSegments) return nullptr;
    give_back(&for_segments);
    void *place = named_segment(name, size, fill);
    keep_for_segments();
    return place;
}

void initialize_reserve() { RegisterXactCallback(renew_room, nullptr); }

} // namespace pllua_bg::pg
