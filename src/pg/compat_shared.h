// Memory that processes share without preloading, as the server's versions have it. As compat.h;
// owns nothing.
#pragma once

#include "pg/server.h"

extern "C" {
#if PG_VERSION_NUM >= 170000
#include "storage/dsm_registry.h"
#endif
#include "storage/lwlock.h"
}

namespace pllua_bg::pg {

// The memory that all processes know by this name; the first who asks for it fills it. nullptr
// where the server knows none. Mapped as long as the process. Errors: pg.
#if PG_VERSION_NUM >= 170000
inline constexpr bool kHasNamedSegments = true;
#else
inline constexpr bool kHasNamedSegments = false;
#endif
using FillSegment = void (*)(void *place);
inline void *named_segment(const char *name, Size size, FillSegment fill) {
#if PG_VERSION_NUM >= 190000
    bool found;
    return GetNamedDSMSegment(
        name, size,
        [](void *place, void *function) { reinterpret_cast<FillSegment>(function)(place); }, &found,
        reinterpret_cast<void *>(fill));
#elif PG_VERSION_NUM >= 170000
    bool found;
    return GetNamedDSMSegment(name, size, fill, &found);
#else
    (void)name, (void)size, (void)fill;
    return nullptr;
#endif
}

// The number of a new kind of lock; and its name, which other processes may have to be told.
// Errors: pg (19: too many).
inline int new_tranche(const char *name) {
#if PG_VERSION_NUM >= 190000
    return LWLockNewTrancheId(name);
#else
    (void)name;
    return LWLockNewTrancheId();
#endif
}
inline void name_tranche(int tranche, const char *name) {
#if PG_VERSION_NUM < 190000
    LWLockRegisterTranche(tranche, name);
#else
    (void)tranche, (void)name;
#endif
}

} // namespace pllua_bg::pg
