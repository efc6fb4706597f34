// What the server knows of a client, for code that takes for granted that every backend has one:
// extensions that read MyProcPort, and the server log. Owns the worker's Port.
#include "session/worker/worker.h"

#include <sys/socket.h>

#include "pg/compat.h"

extern "C" {
// The header of GSSAPI is not needed here, and not always installed; the layout is the same.
#undef ENABLE_GSS
#include "commands/dbcommands.h"
#include "libpq/libpq-be.h"
}

namespace pllua_bg::session {

namespace {

SockAddr local_address() {
    SockAddr address = {};
    address.addr.ss_family = AF_UNIX;
    address.salen = sizeof(sa_family_t);
    return address;
}

// Never a null pointer: where a backend has a name, its readers do not ask.
char *name_or_nothing(char *name) { return name == nullptr ? pstrdup("") : name; }

// A connection by way of a local socket that nobody had to authenticate for.
HbaLine *local_rule() {
    auto *rule = static_cast<HbaLine *>(palloc0(sizeof(HbaLine)));
    rule->conntype = ctLocal;
    rule->auth_method = uaTrust;
    return rule;
}

} // namespace

void make_port() {
    MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);
    auto *port = static_cast<Port *>(palloc0(sizeof(Port)));
    port->sock = PGINVALID_SOCKET;
    port->proto = PG_PROTOCOL_LATEST;
    port->laddr = port->raddr = local_address();
    port->remote_host = pstrdup("[local]");
    port->remote_port = pstrdup("");
    port->database_name = name_or_nothing(get_database_name(MyDatabaseId));
    port->user_name = name_or_nothing(GetUserNameFromId(GetSessionUserId(), true));
    port->application_name = pstrdup(session_title());
    port->hba = local_rule();
    MemoryContextSwitchTo(old);
    MyProcPort = port;
}

} // namespace pllua_bg::session
