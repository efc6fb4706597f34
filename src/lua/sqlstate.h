// The names of SQLSTATE codes, as PostgreSQL's errcodes.txt has them. Owns a constant table.
#pragma once

namespace pllua_bg::lua {

// The code of a condition name ("division_by_zero" -> "22012"). A text that has the form of a code
// (five characters out of 0-9A-Z) is its own code. Names of warnings are known too, but an error of
// the same name comes first. Null when unknown.
const char *sqlstate_of(const char *name);
// The condition name of a code; null when the code has none.
const char *condition_of(const char *sqlstate);
// The condition name of the code's class ("22012" -> "data_exception");
// null when the class has none.
const char *category_of(const char *sqlstate);

} // namespace pllua_bg::lua
