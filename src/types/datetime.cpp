// Dates, times and intervals as Lua sees them: d.year, d.epoch, ..., d:as_table(). Owns nothing.
#include "types/datetime.h"
#include "types/numeric.h"

#include "lua/fields.h"
#include "pg/guard.h"

#include <cmath>

extern "C" {
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/datum.h"
#include "utils/numeric.h"
}

namespace pllua_bg::types {

namespace {

struct Unit {
    const char *server; // the server's name of the field
    int factor;         // the value is multiplied by it
    bool whole;         // rounded to an integer
};

Unit unit_of(const char *name) {
    if (strcmp(name, "epoch_usec") == 0) return {"epoch", 1000000, true};
    if (strcmp(name, "epoch_msec") == 0) return {"epoch", 1000, false};
    if (strcmp(name, "epoch") == 0) return {"epoch", 1, false};
    if (strcmp(name, "second") == 0) return {"second", 1, false};
    if (strcmp(name, "isoweek") == 0) return {"week", 1, true};
    return {name, 1, true};
}

PGFunction extractor(Oid type) {
    switch (type) {
    case TIMEOID: return extract_time;
    case TIMETZOID: return extract_timetz;
    case TIMESTAMPTZOID: return extract_timestamptz;
    case INTERVALOID: return extract_interval;
    default: return extract_timestamp;
    }
}

// The field as a numeric; false when it is null (of an infinite value). Call inside pg::call.
// Errors: pg (22023, 0A000).
bool extract_field(Oid type, Datum value, const Unit &unit, Datum *result) {
    const Scratch scratch = enter_scratch();
    if (type == DATEOID) value = DirectFunctionCall1(date_timestamp, value);
    LOCAL_FCINFO(call, 2);
    InitFunctionCallInfoData(*call, nullptr, 2, InvalidOid, nullptr, nullptr);
    call->args[0].value = PointerGetDatum(cstring_to_text(unit.server));
    call->args[0].isnull = false;
    call->args[1].value = value;
    call->args[1].isnull = false;
    Datum field = extractor(type)(call);
    if (!call->isnull && unit.factor != 1)
        field =
            DirectFunctionCall2(numeric_mul, field, NumericGetDatum(int64_to_numeric(unit.factor)));
    leave_scratch(scratch);
    if (!call->isnull) *result = datumCopy(field, false, -1);
    end_scratch(scratch);
    return !call->isnull;
}

void push_field(lua_State *L, const DatumObject *object, const char *name) {
    const Unit unit = unit_of(name);
    Datum result = 0;
    bool found = false;
    pg::call_own_subxact(
        L, [&] { found = extract_field(object->type->oid, object->value, unit, &result); });
    if (!found) {
        lua_pushnil(L);
        return;
    }
    lua_Integer integer;
    if (unit.whole && numeric_to_integer(result, &integer))
        lua_pushinteger(L, integer);
    else if (unit.whole && lua_numbertointeger(rint(numeric_to_double(result)), &integer))
        lua_pushinteger(L, integer); // where a double is too narrow the value has no fraction
    else
        lua_pushnumber(L, numeric_to_double(result));
    pfree(DatumGetPointer(result));
}

// What as_table() shows.
struct Parts {
    struct pg_tm time;
    fsec_t fraction;
    int zone; // seconds west of Greenwich
    char abbreviation[MAXTZLEN + 1];
    bool finite;
};

void split_timestamp(Timestamp value, Parts *parts) {
    parts->finite = !TIMESTAMP_NOT_FINITE(value);
    if (parts->finite &&
        timestamp2tm(value, nullptr, &parts->time, &parts->fraction, nullptr, nullptr) != 0)
        ereport(ERROR, errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
                errmsg("timestamp out of range"));
}

void split_timestamptz(TimestampTz value, const Zone &named, Parts *parts) {
    parts->finite = !TIMESTAMP_NOT_FINITE(value);
    pg_tz *zone = find_zone(named);
    if (!parts->finite) return;
    const char *abbreviation = nullptr;
    if (timestamp2tm(value, &parts->zone, &parts->time, &parts->fraction, &abbreviation, zone) != 0)
        ereport(ERROR, errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
                errmsg("timestamp out of range"));
    if (abbreviation != nullptr)
        strlcpy(parts->abbreviation, abbreviation, sizeof parts->abbreviation);
}

// Call inside pg::call. Errors: pg.
void split(Oid type, Datum value, const Zone &zone, Parts *parts) {
    parts->finite = true;
    TimeTzADT *with_zone;
    switch (type) {
    case DATEOID:
        split_timestamp(DatumGetTimestamp(DirectFunctionCall1(date_timestamp, value)), parts);
        break;
    case TIMEOID: time2tm(DatumGetTimeADT(value), &parts->time, &parts->fraction); break;
    case TIMETZOID:
        with_zone = DatumGetTimeTzADTP(value);
        timetz2tm(with_zone, &parts->time, &parts->fraction, &parts->zone);
        break;
    case TIMESTAMPOID: split_timestamp(DatumGetTimestamp(value), parts); break;
    case TIMESTAMPTZOID: split_timestamptz(DatumGetTimestampTz(value), zone, parts); break;
    default: {
        struct pg_itm whole;
        interval2itm(*DatumGetIntervalP(value), &whole);
        parts->time.tm_year = whole.tm_year;
        parts->time.tm_mon = whole.tm_mon;
        parts->time.tm_mday = whole.tm_mday;
        parts->time.tm_hour = static_cast<int>(whole.tm_hour);
        parts->time.tm_min = whole.tm_min;
        parts->time.tm_sec = whole.tm_sec;
        parts->fraction = whole.tm_usec;
    }
    }
}

void set_field(lua_State *L, const char *name, lua_Integer value) {
    lua::set_integer(L, name, value);
}

int as_table(lua_State *L) {
    const DatumObject *object = check_object(L, 1, kDatetimeFamily);
    const Zone zone = lua_isnoneornil(L, 2) ? Zone{} : read_zone(L, 2);
    const Oid type = object->type->oid;
    if (zone.given && type != TIMESTAMPTZOID)
        lua::raise(L, "22023", "cannot specify a time zone for type %s", push_type_name(L, type));
    Parts parts = {};
    pg::call_own_subxact(L, [&] { split(type, object->value, zone, &parts); });
    lua_createtable(L, 0, 10);
    if (!parts.finite) {
        push_field(L, object, "epoch");
        lua_setfield(L, -2, "epoch");
        return 1;
    }
    if (type != TIMEOID && type != TIMETZOID) {
        set_field(L, "year", parts.time.tm_year);
        set_field(L, "month", parts.time.tm_mon);
        set_field(L, "day", parts.time.tm_mday);
    }
    if (type != DATEOID) {
        set_field(L, "hour", parts.time.tm_hour);
        set_field(L, "min", parts.time.tm_min);
        set_field(L, "sec", parts.time.tm_sec);
        set_field(L, "usec", parts.fraction);
    }
    if (type == TIMETZOID || type == TIMESTAMPTZOID) set_field(L, "timezone", -parts.zone);
    if (type == TIMESTAMPTZOID) {
        lua::set_boolean(L, "isdst", parts.time.tm_isdst > 0);
        lua::set_text(L, "timezone_abbrev", parts.abbreviation);
    }
    return 1;
}

// Pushes the fields that are asked for most without a detour through
// numerics; false for all others.
bool push_part(lua_State *L, const DatumObject *object, const char *name) {
    static constexpr const char *kNames[] = {"year", "month", "day", "hour", "min", "sec"};
    const Oid type = object->type->oid;
    if (type != DATEOID && type != TIMESTAMPOID && type != TIMESTAMPTZOID) return false;
    size_t part = 0;
    while (part < lengthof(kNames) && strcmp(name, kNames[part]) != 0) part++;
    if (part == lengthof(kNames)) return false;
    Parts parts = {};
    pg::call_own_subxact(L, [&] { split(type, object->value, Zone{}, &parts); });
    if (!parts.finite) return false;
    const struct pg_tm *time = &parts.time;
    // Fields know no year 0, the broken-down time does. They are rounded.
    const int values[] = {time->tm_year > 0 ? time->tm_year : time->tm_year - 1,
                          time->tm_mon,
                          time->tm_mday,
                          time->tm_hour,
                          time->tm_min,
                          static_cast<int>(rint(time->tm_sec + parts.fraction / 1e6))};
    lua_pushinteger(L, values[part]);
    return true;
}

int index(lua_State *L) {
    const DatumObject *object = check_object(L, 1, kDatetimeFamily);
    const char *name = luaL_tolstring(L, 2, nullptr);
    if (strcmp(name, "as_table") == 0)
        lua_pushcfunction(L, as_table);
    else if (!push_part(L, object, name))
        push_field(L, object, name);
    return 1;
}

void add_metamethods(lua_State *L) {
    lua_pushcfunction(L, index);
    lua_setfield(L, -2, "__index");
}

} // namespace

const Family kDatetimeFamily = {.to_lua = push_object,
                                .from_lua = datetime_from_lua,
                                .takes_tables = true,
                                .tidy = true,
                                .object_name = "date or time",
                                .add_metamethods = add_metamethods};

} // namespace pllua_bg::types
