// Work in steps that is gone on with where it failed, when it is called again. Owns nothing.
#pragma once

#include "pg/server.h"

namespace pllua_bg::pg {

using Step = void (*)();

// done: how many steps are done already; it is counted up. Errors: pg, those of the steps.
template <size_t kSteps> void do_rest(const Step (&steps)[kSteps], size_t *done) {
    for (; *done < kSteps; (*done)++) steps[*done]();
}

} // namespace pllua_bg::pg
