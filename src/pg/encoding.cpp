// See encoding.h. Conversions are those of the server, which raise for a whole text; here each
// character that has none is escaped, the way the server escapes names that are no ASCII.
#include "pg/encoding.h"

extern "C" {
#include "catalog/namespace.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
}

namespace pllua_bg::pg {

namespace {

// Source bytes converted in one go.
constexpr int kChunk = 256;
constexpr Size kLongestCharacter = MAX_MULTIBYTE_CHAR_LEN;

void append_escaped(StringInfo out, const char *bytes, int length) {
    for (int i = 0; i < length; i++)
        appendStringInfo(out, "\\x%02x", static_cast<unsigned char>(bytes[i]));
}

void append_valid(StringInfo out, const char *at, int length) {
    while (length > 0) {
        const int valid = pg_encoding_verifymbstr(GetDatabaseEncoding(), at, length);
        appendBinaryStringInfo(out, at, valid);
        if (valid < length) append_escaped(out, at + valid, 1);
        const int taken = Min(valid + 1, length);
        at += taken;
        length -= taken;
    }
}

// Appends a character for which there is no conversion; returns its length,
// that of a byte when it is none.
int append_unconverted(StringInfo out, int encoding, const char *at, int length) {
    const int size = Max(pg_encoding_verifymbchar(encoding, at, length), 1);
    if (IS_HIGHBIT_SET(*at))
        append_escaped(out, at, size);
    else
        appendBinaryStringInfo(out, at, size);
    return size;
}

void append_converted(StringInfo out, int from, int to, const char *at, int length) {
    const Oid conversion = FindDefaultConversionProc(from, to);
    if (!OidIsValid(conversion) && from != PG_UTF8 && to != PG_UTF8 && to != PG_SQL_ASCII) {
        StringInfoData middle;
        initStringInfo(&middle);
        append_converted(&middle, from, PG_UTF8, at, length);
        append_converted(out, PG_UTF8, to, middle.data, middle.len);
        return;
    }
    while (length > 0) {
        unsigned char room[kChunk * MAX_CONVERSION_GROWTH + 1];
        int taken = 0;
        if (OidIsValid(conversion)) {
            auto *source = reinterpret_cast<unsigned char *>(const_cast<char *>(at));
            taken = pg_do_encoding_conversion_buf(conversion, from, to, source, length, room,
                                                  sizeof room, true);
            if (taken > 0) appendStringInfoString(out, reinterpret_cast<char *>(room));
        }
        if (taken == 0) taken = append_unconverted(out, from, at, length);
        at += taken;
        length -= taken;
    }
}

} // namespace

// The server's function may believe that a broken last character reaches beyond the end of the
// text, so it is asked only for texts that do not fit.
Size clipped_length(const char *text, Size size) {
    const Size length = strnlen(text, size);
    if (length < size) return length;
    return static_cast<Size>(
        pg_mbcliplen(text, static_cast<int>(length), static_cast<int>(size) - 1));
}

void copy_clipped(char *into, const char *text, Size size) {
    const Size length = clipped_length(text, size);
    memcpy(into, text, length);
    into[length] = '\0';
}

Size character_length(const char *at, Size length) {
    const int size = pg_encoding_verifymbchar(GetDatabaseEncoding(), at,
                                              static_cast<int>(Min(length, kLongestCharacter)));
    return static_cast<Size>(Max(size, 1));
}

Size count_characters(const char *text, Size length) {
    Size count = 0;
    for (Size at = 0; at < length; count++) at += character_length(text + at, length - at);
    return count;
}

Size length_of_characters(const char *text, Size length, Size count) {
    Size at = 0;
    for (; count > 0 && at < length; count--) at += character_length(text + at, length - at);
    return at;
}

void blot_invalid(char *text, Size length) {
    const int encoding = GetDatabaseEncoding();
    for (Size at = 0; at < length;) {
        at += static_cast<Size>(
            pg_encoding_verifymbstr(encoding, text + at, static_cast<int>(length - at)));
        if (at < length) text[at++] = '?';
    }
}

char *text_from(const char *bytes, int encoding) {
    const int own = GetDatabaseEncoding();
    const int length = static_cast<int>(strlen(bytes));
    StringInfoData out;
    initStringInfo(&out);
    if (own != PG_SQL_ASCII && (encoding == own || encoding == PG_SQL_ASCII))
        append_valid(&out, bytes, length);
    else
        append_converted(&out, encoding, own, bytes, length);
    return out.data;
}

const char *valid_text(const char *bytes) {
    const int length = static_cast<int>(strlen(bytes));
    if (pg_verify_mbstr(GetDatabaseEncoding(), bytes, length, true)) return bytes;
    StringInfoData out;
    initStringInfo(&out);
    append_valid(&out, bytes, length);
    return out.data;
}

} // namespace pllua_bg::pg
