// The keys of SCRAM of the client. See scram.h. Owns nothing.
#include "remote/scram.h"

extern "C" {
#include "common/base64.h"
// The header of GSSAPI is not needed here, and not always installed; the layout is the same.
#undef ENABLE_GSS
#include "libpq/libpq-be.h"
}

namespace pllua_bg::remote {

namespace {

// A template, because older servers have no such fields.
template <class P> bool read_keys(const P *port, ScramKeys *keys) {
    if constexpr (requires { port->has_scram_keys; }) {
        if (port == nullptr || !port->has_scram_keys) return false;
        static_assert(sizeof port->scram_ClientKey == sizeof keys->client);
        memcpy(keys->client, port->scram_ClientKey, sizeof keys->client);
        memcpy(keys->server, port->scram_ServerKey, sizeof keys->server);
        return true;
    }
    return false;
}

// The same: bytes are of one type or of another.
template <class Byte>
void encode(int (*function)(const Byte *, int, char *, int), const uint8 *key, char *text,
            int size) {
    (void)!function(reinterpret_cast<const Byte *>(key), kKeySize, text, size);
}

} // namespace

// Not in a function with the rights of another role: it would prove with them who its caller is.
bool own_keys(ScramKeys *keys) {
    return GetUserId() == GetAuthenticatedUserId() && read_keys(MyProcPort, keys);
}

void put_keys(session::ServerSecret *secret, const ScramKeys &keys) {
    secret->length = sizeof keys;
    memcpy(secret->bytes, &keys, sizeof keys);
}

ScramKeys keys_in(const session::ServerSecret &secret) {
    ScramKeys keys;
    memcpy(&keys, secret.bytes, sizeof keys);
    return keys;
}

char *key_text(const uint8 (&key)[kKeySize]) {
    const int size = pg_b64_enc_len(kKeySize);
    auto *text = static_cast<char *>(palloc0(static_cast<Size>(size) + 1));
    encode(pg_b64_encode, key, text, size);
    return text;
}

} // namespace pllua_bg::remote
