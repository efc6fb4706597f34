// Memory of Lua interpreters in the server's memory contexts. See memory.h for the contracts.
#include "pg/memory.h"

#include <port/pg_bitutils.h>

#include "pg/reserve.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

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

// What small blocks are cut from; its head.
struct Piece {
    Piece *next;
    char *end;
    size_t free; // bytes, while trim_lua_memory() counts

    char *begin() { return reinterpret_cast<char *>(this + 1); }
    bool has(const void *block) { return block >= this && block < end; }
    bool is_free() { return free == static_cast<size_t>(end - begin()); }
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
    size_t piece;  // size of the next one
    Piece *pieces; // the one in use first
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
    auto *piece = static_cast<Piece *>(allocate_large(memory->context, memory->piece));
    if (piece == nullptr) return false;
    const auto rest = static_cast<size_t>(memory->end - memory->at);
    if (rest > 0) release_small(memory, memory->at, rest);
    piece->next = memory->pieces;
    piece->end = reinterpret_cast<char *>(piece) + memory->piece;
    memory->pieces = piece;
    memory->at = piece->begin();
    memory->end = piece->end;
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

int by_address(const void *a, const void *b) {
    const Piece *left = *static_cast<Piece *const *>(a);
    const Piece *right = *static_cast<Piece *const *>(b);
    return left < right ? -1 : left > right;
}

// All pieces but the one in use, in the order of their addresses; null when there is no memory.
Piece **sorted_pieces(LuaMemory *memory, size_t *count) {
    *count = 0;
    for (Piece *piece = memory->pieces->next; piece != nullptr; piece = piece->next) (*count)++;
    const size_t size = sizeof(Piece *) * Max(*count, 1);
    auto **pieces = static_cast<Piece **>(
        MemoryContextAllocExtended(memory->context, size, MCXT_ALLOC_NO_OOM | MCXT_ALLOC_HUGE));
    if (pieces == nullptr) return nullptr;
    Piece **at = pieces;
    for (Piece *piece = memory->pieces->next; piece != nullptr; piece = piece->next) {
        piece->free = 0;
        *at++ = piece;
    }
    qsort(pieces, *count, sizeof *pieces, by_address);
    return pieces;
}

// Where the piece of a block is among those, or could be.
size_t find_piece(Piece **pieces, size_t count, const void *block) {
    size_t low = 0, high = count;
    while (high - low > 1) {
        const size_t middle = (low + high) / 2;
        if (static_cast<const void *>(pieces[middle]) <= block)
            low = middle;
        else
            high = middle;
    }
    return low;
}

// Calls keep(piece, size) for each free block that is not of the piece in use, and takes those off
// their list for which it is false. Blocks that lie together mostly follow one another.
template <class F> void each_free_block(LuaMemory *memory, Piece **pieces, size_t count, F &&keep) {
    size_t latest = 0;
    for (size_t i = 1; i < lengthof(memory->free); i++) {
        FreeBlock **link = &memory->free[i];
        while (FreeBlock *block = *link) {
            if (!pieces[latest]->has(block)) latest = find_piece(pieces, count, block);
            if (!pieces[latest]->has(block) || keep(pieces[latest], i * kUnit))
                link = &block->next;
            else
                *link = block->next;
        }
    }
}

void release_free_pieces(LuaMemory *memory, Piece **pieces, size_t count) {
    each_free_block(memory, pieces, count, [](Piece *piece, size_t size) {
        piece->free += size;
        return true;
    });
    each_free_block(memory, pieces, count, [](Piece *piece, size_t) { return !piece->is_free(); });
    Piece **link = &memory->pieces->next;
    while (Piece *piece = *link) {
        if (!piece->is_free()) {
            link = &piece->next;
            continue;
        }
        *link = piece->next;
        pfree(piece);
    }
}

} // namespace

void trim_lua_memory(void *lua_memory) {
    auto *memory = static_cast<LuaMemory *>(lua_memory);
    size_t count;
    Piece **pieces = memory->pieces == nullptr ? nullptr : sorted_pieces(memory, &count);
    if (pieces != nullptr) {
        if (count > 0) release_free_pieces(memory, pieces, count);
        pfree(pieces);
    }
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

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
