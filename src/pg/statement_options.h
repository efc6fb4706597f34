// The options of a parsed statement of SQL, a list of DefElem. Owns nothing.
#pragma once

#include "pg/server.h"

extern "C" {
#include "commands/defrem.h"
#include "nodes/parsenodes.h"
}

namespace pllua_bg::pg {

// The text of an option; `otherwise` when it is not there or has no value. Errors: pg (22023).
inline const char *text_option(List *options, const char *name, const char *otherwise) {
    ListCell *cell;
    foreach (cell, options) {
        auto *element = static_cast<DefElem *>(lfirst(cell));
        if (strcmp(element->defname, name) == 0)
            return element->arg == nullptr ? otherwise : defGetString(element);
    }
    return otherwise;
}

// True where CONCURRENTLY is among them, and not off. Errors: pg (42601).
inline bool is_concurrent(List *options) {
    bool concurrent = false;
    ListCell *cell;
    foreach (cell, options) {
        auto *element = static_cast<DefElem *>(lfirst(cell));
        if (strcmp(element->defname, "concurrently") == 0) concurrent = defGetBoolean(element);
    }
    return concurrent;
}

} // namespace pllua_bg::pg
