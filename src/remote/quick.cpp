// Readers of the forms that a server writes with the settings of a session. See quick.h. What looks
// otherwise in any way is left to the input function: other styles of dates, years of more or fewer
// than four digits, infinity, numbers that may be too large. Owns nothing.
#include "remote/quick.h"

extern "C" {
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/timestamp.h"
}

namespace pllua_bg::remote {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Takes so many digits.
bool take_digits(const char **at, int count, int *number) {
    *number = 0;
    for (int i = 0; i < count; i++, (*at)++) {
        if (!is_digit(**at)) return false;
        *number = *number * 10 + (**at - '0');
    }
    return true;
}

bool take(const char **at, char c) {
    if (**at != c) return false;
    (*at)++;
    return true;
}

bool read_integer(const char *text, int length, int64 *number) {
    constexpr int kMostDigits = 18; // of which any are an int64
    const bool negative = take(&text, '-');
    length -= negative ? 1 : 0;
    if (length < 1 || length > kMostDigits) return false;
    int64 found = 0;
    for (; is_digit(*text); text++) found = found * 10 + (*text - '0');
    *number = negative ? -found : found;
    return *text == '\0';
}

bool read_int2(const char *text, int length, Datum *value) {
    int64 number;
    if (!read_integer(text, length, &number) || number != static_cast<int16>(number)) return false;
    *value = Int16GetDatum(static_cast<int16>(number));
    return true;
}

bool read_int4(const char *text, int length, Datum *value) {
    int64 number;
    if (!read_integer(text, length, &number) || number != static_cast<int32>(number)) return false;
    *value = Int32GetDatum(static_cast<int32>(number));
    return true;
}

bool read_int8(const char *text, int length, Datum *value) {
    int64 number;
    if (!read_integer(text, length, &number)) return false;
    *value = Int64GetDatum(number);
    return true;
}

bool read_bool(const char *text, int length, Datum *value) {
    if (length != 1 || (*text != 't' && *text != 'f')) return false;
    *value = BoolGetDatum(*text == 't');
    return true;
}

// Digits with a point: both the digits as an integer and the power of ten are exact as doubles, and
// their quotient is rounded once.
bool read_float8(const char *text, int length, Datum *value) {
    constexpr int kMostDigits = 15;
    static constexpr double kPowers[kMostDigits + 1] = {
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    const bool negative = take(&text, '-');
    length -= negative ? 1 : 0;
    if (length < 1 || length > kMostDigits || !is_digit(*text)) return false;
    int64 digits = 0;
    int decimals = 0;
    for (; is_digit(*text); text++) digits = digits * 10 + (*text - '0');
    if (take(&text, '.'))
        for (; is_digit(*text); text++, decimals++) digits = digits * 10 + (*text - '0');
    if (*text != '\0') return false;
    const double number = static_cast<double>(digits) / kPowers[decimals];
    *value = Float8GetDatum(negative ? -number : number);
    return true;
}

// Days since 2000-01-01.
bool take_date(const char **at, int *days) {
    int year, month, day;
    if (!take_digits(at, 4, &year) || !take(at, '-') || !take_digits(at, 2, &month) ||
        !take(at, '-') || !take_digits(at, 2, &day))
        return false;
    if (year < 1 || month < 1 || month > MONTHS_PER_YEAR || day < 1 ||
        day > day_tab[isleap(year) ? 1 : 0][month - 1])
        return false;
    *days = date2j(year, month, day) - POSTGRES_EPOCH_JDATE;
    return true;
}

// Microseconds.
bool take_time(const char **at, int64 *time) {
    int hours, minutes, seconds, fraction = 0;
    if (!take_digits(at, 2, &hours) || !take(at, ':') || !take_digits(at, 2, &minutes) ||
        !take(at, ':') || !take_digits(at, 2, &seconds))
        return false;
    if (hours > 23 || minutes > 59 || seconds > 59) return false;
    if (take(at, '.')) {
        int missing = 6;
        for (; missing > 0 && is_digit(**at); (*at)++, missing--)
            fraction = fraction * 10 + (**at - '0');
        for (; missing > 0; missing--) fraction *= 10;
    }
    *time = (hours * 60 + minutes) * USECS_PER_MINUTE + seconds * USECS_PER_SEC + fraction;
    return true;
}

// Microseconds east of Greenwich.
bool take_zone(const char **at, int64 *offset) {
    const bool west = **at == '-';
    int hours, minutes = 0, seconds = 0;
    if ((!take(at, '-') && !take(at, '+')) || !take_digits(at, 2, &hours)) return false;
    if (take(at, ':') && !take_digits(at, 2, &minutes)) return false;
    if (take(at, ':') && !take_digits(at, 2, &seconds)) return false;
    *offset = (hours * 60 + minutes) * USECS_PER_MINUTE + seconds * USECS_PER_SEC;
    if (west) *offset = -*offset;
    return true;
}

bool read_date(const char *text, int, Datum *value) {
    int days;
    if (!take_date(&text, &days) || *text != '\0') return false;
    *value = DateADTGetDatum(days);
    return true;
}

bool take_timestamp(const char **at, int64 *timestamp) {
    int days;
    int64 time;
    if (!take_date(at, &days) || !take(at, ' ') || !take_time(at, &time)) return false;
    *timestamp = days * USECS_PER_DAY + time;
    return true;
}

bool read_timestamp(const char *text, int, Datum *value) {
    int64 timestamp;
    if (!take_timestamp(&text, &timestamp) || *text != '\0') return false;
    *value = TimestampGetDatum(timestamp);
    return true;
}

bool read_timestamptz(const char *text, int, Datum *value) {
    int64 timestamp, offset;
    if (!take_timestamp(&text, &timestamp) || !take_zone(&text, &offset) || *text != '\0')
        return false;
    *value = TimestampTzGetDatum(timestamp - offset);
    return true;
}

} // namespace

Reader reader_of(Oid type) {
    switch (type) {
    case INT2OID: return read_int2;
    case INT4OID: return read_int4;
    case INT8OID: return read_int8;
    case FLOAT8OID: return read_float8;
    case BOOLOID: return read_bool;
    case DATEOID: return read_date;
    case TIMESTAMPOID: return read_timestamp;
    case TIMESTAMPTZOID: return read_timestamptz;
    default: return nullptr;
    }
}

} // namespace pllua_bg::remote
