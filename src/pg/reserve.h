// Memory kept for the time after the operating system has refused some (ulimit -v, strict
// overcommit): given back then, so that cleaning up, and what comes next, has some. Owns it.
#pragma once

#include "pg/compat_shared.h"
#include "pg/server.h"

extern "C" {
#include "storage/dsm.h"
}

namespace pllua_bg::pg {

// Takes the reserve where it is missing and as much again is left for others. Costs nothing while
// it is there. Errors: none.
void keep_reserve();
// Memory was refused: gives the reserve back. Errors: none.
void release_reserve();
// Takes room for so many bytes more for Lua code: false when they would take what the server needs
// to go on: the reserve was released, and little is left. A transaction may take some nevertheless,
// so that code can let go of what it has. Errors: none.
bool take_room(Size bytes);
// dsm_create() in address space that is kept for it. Errors: pg.
dsm_segment *create_segment(Size size, int flags);
// named_segment() in the same. Errors: pg.
void *map_named_segment(const char *name, Size size, FillSegment fill);

// Called once. Errors: pg.
void initialize_reserve();

} // namespace pllua_bg::pg
