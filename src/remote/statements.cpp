// The table of prepared statements. See statements.h.
#include "remote/statements.h"

extern "C" {
#include "lib/stringinfo.h"
#include "utils/hsearch.h"
}

namespace pllua_bg::remote {

namespace {

HTAB *table; // made by the first
StringInfoData dropped;

Statement *look_for(uint32 number) {
    return static_cast<Statement *>(
        table == nullptr ? nullptr : hash_search(table, &number, HASH_FIND, nullptr));
}

} // namespace

Statement *add_statement(uint32 number, const char *sql) {
    if (table == nullptr) {
        HASHCTL control = {};
        control.keysize = sizeof(uint32);
        control.entrysize = sizeof(Statement);
        table = hash_create("pllua_bg remote statements", 16, &control, HASH_ELEM | HASH_BLOBS);
    }
    char *copy = MemoryContextStrdup(TopMemoryContext, sql);
    auto *statement = static_cast<Statement *>(hash_search(table, &number, HASH_ENTER, nullptr));
    pg_snprintf(statement->name, sizeof statement->name, "bg_%u", number);
    statement->sql = copy;
    statement->nparams = 0;
    statement->types = nullptr;
    statement->prepared = false;
    return statement;
}

Statement *find_statement(uint32 number) {
    Statement *statement = look_for(number);
    if (statement == nullptr || !statement->prepared)
        ereport(ERROR, (errcode(ERRCODE_INVALID_SQL_STATEMENT_NAME),
                        errmsg("prepared statement of the background session does not exist")));
    return statement;
}

void drop_statement(uint32 number) {
    Statement *statement = look_for(number);
    if (statement == nullptr) return;
    if (statement->prepared) {
        if (dropped.data == nullptr) {
            MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);
            initStringInfo(&dropped);
            MemoryContextSwitchTo(old);
        }
        appendStringInfo(&dropped, "deallocate %s;", statement->name);
    }
    pfree(statement->sql);
    if (statement->types != nullptr) pfree(statement->types);
    (void)hash_search(table, &number, HASH_REMOVE, nullptr);
}

char *take_dropped() {
    if (dropped.data == nullptr || dropped.len == 0) return nullptr;
    char *sql = pstrdup(dropped.data);
    resetStringInfo(&dropped);
    return sql;
}

} // namespace pllua_bg::remote
