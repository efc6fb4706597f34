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
    bool has_zone;
    bool infinite;
    int infinite_sign;
    int64 epoch_usec;
    int64 year, month, week, day, hour, minute;
    int64 usec; // seconds and their fractions
    int64 zone; // seconds east of Greenwich
    const char *zone_name;
};

[[noreturn]] void invalid_field(lua_State *L, const char *name) {
    lua::raise(L, "22007", "invalid value in field '%s'", name);
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

void read_epoch(lua_State *L, int idx, Fields *fields) {
    fields->has_epoch =
        read_scaled(L, idx, "epoch", USECS_PER_SEC, &fields->epoch_usec, &fields->infinite_sign) ||
        read_scaled(L, idx, "epoch_msec", 1000, &fields->epoch_usec, &fields->infinite_sign) ||
        read_scaled(L, idx, "epoch_usec", 1, &fields->epoch_usec, &fields->infinite_sign);
    fields->infinite = fields->has_epoch && fields->infinite_sign != 0;
}

void read_zone(lua_State *L, int idx, Fields *fields) {
    if (lua_getfield(L, idx, "timezone") == LUA_TSTRING) {
        size_t length;
        // The table keeps the string alive.
        fields->zone_name = checked_string(L, -1, &length);
        fields->has_zone = true;
    }
    lua_pop(L, 1);
    if (!fields->has_zone) fields->has_zone = read_whole(L, idx, "timezone", &fields->zone);
    if (fields->zone > 168 * SECS_PER_HOUR || fields->zone < -168 * SECS_PER_HOUR)
        invalid_field(L, "timezone");
}

void read_time(lua_State *L, int idx, Fields *fields) {
    static constexpr struct {
        const char *name;
        int64 factor;
    } kParts[] = {{"sec", USECS_PER_SEC}, {"msec", 1000}, {"usec", 1}};
    read_whole(L, idx, "hour", &fields->hour);
    read_whole(L, idx, "min", &fields->minute);
    for (const auto &part : kParts) {
        int64 usec = 0;
        int infinity = 0;
        if (!read_scaled(L, idx, part.name, part.factor, &usec, &infinity)) continue;
        if (infinity != 0 || __builtin_add_overflow(fields->usec, usec, &fields->usec))
            invalid_field(L, part.name);
    }
}

void read_fields(lua_State *L, int idx, Oid type, Fields *fields) {
    const bool has_date = type != TIMEOID && type != TIMETZOID;
    const bool date_required = has_date && type != INTERVALOID;
    read_epoch(L, idx, fields);
    if (type == TIMETZOID || type == TIMESTAMPTZOID) read_zone(L, idx, fields);
    if (fields->has_epoch) return;
    if (has_date) {
        if (!read_whole(L, idx, "year", &fields->year) && date_required)
            lua::raise(L, "22007", "missing datetime field 'year'");
        if (!read_whole(L, idx, "month", &fields->month) &&
            !read_whole(L, idx, "mon", &fields->month) && date_required)
            lua::raise(L, "22007", "missing datetime field 'month'");
        if (!read_whole(L, idx, "day", &fields->day) && date_required)
            lua::raise(L, "22007", "missing datetime field 'day'");
        if (type == INTERVALOID) read_whole(L, idx, "week", &fields->week);
    }
    if (type != DATEOID) read_time(L, idx, fields);
}

[[noreturn]] void out_of_range(const char *what) {
    ereport(ERROR, errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE), errmsg("%s out of range", what));
}

int64 time_usec(const Fields &fields, const char *what) {
    int64 usec;
    if (__builtin_mul_overflow(fields.hour * 60 + fields.minute, USECS_PER_MINUTE, &usec) ||
        __builtin_add_overflow(usec, fields.usec, &usec))
        out_of_range(what);
    return usec;
}

// Local time; months, days and hours beyond their limits carry over.
Timestamp local_timestamp(const Fields &fields, const char *what) {
    const int64 epoch = static_cast<int64>(POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY;
    int64 result;
    if (fields.infinite) return fields.infinite_sign > 0 ? DT_NOEND : DT_NOBEGIN;
    if (fields.has_epoch) {
        if (__builtin_sub_overflow(fields.epoch_usec, epoch, &result)) out_of_range(what);
        return result;
    }
    const int64 months = fields.year * 12 + fields.month - 1;
    const int64 year = months >= 0 ? months / 12 : -((-months + 11) / 12);
    const int64 month = months - year * 12 + 1;
    if (year < JULIAN_MINYEAR || year > JULIAN_MAXYEAR) out_of_range(what);
    const int64 days = date2j(static_cast<int>(year), static_cast<int>(month), 1) + fields.day - 1;
    if (__builtin_mul_overflow(days - POSTGRES_EPOCH_JDATE, USECS_PER_DAY, &result) ||
        __builtin_add_overflow(result, time_usec(fields, what), &result))
        out_of_range(what);
    return result;
}

Timestamp checked(Timestamp value, const char *what) {
    if (!TIMESTAMP_NOT_FINITE(value) && !IS_VALID_TIMESTAMP(value)) out_of_range(what);
    return value;
}

// Seconds west of Greenwich at that local time.
int zone_offset(const Fields &fields, Timestamp local) {
    if (fields.has_zone && fields.zone_name == nullptr) return -static_cast<int>(fields.zone);
    pg_tz *zone = session_timezone;
    if (fields.zone_name != nullptr) zone = pg_tzset(fields.zone_name);
    if (zone == nullptr)
        ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                errmsg("time zone \"%s\" not recognized", fields.zone_name));
    struct pg_tm time;
    fsec_t fraction;
    if (timestamp2tm(local, nullptr, &time, &fraction, nullptr, nullptr) != 0)
        out_of_range("timestamp");
    return DetermineTimeZoneOffset(&time, zone);
}

Datum build_date(const Fields &fields) {
    const Timestamp local = local_timestamp(fields, "date");
    if (TIMESTAMP_NOT_FINITE(local))
        return DateADTGetDatum(local == DT_NOEND ? DATEVAL_NOEND : DATEVAL_NOBEGIN);
    int64 days = local / USECS_PER_DAY;
    if (local % USECS_PER_DAY < 0) days--;
    if (days < INT_MIN || days > INT_MAX || !IS_VALID_DATE(static_cast<DateADT>(days)))
        out_of_range("date");
    return DateADTGetDatum(static_cast<DateADT>(days));
}

Datum build_timestamptz(const Fields &fields) {
    Timestamp local = local_timestamp(fields, "timestamp");
    if (!fields.has_epoch)
        local +=
            static_cast<int64>(zone_offset(fields, checked(local, "timestamp"))) * USECS_PER_SEC;
    return TimestampTzGetDatum(checked(local, "timestamp"));
}

TimeADT build_time(const Fields &fields) {
    if (fields.infinite) out_of_range("time");
    const int64 usec = fields.has_epoch ? fields.epoch_usec : time_usec(fields, "time");
    if (usec == USECS_PER_DAY) return usec;
    const int64 within = usec % USECS_PER_DAY;
    return within < 0 ? within + USECS_PER_DAY : within;
}

Datum build_timetz(const Fields &fields) {
    TimeTzADT *result = static_cast<TimeTzADT *>(palloc(sizeof(TimeTzADT)));
    result->time = build_time(fields);
    result->zone = zone_offset(
        fields, fields.zone_name != nullptr || !fields.has_zone ? GetCurrentTimestamp() : 0);
    return TimeTzADTPGetDatum(result);
}

Datum build_interval(const Fields &fields) {
    if (fields.infinite) out_of_range("interval");
    Interval *result = static_cast<Interval *>(palloc0(sizeof(Interval)));
    if (fields.has_epoch) {
        result->time = fields.epoch_usec;
        return IntervalPGetDatum(result);
    }
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
    case TIMESTAMPOID:
        return TimestampGetDatum(checked(local_timestamp(fields, "timestamp"), "timestamp"));
    case TIMESTAMPTZOID: return build_timestamptz(fields);
    default: return build_interval(fields);
    }
}

} // namespace

Datum datetime_from_lua(lua_State *L, int idx, const Type *type) {
    if (lua_type(L, idx) != LUA_TTABLE) return generic_from_lua(L, idx, type);
    Fields fields = {};
    read_fields(L, idx, type->oid, &fields);
    Datum value = 0;
    pg::call_own_subxact(L, [&] { value = build(type->oid, fields); });
    return value;
}

} // namespace pllua_bg::types
