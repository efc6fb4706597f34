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
constexpr size_t kClasses = kLargestSmall / kUnit + 1;
constexpr size_t kFirstPiece = 1024;
constexpr size_t kLargestPiece = 64 * 1024;

struct FreeBlock {
    FreeBlock *next;
};

// What small blocks of one size are cut from; its head.
struct Piece {
    Piece *next;
    char *end;
    size_t free; // bytes, while pieces are counted

    char *begin() { return reinterpret_cast<char *>(this + 1); }
    bool has(const void *block) { return block >= this && block < end; }
    bool is_free() { return free == static_cast<size_t>(end - begin()); }
};

// Small blocks of one size.
struct SizeClass {
    FreeBlock *free;
    char *at; // the rest of the latest piece
    char *end;
    size_t piece; // size of the next one
    int pieces;   // how many there were
};

size_t class_of(size_t size) { return (size + kUnit - 1) / kUnit; }

void *allocate_large(MemoryContext context, size_t size) {
    if (!take_room(size)) return nullptr;
    return MemoryContextAllocExtended(context, size, MCXT_ALLOC_NO_OOM | MCXT_ALLOC_HUGE);
}

} // namespace

struct LuaMemory {
    MemoryContext context;
    Piece *pieces;
    size_t taken;   // bytes of pieces and large blocks
    size_t spare;   // bytes of free blocks
    size_t limit;   // for taken; 0: none
    size_t trim_at; // pieces are looked through when so much is taken
    SizeClass classes[kClasses];
};

namespace {

bool is_small(size_t size) { return size <= kLargestSmall; }

void release_small(LuaMemory *memory, void *block, size_t size) {
    auto *freed = static_cast<FreeBlock *>(block);
    SizeClass *kind = &memory->classes[class_of(size)];
    freed->next = kind->free;
    kind->free = freed;
    memory->spare += class_of(size) * kUnit;
}

int by_address(const void *a, const void *b) {
    const Piece *left = *static_cast<Piece *const *>(a);
    const Piece *right = *static_cast<Piece *const *>(b);
    return left < right ? -1 : left > right;
}

// All pieces in the order of their addresses; null when there are none, or no memory.
Piece **sorted_pieces(LuaMemory *memory, size_t *count) {
    *count = 0;
    for (Piece *piece = memory->pieces; piece != nullptr; piece = piece->next) (*count)++;
    if (*count == 0) return nullptr;
    auto **pieces = static_cast<Piece **>(MemoryContextAllocExtended(
        memory->context, sizeof(Piece *) * *count, MCXT_ALLOC_NO_OOM | MCXT_ALLOC_HUGE));
    if (pieces == nullptr) return nullptr;
    Piece **at = pieces;
    for (Piece *piece = memory->pieces; piece != nullptr; piece = piece->next) {
        piece->free = 0;
        *at++ = piece;
    }
    pg_qsort(pieces, *count, sizeof *pieces, by_address);
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

// Calls keep(piece, size) for each free block, and takes those off their list for which it is
// false. Blocks that lie together mostly follow one another.
template <class F> void each_free_block(LuaMemory *memory, Piece **pieces, size_t count, F &&keep) {
    size_t latest = 0;
    for (size_t i = 1; i < kClasses; i++) {
        FreeBlock **link = &memory->classes[i].free;
        while (FreeBlock *block = *link) {
            if (!pieces[latest]->has(block)) latest = find_piece(pieces, count, block);
            // What was larger once may lie elsewhere.
            if (!pieces[latest]->has(block) || keep(pieces[latest], i * kUnit))
                link = &block->next;
            else
                *link = block->next;
        }
    }
}

// Gives back pieces all of whose blocks are free. Of those that are not full yet the rest is not.
void release_free_pieces(LuaMemory *memory) {
    size_t count;
    Piece **pieces = sorted_pieces(memory, &count);
    if (pieces == nullptr) return;
    each_free_block(memory, pieces, count, [](Piece *piece, size_t size) {
        piece->free += size;
        return true;
    });
    each_free_block(memory, pieces, count, [memory](Piece *piece, size_t size) {
        if (piece->is_free()) memory->spare -= size;
        return !piece->is_free();
    });
    pfree(pieces);
    Piece **link = &memory->pieces;
    while (Piece *piece = *link) {
        if (!piece->is_free()) {
            link = &piece->next;
            continue;
        }
        *link = piece->next;
        for (SizeClass &kind : memory->classes)
            if (kind.end == piece->end) kind.at = kind.end = nullptr;
        memory->taken -= static_cast<size_t>(piece->end - reinterpret_cast<char *>(piece));
        pfree(piece);
    }
}

// Whether a piece may be taken beyond the limit: some blocks are of a size that is not wanted just
// now. What the account refuses before that is refused there.
bool has_room(LuaMemory *memory, size_t size) {
    if (memory->limit == 0 || memory->taken + size <= memory->limit) return true;
    if (memory->taken >= memory->trim_at && memory->spare >= memory->taken / 8) {
        release_free_pieces(memory);
        memory->trim_at = memory->taken + memory->limit / 32;
    }
    return memory->taken + size <= memory->limit + memory->limit / 8;
}

bool get_piece(LuaMemory *memory, SizeClass *kind, size_t size) {
    if (kind->piece < kFirstPiece) kind->piece = kFirstPiece;
    auto *piece = has_room(memory, kind->piece)
                      ? static_cast<Piece *>(allocate_large(memory->context, kind->piece))
                      : nullptr;
    if (piece == nullptr) return false;
    piece->next = memory->pieces;
    piece->free = 0;
    memory->pieces = piece;
    kind->at = piece->begin();
    kind->end = piece->end = kind->at + (kind->piece - sizeof(Piece)) / size * size;
    memory->taken += static_cast<size_t>(piece->end - reinterpret_cast<char *>(piece));
    // Few are wasted on sizes that are rare.
    if (++kind->pieces % 4 == 0) kind->piece = Min(kind->piece * 2, kLargestPiece);
    return true;
}

void *allocate(LuaMemory *memory, size_t size) {
    if (!is_small(size)) {
        void *block = allocate_large(memory->context, size);
        if (block != nullptr) memory->taken += size;
        return block;
    }
    SizeClass *kind = &memory->classes[class_of(size)];
    const size_t room = class_of(size) * kUnit;
    if (FreeBlock *block = kind->free) {
        kind->free = block->next;
        memory->spare -= room;
        return block;
    }
    if (kind->at == kind->end && !get_piece(memory, kind, room)) return nullptr;
    void *block = kind->at;
    kind->at += room;
    return block;
}

void release(LuaMemory *memory, void *block, size_t size) {
    if (is_small(size)) {
        release_small(memory, block, size);
        return;
    }
    memory->taken -= size;
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

void trim_lua_memory(void *lua_memory) {
    release_free_pieces(static_cast<LuaMemory *>(lua_memory));
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

void limit_lua_memory(void *lua_memory, size_t limit) {
    auto *memory = static_cast<LuaMemory *>(lua_memory);
    memory->limit = limit;
    memory->trim_at = limit;
}

LuaMemory *make_lua_memory(MemoryContext context) {
    auto *memory = static_cast<LuaMemory *>(MemoryContextAllocZero(context, sizeof(LuaMemory)));
    memory->context = context;
    return memory;
}

void *lua_allocate(void *lua_memory, void *block, size_t old_size, size_t new_size) {
    auto *memory = static_cast<LuaMemory *>(lua_memory);
    if (new_size == 0) {
        if (block != nullptr) release(memory, block, old_size);
        return nullptr;
    }
    if (block == nullptr) return allocate(memory, new_size);
    void *moved = fits(block, old_size, new_size) ? block : allocate(memory, new_size);
    // What shrinks in vain stays where it is; it may become a small block there.
    if (moved == nullptr && new_size <= old_size) moved = block;
    if (moved == nullptr) return nullptr;
    if (moved == block) {
        if (!is_small(old_size)) memory->taken -= old_size;
        if (!is_small(new_size)) memory->taken += new_size;
        return block;
    }
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
