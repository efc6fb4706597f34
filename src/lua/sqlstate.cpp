// Lookups in the table of condition names. Codes by binary search, names by a walk: names are rare.
#include "lua/sqlstate.h"

#include <cstring>

#include "lua/sqlstate_table.h"

#include "lua/no_server.h"

namespace pllua_bg::lua {

namespace {

constexpr size_t kCodeLength = 5;

bool has_form_of_code(const char *text) {
    size_t length = 0;
    for (; text[length] != '\0'; length++) {
        char c = text[length];
        if (length == kCodeLength || !((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z')))
            return false;
    }
    return length == kCodeLength;
}

// Success, warning and "no data": classes that are no errors.
bool is_error_code(const char *code) { return code[0] != '0' || code[1] > '2'; }

} // namespace

const char *sqlstate_of(const char *name) {
    if (has_form_of_code(name)) return name;
    const char *found = nullptr;
    for (int i = 0; i < kConditionCount; i++) {
        // Some names stand for two codes; the last error wins, as in pllua.
        const Condition &condition = kConditions[i];
        if ((found == nullptr || is_error_code(condition.code)) &&
            strcmp(condition.name, name) == 0)
            found = condition.code;
    }
    return found;
}

const char *condition_of(const char *sqlstate) {
    int low = 0;
    int high = kConditionCount - 1;
    while (low <= high) {
        int middle = (low + high) / 2;
        int order = strcmp(kConditions[middle].code, sqlstate);
        if (order == 0) return kConditions[middle].name;
        if (order < 0)
            low = middle + 1;
        else
            high = middle - 1;
    }
    return nullptr;
}

const char *category_of(const char *sqlstate) {
    char code[kCodeLength + 1] = "00000";
    for (int i = 0; i < 2 && sqlstate[i] != '\0'; i++) code[i] = sqlstate[i];
    return condition_of(code);
}

} // namespace pllua_bg::lua
