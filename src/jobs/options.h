// The options of bg.submit, read and checked. Owns nothing: all memory is the caller's.
#pragma once

#include "pg/server.h"

extern "C" {
#include "utils/jsonb.h"
}

namespace pllua_bg::jobs {

// What becomes of other jobs of the same owner and key; as bg.job.key_mode has it.
enum class KeyMode : char { kReplace = 'r', kKeep = 'k', kUnique = 'u' };

struct Options {
    const char *queue = "default";
    const char *key = nullptr;
    KeyMode mode = KeyMode::kReplace;
    bool has_run_at = false; // else: at once
    TimestampTz run_at = 0;
    const char *every = nullptr; // a cron string or an interval
    int16 priority = 0;
    const char *limit_key = nullptr;
    int16 limit = 1;
    int nparents = 0;
    Datum *parents = nullptr; // int8, each once
    bool transaction = true;
    Jsonb *kept = nullptr; // what goes into bg.job.options; nullptr: nothing
};

// Of an object; nullptr: none given. Errors: pg 22023 with the name of the option; what checks of
// settings raise.
void read_options(Jsonb *object, Options *options);

} // namespace pllua_bg::jobs
