// A value of jsonb on its way, as the server's versions build it. As compat.h; owns nothing.
#pragma once

#include "pg/server.h"

extern "C" {
#include "utils/jsonb.h"
}

namespace pllua_bg::pg {

// Begins with all zero. `parseState` is nullptr outside of arrays and objects.
#if PG_VERSION_NUM >= 190000
using JsonbDraft = JsonbInState;
#else
struct JsonbDraft {
    JsonbParseState *parseState; // NOLINT(readability-identifier-naming): the server's
};
#endif

// Adds a part; the whole value after the last, before that nothing of use. Errors: pg.
inline JsonbValue *push_jsonb(JsonbDraft *draft, JsonbIteratorToken token,
                              JsonbValue *part = nullptr) {
#if PG_VERSION_NUM >= 190000
    pushJsonbValue(draft, token, part);
    return draft->result;
#else
    return pushJsonbValue(&draft->parseState, token, part);
#endif
}

} // namespace pllua_bg::pg
