// The entrance of the module pllua_bg_remote, the only one that is linked to libpq.
// Owns nothing.
#include "pg/compat.h"

#include <libpq-fe.h>

#include "remote/client.h"
#include "remote/libpq/connection.h"

extern "C" {
extern PLLUA_BG_EXPORT const Pg_magic_struct *PG_MAGIC_FUNCTION_NAME(void);
PG_MODULE_MAGIC;
PLLUA_BG_EXPORT pllua_bg::remote::Client *pllua_bg_remote_client(int version);
}

namespace pllua_bg::remote {

namespace {

struct LibpqClient final : Client {
    PQconninfoOption *options; // all there are; as long as the process
    PQconninfoOption *parsed;
    PQconninfoOption *next; // of them
    Keyword keyword(const char *name) override;
    bool parse(const char *text) override;
    bool next_parsed(const char **keyword, const char **value) override;
    void forget_parsed() override;
    Connection *connect(const char *const *keywords, const char *const *values,
                        int timeout) override {
        return new_connection(keywords, values, timeout);
    }
};

LibpqClient client;

Keyword LibpqClient::keyword(const char *name) {
    if (options == nullptr) options = PQconndefaults();
    for (const PQconninfoOption *option = options; option != nullptr && option->keyword != nullptr;
         option++) {
        if (strcmp(option->keyword, name) != 0) continue;
        if (strchr(option->dispchar, 'D') != nullptr) return Keyword::kDebug;
        return strchr(option->dispchar, '*') != nullptr ? Keyword::kSecret : Keyword::kPlain;
    }
    return Keyword::kUnknown;
}

bool LibpqClient::parse(const char *text) {
    char *error = nullptr;
    parsed = next = PQconninfoParse(text, &error);
    if (error != nullptr) explicit_bzero(error, strlen(error));
    PQfreemem(error);
    return parsed != nullptr;
}

bool LibpqClient::next_parsed(const char **keyword, const char **value) {
    while (next != nullptr && next->keyword != nullptr) {
        const PQconninfoOption *option = next++;
        if (option->val == nullptr) continue;
        *keyword = option->keyword;
        *value = option->val;
        return true;
    }
    return false;
}

void LibpqClient::forget_parsed() {
    for (PQconninfoOption *option = parsed; option != nullptr && option->keyword != nullptr;
         option++)
        if (option->val != nullptr) explicit_bzero(option->val, strlen(option->val));
    PQconninfoFree(parsed);
    parsed = next = nullptr;
}

} // namespace

} // namespace pllua_bg::remote

// nullptr: this is not the module of that version.
pllua_bg::remote::Client *pllua_bg_remote_client(int version) {
    using namespace pllua_bg::remote;
    return version == kClientVersion ? &client : nullptr;
}
