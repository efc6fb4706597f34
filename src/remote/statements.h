// Statements prepared on another server, by the numbers they have in the session.
// Owns them.
#pragma once

#include "pg/server.h"
#include "remote/client.h"

namespace pllua_bg::remote {

struct Statement {
    uint32 number; // the key
    char *sql;
    int nparams;
    TypeId *types; // of the parameters
    bool looked_at;
    bool can_be_ahead; // where somebody has looked
};

// What it is called there.
struct StatementName {
    char text[16];
};
// Errors: none.
StatementName statement_name(uint32 number);
// Enters one that the server has prepared. Errors: pg (memory).
void add_statement(uint32 number, const char *sql, int nparams, const TypeId *types);
// Errors: pg 26000: there is none.
Statement *find_statement(uint32 number);
// Errors: none; nothing happens where there is none.
void drop_statement(uint32 number);
// The server has forgotten all of them. Errors: none.
void forget_statements();
// Statements for those that were dropped, to be run while no transaction is open; nullptr: there
// are none. In CurrentMemoryContext. Errors: pg (memory).
char *take_dropped();

} // namespace pllua_bg::remote
