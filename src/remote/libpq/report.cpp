// Errors and notices of libpq as the protocol has them. See report.h. Owns nothing.
#include "remote/libpq/report.h"

#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace pllua_bg::remote {

namespace {

// Of an ErrorResponse; the last is that of the routine.
constexpr char kFields[] = "SVCMDHPpqWstcdnFLR";

bool is_sqlstate(const char *text) {
    for (int i = 0; i < 5; i++)
        if (!isdigit(static_cast<unsigned char>(text[i])) &&
            !isupper(static_cast<unsigned char>(text[i])))
            return false;
    return true;
}

} // namespace

Report copy_report(const PGresult *result) {
    size_t length = 1;
    for (const char *field = kFields; *field != '\0'; field++)
        if (const char *text = PQresultErrorField(result, *field)) length += strlen(text) + 2;
    if (length == 1 || PQresultErrorField(result, PG_DIAG_SQLSTATE) == nullptr) return {};
    auto *fields = static_cast<char *>(malloc(length));
    if (fields == nullptr) return {};
    char *at = fields;
    for (const char *field = kFields; *field != '\0'; field++) {
        const char *text = PQresultErrorField(result, *field);
        if (text == nullptr) continue;
        *at++ = *field;
        const size_t size = strlen(text) + 1;
        memcpy(at, text, size);
        at += size;
    }
    *at = '\0';
    return {fields, length};
}

void read_refusal(const char *verbose, char *message, size_t size, char (&sqlstate)[6]) {
    sqlstate[0] = '\0';
    snprintf(message, size, "%s", verbose);
    if (char *place = strstr(message, "\nLOCATION: ")) *place = '\0';
    // "FATAL:  28P01: password authentication failed"
    for (char *at = message; (at = strstr(at, ":  ")) != nullptr; at++) {
        char *code = at + 3;
        if (strlen(code) < 7 || !is_sqlstate(code) || strncmp(code + 5, ": ", 2) != 0) continue;
        memcpy(sqlstate, code, 5);
        sqlstate[5] = '\0';
        memmove(code, code + 7, strlen(code + 7) + 1);
    }
    for (size_t length = strlen(message); length > 0 && message[length - 1] == '\n'; length--)
        message[length - 1] = '\0';
}

} // namespace pllua_bg::remote
