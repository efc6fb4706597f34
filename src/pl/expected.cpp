// Tells Lua code of the module bg what columns the running call has to return. Owns nothing.
#include "pl/expected.h"

#include "api/expected.h"
#include "pl/call.h"

namespace pllua_bg::pl {

namespace {

TupleDesc running_row() {
    const Entry *entry = current_entry();
    if (entry == nullptr || entry->site == nullptr) return nullptr;
    const Result &result = entry->site->result;
    return result.kind == ResultKind::kRow ? result.descriptor : nullptr;
}

} // namespace

void install_expected_row() { api::expected_row = running_row; }

} // namespace pllua_bg::pl
