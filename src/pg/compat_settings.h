// The server's settings as its versions keep them. As compat.h; owns nothing.
#pragma once

#include "pg/server.h"

extern "C" {
#include "utils/guc_tables.h"
}

namespace pllua_bg::pg {

// Calls visit(setting) for each of the server's settings.
// Errors: pg (out of memory), those of visit.
template <typename Visit> void for_each_setting(Visit visit) {
#if PG_VERSION_NUM >= 160000
    int count = 0;
    struct config_generic **settings = get_guc_variables(&count);
    for (int i = 0; i < count; i++) visit(settings[i]);
    pfree(settings);
#else
    struct config_generic **settings = get_guc_variables();
    for (int i = 0; i < GetNumConfigOptions(); i++) visit(settings[i]);
#endif
}

#if PG_VERSION_NUM < 160000
inline char lower_ascii(char letter) {
    return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
}

inline int compare_setting_names(const char *one, const char *other) {
    while (*one != '\0' && lower_ascii(*one) == lower_ascii(*other)) one++, other++;
    if (*one == '\0' || *other == '\0') return (*one != '\0') - (*other != '\0');
    return lower_ascii(*one) - lower_ascii(*other);
}
#endif

// The setting of that name; nullptr when there is none. Errors: none.
inline struct config_generic *find_setting(const char *name) {
#if PG_VERSION_NUM >= 160000
    return find_option(name, false, true, 0);
#else
    struct config_generic **settings = get_guc_variables();
    int from = 0;
    int to = GetNumConfigOptions();
    while (from < to) { // they are in the order of their names, ASCII letters of either case alike
        int middle = (from + to) / 2;
        int order = compare_setting_names(settings[middle]->name, name);
        if (order == 0) return settings[middle];
        if (order < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return nullptr;
#endif
}

// What a setting has because of its type; that must be what the function says. Errors: none.
#if PG_VERSION_NUM >= 190000
inline const struct config_bool *as_boolean(const struct config_generic *setting) {
    return &setting->_bool;
}
inline const struct config_int *as_integer(const struct config_generic *setting) {
    return &setting->_int;
}
inline const struct config_enum *as_enum(const struct config_generic *setting) {
    return &setting->_enum;
}
inline const struct config_string *as_string(const struct config_generic *setting) {
    return &setting->_string;
}
#else
inline const struct config_bool *as_boolean(const struct config_generic *setting) {
    return reinterpret_cast<const struct config_bool *>(setting);
}
inline const struct config_int *as_integer(const struct config_generic *setting) {
    return reinterpret_cast<const struct config_int *>(setting);
}
inline const struct config_enum *as_enum(const struct config_generic *setting) {
    return reinterpret_cast<const struct config_enum *>(setting);
}
inline const struct config_string *as_string(const struct config_generic *setting) {
    return reinterpret_cast<const struct config_string *>(setting);
}
#endif

// The function that checks new values of a setting that is a string. Errors: none.
inline GucStringCheckHook *check_hook_of(struct config_generic *setting) {
    return &const_cast<struct config_string *>(as_string(setting))->check_hook;
}

} // namespace pllua_bg::pg
