// Dates, times and intervals: what the files datetime*.cpp share. Owns nothing.
#pragma once

#include "types/datum_object.h"

extern "C" {
#include "datatype/timestamp.h"
#include "pgtime.h"
}

namespace pllua_bg::types {

// The date or time that the table at idx, of fields as os.date("*t") has them, or any other value
// makes. Errors: lua. datetime_build.cpp
Datum datetime_from_lua(lua_State *L, int idx, const Type *type);

// A time zone as Lua code names it: a name, an offset in seconds east of Greenwich, or its text as
// ISO 8601 has it (+hh, +hhmm, +hh:mm). The session's where none is given. datetime_zone.cpp
struct Zone {
    bool given;
    const char *name; // null: a number of seconds
    int64 east;
};
// The zone at idx, whose string has to stay. Errors: lua (22007).
Zone read_zone(lua_State *L, int idx);
// Call these inside pg::call. Errors: pg (22023).
pg_tz *find_zone(const Zone &zone);
// Of a zone that is no name: seconds west of Greenwich, as a time with time zone has them.
int fixed_offset(const Zone &zone);
// Seconds west of Greenwich at a local time. Where clocks are turned and a time comes twice, or
// never, isdst says which offset is meant; -1: the server does. Errors: pg (22008).
int offset_at(Timestamp local, pg_tz *zone, int isdst);
// The local time of an instant. Errors: pg (22008).
Timestamp local_time(TimestampTz instant, pg_tz *zone);

} // namespace pllua_bg::types
