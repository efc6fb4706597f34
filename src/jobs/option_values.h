// Values of options of jobs, checked: the texts, numbers and words that JSON has for them, and
// settings. Owns nothing: all memory is the caller's. All raise pg 22023 that names the option.
#pragma once

#include "pg/server.h"

extern "C" {
#include "utils/jsonb.h"
}

namespace pllua_bg::jobs {

struct Option {
    const char *name;
    const JsonbValue *value;
};

[[noreturn]] void refuse_option(const Option &option, const char *wanted);
// A text that is not empty, of at most so many bytes.
char *name_option(const Option &option, int most);
int64 integer_option(const Option &option, int64 least, int64 most);
// A number of seconds, or the text of an interval. Months have 30 days, as in its epoch.
double seconds_option(const Option &option, double least, double most);
// Which of the words it is; the list ends with nullptr.
int word_option(const Option &option, const char *const *words);

// Calls visit for each setting of an object of settings.
void each_setting(JsonbContainer *object, void (*visit)(const char *name, const char *value));
// Raises where the current user may not set that, now: 42501, 22023, 42704, 55P02.
void check_setting(const char *name, const char *value);
// Sets it until the level of settings ends (NewGUCNestLevel), or for the session.
void set_for_now(const char *name, const char *value);
void set_for_session(const char *name, const char *value);

} // namespace pllua_bg::jobs
