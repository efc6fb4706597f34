// Jobs as rows: what bg.submit does. Owns nothing.
#pragma once

#include "pg/server.h"

extern "C" {
#include "utils/jsonb.h"
}

namespace pllua_bg::jobs {

// Inserts a job of the current user into the queue, which hears of it when this transaction has
// committed; its id. args, options: nullptr: none. Errors: pg 22023, 42501, 28000 (the role may not
// log in), 55000 (no jobs here), what the statement has wrong, 54000 (too long).
int64 submit(const char *sql, Jsonb *args, Jsonb *options);

} // namespace pllua_bg::jobs
