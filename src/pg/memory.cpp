// Memory of Lua interpreters in the server's memory contexts. See memory.h for the contracts.
#include "pg/memory.h"

#include <port/pg_bitutils.h>

#include "pg/reserve.h"

namespace pllua_bg::pg {

namespace {

// Lua tells the size of a block when it gives it back, so small ones need no header: what costs the
// server's allocator 20 ns is two instructions here. Where the server watches its chunks (builds
// for finding errors), each block is one.
#if defined(MEMORY_CONTEXT_CHECKING) || defined(USE_VALGRIND)
constexpr size_t kLargestSmall = 0;
#else
constexpr size_t kLargestSmall = 256;
#endif
constexpr size_t kUnit = 8; // sizes of small blocks are multiples of it
constexpr size_t kFirstPiece = 4 * 1024;
constexpr size_t kLargestPiece = 64 * 1024;

struct FreeBlock {
    FreeBlock *next;
};

size_t class_of(size_t size) { return (size + kUnit - 1) / kUnit; }

void *allocate_large(MemoryContext context, size_t size) {
    if (!take_room(size)) return nullptr;
    return MemoryContextAllocExtended(context, size, MCXT_ALLOC_NO_OOM | MCXT_ALLOC_HUGE);
}

} // namespace

struct LuaMemory {
    MemoryContext context;
    char *at; // the rest of the piece that small blocks are cut from
    char *end;
    size_t piece; // size of the next one
    FreeBlock *free[kLargestSmall / kUnit + 1];
};

namespace {

bool is_small(size_t size) { return size <= kLargestSmall; }

void release_small(LuaMemory *memory, void *block, size_t size) {
    auto *freed = static_cast<FreeBlock *>(block);
    freed->next = memory->free[class_of(size)];
    memory->free[class_of(size)] = freed;
}

bool get_piece(LuaMemory *memory) {
    void *piece = allocate_large(memory->context, memory->piece);
    if (piece == nullptr) return false;
    const auto rest = static_cast<size_t>(memory->end - memory->at);
    if (rest > 0) release_small(memory, memory->at, rest);
    memory->at = static_cast<char *>(piece);
    memory->end = memory->at + memory->piece;
    memory->piece = Min(memory->piece * 2, kLargestPiece);
    return true;
}

void *allocate(LuaMemory *memory, size_t size) {
    if (!is_small(size)) return allocate_large(memory->context, size);
    FreeBlock **list = &memory->free[class_of(size)];
    if (FreeBlock *block = *list) {
        *list = block->next;
        return block;
    }
    const size_t room = class_of(size) * kUnit;
    if (static_cast<size_t>(memory->end - memory->at) < room && !get_piece(memory)) return nullptr;
    void *block = memory->at;
    memory->at += room;
    return block;
}

void release(LuaMemory *memory, void *block, size_t size) {
    if (is_small(size))
        release_small(memory, block, size);
    else
        pfree(block);
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

// True when the block may stay where it is.
bool fits(void *block, size_t old_size, size_t new_size) {
    if (is_small(old_size)) return is_small(new_size) && class_of(old_size) == class_of(new_size);
    if (is_small(new_size)) return false;
    // The server rounds chunks up to powers of two: stay where there is room, unless most of it
    // would be wasted.
    const size_t room = room_of(block);
    return new_size <= room && new_size >= room / 4;
}

} // namespace

LuaMemory *make_lua_memory(MemoryContext context) {
    auto *memory = static_cast<LuaMemory *>(MemoryContextAllocZero(context, sizeof(LuaMemory)));
    memory->context = context;
    memory->piece = kFirstPiece;
    return memory;
}

void *lua_allocate(void *lua_memory, void *block, size_t old_size, size_t new_size) {
    auto *memory = static_cast<LuaMemory *>(lua_memory);
    if (new_size == 0) {
        if (block != nullptr) release(memory, block, old_size);
        return nullptr;
    }
    if (block == nullptr) return allocate(memory, new_size);
    if (fits(block, old_size, new_size)) return block;
    void *moved = allocate(memory, new_size);
    // What shrinks in vain stays where it is; it may become a small block there.
    if (moved == nullptr) return new_size <= old_size ? block : nullptr;
    memcpy(moved, block, old_size < new_size ? old_size : new_size);
    release(memory, block, old_size);
    return moved;
}

size_t lua_memory_cost(size_t size) {
    constexpr size_t kLargestChunk = 8 * 1024; // larger ones are blocks of their own
    if (is_small(size)) return class_of(size) * kUnit;
    return size <= kLargestChunk ? pg_nextpower2_size_t(size) : size;
}

} // namespace pllua_bg::pg
