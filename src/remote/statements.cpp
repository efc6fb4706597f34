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

StatementName statement_name(uint32 number) {
    StatementName name;
    pg_snprintf(name.text, sizeof name.text, "bg_%u", number);
    return name;
}

void add_statement(uint32 number, const char *sql, int nparams, const TypeId *types) {
    if (table == nullptr) {
        HASHCTL control = {};
        control.keysize = sizeof(uint32);
        control.entrysize = sizeof(Statement);
        table = hash_create("pllua_bg remote statements", 16, &control, HASH_ELEM | HASH_BLOBS);
    }
    const Size size = sizeof(TypeId) * static_cast<Size>(nparams);
    // One allocation: the types, then the text.
    auto *kept = static_cast<char *>(MemoryContextAlloc(TopMemoryContext, size + strlen(sql) + 1));
    if (size > 0) memcpy(kept, types, size);
    strcpy(kept + size, sql);
    auto *statement = static_cast<Statement *>(hash_search(table, &number, HASH_ENTER, nullptr));
    statement->types = reinterpret_cast<TypeId *>(kept);
    statement->sql = kept + size;
    statement->nparams = nparams;
    statement->looked_at = statement->can_be_ahead = false;
}

Statement *find_statement(uint32 number) {
    Statement *statement = look_for(number);
    if (statement == nullptr)
        ereport(ERROR, (errcode(ERRCODE_INVALID_SQL_STATEMENT_NAME),
                        errmsg("prepared statement of the background session does not exist")));
    return statement;
}

void drop_statement(uint32 number) {
    Statement *statement = look_for(number);
    if (statement == nullptr) return;
    if (dropped.data == nullptr) {
        MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);
        initStringInfo(&dropped);
        MemoryContextSwitchTo(old);
    }
    appendStringInfo(&dropped, "deallocate %s;", statement_name(number).text);
    pfree(statement->types); // and its text
    (void)hash_search(table, &number, HASH_REMOVE, nullptr);
}

void forget_statements() {
    if (table == nullptr) return;
    HASH_SEQ_STATUS all;
    hash_seq_init(&all, table);
    while (auto *statement = static_cast<Statement *>(hash_seq_search(&all)))
        pfree(statement->types);
    hash_destroy(table);
    table = nullptr;
    if (dropped.data != nullptr) resetStringInfo(&dropped);
}

char *take_dropped() {
    if (dropped.data == nullptr || dropped.len == 0) return nullptr;
    char *sql = pstrdup(dropped.data);
    resetStringInfo(&dropped);
    return sql;
}

} // namespace pllua_bg::remote
