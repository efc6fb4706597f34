// Time zones of dates and times: what Lua code may call them, and their offsets. Owns nothing.
#include "types/datetime.h"

extern "C" {
#include "utils/datetime.h"
#include "utils/timestamp.h"
}

namespace pllua_bg::types {

namespace {

[[noreturn]] void unknown_zone(const Zone &zone) {
    if (zone.name != nullptr)
        ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                errmsg("time zone \"%s\" not recognized", zone.name));
    ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
            errmsg("time zone offset %lld is out of range", static_cast<long long>(zone.east)));
}

// True for a number and for a text with a sign, which says what is east of Greenwich (the server
// reads it so in a timestamp, and the other way round as the name of a zone).
bool is_offset(const Zone &zone, long *west) {
    if (zone.name == nullptr) {
        *west = static_cast<long>(-zone.east);
        return true;
    }
    if (zone.name[0] != '+' && zone.name[0] != '-') return false;
    int seconds;
    if (DecodeTimezone(const_cast<char *>(zone.name), &seconds) != 0) unknown_zone(zone);
    *west = seconds;
    return true;
}

[[noreturn]] void timestamp_out_of_range() {
    ereport(ERROR, errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE), errmsg("timestamp out of range"));
}

} // namespace

Zone read_zone(lua_State *L, int idx) {
    Zone zone = {true, nullptr, 0};
    int whole = 0;
    size_t length;
    if (lua_type(L, idx) == LUA_TSTRING) {
        zone.name = checked_string(L, idx, &length);
        return zone;
    }
    // true is that of the session
    if (lua_isboolean(L, idx)) {
        zone.given = lua_toboolean(L, idx);
        zone.name = pg_get_timezone_name(session_timezone);
        return zone;
    }
    if (lua_type(L, idx) == LUA_TNUMBER) zone.east = lua_tointegerx(L, idx, &whole);
    if (!whole) lua::raise(L, "22007", "invalid value in field 'timezone'");
    return zone;
}

pg_tz *find_zone(const Zone &zone) {
    long west;
    if (!zone.given) return session_timezone;
    pg_tz *found;
    if (!is_offset(zone, &west))
        found = pg_tzset(zone.name);
    else if (west > 168 * SECS_PER_HOUR || west < -168 * SECS_PER_HOUR)
        found = nullptr;
    else
        found = pg_tzset_offset(west);
    if (found == nullptr) unknown_zone(zone);
    return found;
}

int fixed_offset(const Zone &zone) {
    long west;
    if (!is_offset(zone, &west))
        ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                errmsg("non-numeric timezones not supported for 'timetz'"),
                errhint("Which offset a named zone has depends on the date."));
    constexpr long kMost = (MAX_TZDISP_HOUR + 1) * SECS_PER_HOUR;
    if (west >= kMost || west <= -kMost) unknown_zone(zone);
    return static_cast<int>(west);
}

int offset_at(Timestamp local, pg_tz *zone, int isdst) {
    struct pg_tm time;
    fsec_t fraction;
    if (timestamp2tm(local, nullptr, &time, &fraction, nullptr, nullptr) != 0)
        timestamp_out_of_range();
    const int offset = DetermineTimeZoneOffset(&time, zone);
    if (isdst < 0 || time.tm_isdst == isdst) return offset;
    // As if the clock showed the time of Greenwich.
    const pg_time_t clock =
        (local - fraction) / USECS_PER_SEC +
        INT64CONST(1) * (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY;
    const pg_time_t day_before = clock - SECS_PER_DAY;
    pg_time_t turned;
    long before, after; // seconds east of Greenwich
    int before_is_dst, after_is_dst;
    if (pg_next_dst_boundary(&day_before, &before, &before_is_dst, &turned, &after, &after_is_dst,
                             zone) <= 0)
        return offset;
    const bool both_alike = (clock - before < turned) == (clock - after < turned);
    if (both_alike || before_is_dst == after_is_dst) return offset;
    return static_cast<int>(before_is_dst == isdst ? -before : -after);
}

Timestamp local_time(TimestampTz instant, pg_tz *zone) {
    struct pg_tm time;
    fsec_t fraction;
    int offset;
    Timestamp local;
    if (timestamp2tm(instant, &offset, &time, &fraction, nullptr, zone) != 0 ||
        tm2timestamp(&time, fraction, nullptr, &local) != 0)
        timestamp_out_of_range();
    return local;
}

} // namespace pllua_bg::types
