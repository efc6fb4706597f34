// Named points at which a test can make the module fail, wait or end; empty unless built with
// -DPLLUA_BG_FAULTS. Owns the setting pllua_bg.fault of such a build:
// '<point>=error|once|exit|wait|cancel', points separated by commas, `once` an error the first
// time; superusers only may set it.
#pragma once

#include "pg/server.h"

namespace pllua_bg::pg {

#ifdef PLLUA_BG_FAULTS
// Errors: pg, when the setting asks for it. `wait` ends when the setting no longer names the point,
// be it in the configuration files, which it reads all the time, or by an interrupt.
void fault(const char *point);
void define_fault_settings();
#else
inline void fault(const char *) {}
inline void define_fault_settings() {}
#endif

} // namespace pllua_bg::pg
