// Dates, times and intervals from Lua tables of fields: pgtype.timestamptz{year=2020, month=2,
// day=1}. Owns nothing.
#include "types/cast.h"
#include "types/datetime.h"

#include "pg/guard.h"

extern "C" {
#include "utils/date.h"
#include "utils/datetime.h"
}

#include <cmath>

namespace pllua_bg::types {

namespace {

struct Fields {
    bool has_epoch;
    bool has_date;  // a field of a date is there
    bool has_clock; // hour, min or sec is there
    int infinite;   // the sign of an infinite epoch, else 0
    int isdst;      // -1: not said
    int64 year, month, week, day, hour, minute;
    int64 usec;               // seconds and their fractions, or since the epoch
    const char *missing_date; // the first field that is not there, of those a date needs
    const char *missing_time;
    Zone zone;
};

[[noreturn]] void invalid_field(lua_State *L, const char *name) {
    lua::raise(L, "22007", "invalid value in field '%s'", name);
}

[[noreturn]] void invalid_table(lua_State *L, const char *what) {
    lua::raise(L, "22007", "%s", what);
}

// The whole number in a field; false when the table has none.
bool read_whole(lua_State *L, int idx, const char *name, int64 *value) {
    if (!push_option(L, idx, name)) return false;
    int whole;
    *value = lua_tointegerx(L, -1, &whole);
    // Far beyond any valid time, and small enough for the sums made of it.
    if (!whole || *value > INT64CONST(1) << 40 || *value < -(INT64CONST(1) << 40))
        invalid_field(L, name);
    lua_pop(L, 1);
    return true;
}

// A count of units in a field, with fraction, in microseconds.
// Sets *infinity to the sign of an infinite one.
bool read_scaled(lua_State *L, int idx, const char *name, int64 factor, int64 *usec,
                 int *infinity) {
    if (!push_option(L, idx, name)) return false;
    int whole, numeric;
    const lua_Integer integer = lua_tointegerx(L, -1, &whole);
    const lua_Number number = lua_tonumberx(L, -1, &numeric);
    *infinity = 0;
    if (!numeric || std::isnan(number)) invalid_field(L, name);
    if (std::isinf(number))
        *infinity = number > 0 ? 1 : -1;
    else if (whole ? __builtin_mul_overflow(integer, factor, usec)
                   : !lua_numbertointeger(rint(number * static_cast<double>(factor)), usec))
        invalid_field(L, name);
    lua_pop(L, 1);
    return true;
}

// A count that adds to the seconds. Errors: lua.
bool add_scaled(lua_State *L, int idx, const char *name, int64 factor, Fields *fields) {
    int64 usec = 0;
    int infinity = 0;
    if (!read_scaled(L, idx, name, factor, &usec, &infinity)) return false;
    if (infinity != 0 || __builtin_add_overflow(fields->usec, usec, &fields->usec))
        invalid_field(L, name);
    return true;
}

void read_epoch(lua_State *L, int idx, Fields *fields) {
    static constexpr struct {
        const char *name;
        int64 factor;
    } kEpochs[] = {{"epoch", USECS_PER_SEC}, {"epoch_msec", 1000}, {"epoch_usec", 1}};
    for (const auto &epoch : kEpochs) {
        int64 usec = 0;
        int infinity;
        if (!read_scaled(L, idx, epoch.name, epoch.factor, &usec, &infinity)) continue;
        if (fields->has_epoch) invalid_table(L, "cannot specify multiple epoch fields");
        fields->has_epoch = true;
        fields->infinite = infinity;
        fields->usec = usec;
    }
}

void read_date(lua_State *L, int idx, Fields *fields) {
    const bool year = read_whole(L, idx, "year", &fields->year);
    const bool month =
        read_whole(L, idx, "month", &fields->month) || read_whole(L, idx, "mon", &fields->month);
    const bool day = read_whole(L, idx, "day", &fields->day);
    const bool week = read_whole(L, idx, "week", &fields->week);
    fields->missing_date = !year ? "year" : !month ? "month" : !day ? "day" : nullptr;
    fields->has_date = year || month || day || week;
}

void read_time(lua_State *L, int idx, Fields *fields) {
    const bool hour = read_whole(L, idx, "hour", &fields->hour);
    const bool minute = read_whole(L, idx, "min", &fields->minute);
    const bool second = add_scaled(L, idx, "sec", USECS_PER_SEC, fields);
    (void)add_scaled(L, idx, "msec", 1000, fields);
    (void)add_scaled(L, idx, "usec", 1, fields);
    fields->missing_time = !hour ? "hour" : second && !minute ? "min" : nullptr;
    fields->has_clock = hour || minute || second;
}

// Nothing that a table says may be lost: what contradicts, or has no meaning for the type, is
// refused. Errors: lua (22007).
void check_fields(lua_State *L, Oid type, const Fields &fields) {
    const bool is_time = type == TIMEOID || type == TIMETZOID;
    if (fields.has_epoch) {
        if (fields.has_date) invalid_table(L, "cannot specify both epoch and date fields");
        if (fields.has_clock) invalid_table(L, "cannot specify both epoch and time fields");
        if (type == TIMESTAMPTZOID && fields.zone.given)
            invalid_table(L, "cannot specify timezone with epoch for timestamptz");
    } else {
        const char *missing = is_time ? fields.missing_time : fields.missing_date;
        if (missing != nullptr && type != INTERVALOID)
            lua::raise(L, "22007", "missing datetime field '%s'", missing);
        if ((type == DATEOID || type == TIMESTAMPOID || type == TIMEOID) && fields.zone.given)
            invalid_table(L, "cannot specify timezone for this type");
    }
}

// Leaves the name of the zone on the stack, where it has to stay. Errors: lua.
void read_fields(lua_State *L, int idx, Oid type, Fields *fields) {
    read_epoch(L, idx, fields);
    read_date(L, idx, fields);
    read_time(L, idx, fields);
    if (push_option(L, idx, "timezone")) fields->zone = read_zone(L, -1);
    fields->isdst = -1;
    if (push_option(L, idx, "isdst")) {
        fields->isdst = lua_toboolean(L, -1);
        lua_pop(L, 1);
    }
    check_fields(L, type, *fields);
}

[[noreturn]] void out_of_range(const char *what) {
    ereport(ERROR, errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE), errmsg("%s out of range", what));
}

// The time of the day, or the seconds since the epoch.
int64 time_usec(const Fields &fields, const char *what) {
    int64 usec;
    if (__builtin_mul_overflow(fields.hour * 60 + fields.minute, USECS_PER_MINUTE, &usec) ||
        __builtin_add_overflow(usec, fields.usec, &usec))
        out_of_range(what);
    return usec;
}

// 24:00 and 23:59:60, where they are written so, are the end of a day.
bool is_end_of_day(const Fields &fields, int64 usec) {
    return usec == USECS_PER_DAY && !fields.has_epoch &&
           (fields.hour == 24 || (fields.hour == 23 && fields.minute == 59));
}

int64 whole_days(int64 usec) { return usec / USECS_PER_DAY - (usec % USECS_PER_DAY < 0 ? 1 : 0); }

// The day since 2000; months and days beyond their limits carry over.
int64 day_number(const Fields &fields, const char *what) {
    const int64 months = fields.year * 12 + fields.month - 1;
    const int64 year = months >= 0 ? months / 12 : -((-months + 11) / 12);
    const int64 month = months - year * 12 + 1;
    if (year < JULIAN_MINYEAR || year > JULIAN_MAXYEAR) out_of_range(what);
    return date2j(static_cast<int>(year), static_cast<int>(month), 1) + fields.day - 1 -
           POSTGRES_EPOCH_JDATE;
}

Timestamp checked(Timestamp value, const char *what) {
    if (!TIMESTAMP_NOT_FINITE(value) && !IS_VALID_TIMESTAMP(value)) out_of_range(what);
    return value;
}

// The instant of an epoch.
TimestampTz instant(const Fields &fields, const char *what) {
    const int64 epoch = static_cast<int64>(POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY;
    Timestamp result;
    if (fields.infinite != 0) return fields.infinite > 0 ? DT_NOEND : DT_NOBEGIN;
    if (__builtin_sub_overflow(fields.usec, epoch, &result)) out_of_range(what);
    return checked(result, what);
}

// Local time; an epoch is that of the zone, without one of Greenwich.
Timestamp local_timestamp(const Fields &fields, const char *what) {
    if (fields.has_epoch) {
        const Timestamp result = instant(fields, what);
        if (!fields.zone.given || TIMESTAMP_NOT_FINITE(result)) return result;
        return checked(local_time(result, find_zone(fields.zone)), what);
    }
    Timestamp result;
    if (__builtin_mul_overflow(day_number(fields, what), USECS_PER_DAY, &result) ||
        __builtin_add_overflow(result, time_usec(fields, what), &result))
        out_of_range(what);
    return checked(result, what);
}

Datum build_date(const Fields &fields) {
    int64 days;
    if (fields.has_epoch) {
        const Timestamp local = local_timestamp(fields, "date");
        if (TIMESTAMP_NOT_FINITE(local))
            return DateADTGetDatum(local == DT_NOEND ? DATEVAL_NOEND : DATEVAL_NOBEGIN);
        days = whole_days(local);
    } else {
        const int64 usec = time_usec(fields, "date");
        days = day_number(fields, "date") + (is_end_of_day(fields, usec) ? 0 : whole_days(usec));
    }
    if (days < INT_MIN || days > INT_MAX || !IS_VALID_DATE(static_cast<DateADT>(days)))
        out_of_range("date");
    return DateADTGetDatum(static_cast<DateADT>(days));
}

Datum build_timestamptz(const Fields &fields) {
    if (fields.has_epoch) return TimestampTzGetDatum(instant(fields, "timestamp"));
    const Timestamp local = local_timestamp(fields, "timestamp");
    const int64 west = offset_at(local, find_zone(fields.zone), fields.isdst);
    return TimestampTzGetDatum(checked(local + west * USECS_PER_SEC, "timestamp"));
}

TimeADT build_time(const Fields &fields) {
    if (fields.infinite != 0) out_of_range("time");
    const int64 usec = time_usec(fields, "time");
    if (is_end_of_day(fields, usec)) return usec;
    return usec - whole_days(usec) * USECS_PER_DAY;
}

Datum build_timetz(const Fields &fields) {
    TimeTzADT *result = static_cast<TimeTzADT *>(palloc(sizeof(TimeTzADT)));
    result->time = build_time(fields);
    result->zone = fields.zone.given  ? fixed_offset(fields.zone)
                   : fields.has_epoch ? 0
                                      : offset_at(GetCurrentTimestamp(), session_timezone, -1);
    return TimeTzADTPGetDatum(result);
}

Datum build_interval(const Fields &fields) {
    if (fields.infinite != 0) out_of_range("interval");
    // It has no zone; that of a table made of something else is not wanted, but has to be one.
    if (fields.zone.given) (void)find_zone(fields.zone);
    Interval *result = static_cast<Interval *>(palloc0(sizeof(Interval)));
    const int64 months = fields.year * MONTHS_PER_YEAR + fields.month;
    const int64 days = fields.week * 7 + fields.day;
    if (months != static_cast<int32>(months) || days != static_cast<int32>(days))
        out_of_range("interval");
    result->month = static_cast<int32>(months);
    result->day = static_cast<int32>(days);
    result->time = time_usec(fields, "interval");
    return IntervalPGetDatum(result);
}

// Call inside pg::call. Errors: pg (22008, 22023).
Datum build(Oid type, const Fields &fields) {
    switch (type) {
    case DATEOID: return build_date(fields);
    case TIMEOID: return TimeADTGetDatum(build_time(fields));
    case TIMETZOID: return build_timetz(fields);
    case TIMESTAMPOID: return TimestampGetDatum(local_timestamp(fields, "timestamp"));
    case TIMESTAMPTZOID: return build_timestamptz(fields);
    default: return build_interval(fields);
    }
}

} // namespace

Datum datetime_from_lua(lua_State *L, int idx, const Type *type) {
    if (lua_type(L, idx) != LUA_TTABLE) return generic_from_lua(L, idx, type);
    const int top = lua_gettop(L);
    Fields fields = {};
    read_fields(L, lua_absindex(L, idx), type->oid, &fields);
    Datum value = 0;
    pg::call_own_subxact(L, [&] { value = build(type->oid, fields); });
    lua_settop(L, top);
    return value;
}

} // namespace pllua_bg::types
