// Memory of Lua interpreters in the server's memory contexts. See memory.h for the contracts.
#include "pg/memory.h"

namespace pllua_bg::pg {

namespace {

void *allocate(MemoryContext context, size_t size) {
    return MemoryContextAllocExtended(context, size, MCXT_ALLOC_NO_OOM | MCXT_ALLOC_HUGE);
}

// Bytes that may be used at block without moving it. The header of a chunk has 24 bytes at most.
// 0 where the server checks that nobody writes beyond the size that was asked for.
size_t room_of([[maybe_unused]] void *block) {
#ifdef MEMORY_CONTEXT_CHECKING
    return 0;
#else
    constexpr size_t kLargestHeader = 24;
    return GetMemoryChunkSpace(block) - kLargestHeader;
#endif
}

} // namespace

void *lua_allocate(void *context, void *block, size_t old_size, size_t new_size) {
    MemoryContext memory = static_cast<MemoryContext>(context);
    if (new_size == 0) {
        if (block != nullptr) pfree(block);
        return nullptr;
    }
    if (block == nullptr) return allocate(memory, new_size);
    // The server rounds chunks up to powers of two: stay where there is room, unless most of it
    // would be wasted.
    const size_t room = room_of(block);
    if (new_size <= room && new_size >= room / 4) return block;
    void *moved = allocate(memory, new_size);
    if (moved == nullptr) return new_size <= old_size ? block : nullptr;
    memcpy(moved, block, old_size < new_size ? old_size : new_size);
    pfree(block);
    return moved;
}

} // namespace pllua_bg::pg
