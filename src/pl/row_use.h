// What the text of a trigger function does with its parameters, as far as reading the text can
// tell. Owns nothing.
#pragma once

#include "pg/server.h"

namespace pllua_bg::pl {

// A row that is a parameter.
struct RowUse {
    bool whole;   // anything may be done with it
    List *fields; // else only these are read and assigned: names, each once
};

struct TriggerUse {
    bool object; // the text has the parameter `trigger`
    RowUse old_row;
    RowUse new_row;
};

// Reads the text of a function whose chunk is well-formed. A row is not `whole` where each time the
// text has its name it is `name.field`, or `return name` outside of other functions. The result is
// in CurrentMemoryContext. Errors: pg (memory).
void read_trigger_use(const char *text, TriggerUse *use);

} // namespace pllua_bg::pl
