// Prepared statements as Lua objects, and running them.
// A statement object owns its plan (kept by SPI) and a memory context with what is known of it.
#pragma once

#include "api/spi/param_arena.h"

extern "C" {
#include "executor/spi.h"
}

namespace pllua_bg::api {

// Key and name of the metatable (lua/userdata.h).
inline constexpr char kStatementType[] = "SPI statement object";

// User values of a statement.
constexpr int kStatementShape = 1; // the result shape (result.h) of `descriptor`
constexpr int kStatementNext = 2;  // the next statement of the cache with the same text (cache.cpp)
constexpr int kStatementValues = 2;

// How a parameter got its type.
enum class ParamOrigin : uint8 {
    kInferred, // the statement asks for it
    kOwn,      // nothing asks; the value's own type was taken
    kGiven,    // declared, or a datum object's own
    kUnused,   // of a prepared statement: it does not occur
};

struct Statement {
    MemoryContext context;
    SPIPlanPtr plan;
    TupleDesc descriptor; // of the rows last time; replaced, never freed before the statement
    int nargs;
    const Oid *types; // nargs of them
    const ParamOrigin *origin;
    const char *search_path; // the setting when types were inferred
    bool inferred;           // some type was inferred
    bool nonatomic;          // CALL or DO: may end the transaction where that is allowed
    int cursor_options;
    int fetch_count;     // rows that an iterator fetches at a time; 0: it decides itself
    const void *generic; // the server's plan for all values when the statement was last counted
    Size counted;        // bytes in the account of the interpreter
};

// How a statement is to be prepared; arrays of `count` elements. InvalidOid: to be inferred.
struct StatementRequest {
    const char *sql;
    int count;
    const Oid *types; // declared, or strong types of values
    const Oid *own;   // own types of weak values; null for prepare
    int cursor_options;
    int fetch_count;
};
// The largest count for a text of which no values are known: what its highest $n asks for.
// Errors: none.
int count_placeholders(const char *sql);

// Prepares and pushes a statement. Errors: lua.
Statement *push_statement(lua_State *L, const StatementRequest &request);
// Counts what the statement holds, when its plan is another than last time. Errors: none.
void count_statement(lua_State *L, Statement *statement);
// The statement at idx. Errors: lua (another type; 55000, finalized).
Statement *check_statement(lua_State *L, int idx);
Statement *to_statement(lua_State *L, int idx);

// Raises unless the statement takes nargs arguments. Errors: lua (42601).
void check_argument_count(lua_State *L, const Statement *statement, int nargs);
// Runs the statement at idx with nargs arguments from index `first` on, and pushes what spi.execute
// returns: a result, or the number of rows processed when the command returns none. limit: rows at
// most, 0: all. Errors: lua.
void run_statement(lua_State *L, int idx, int first, int nargs, lua_Integer limit);

// Pushes the result shape for rows of `descriptor` out of the statement at idx: the one it has when
// it fits. Errors: lua.
void push_statement_shape(lua_State *L, int idx, TupleDesc descriptor);

// The limit argument of the execute_count functions; nil is no limit. Errors: lua.
lua_Integer check_limit(lua_State *L, int idx);
// Raises what SPI reports by a code. Inside pg::call. Errors: pg, always.
[[noreturn]] void raise_spi_code(const char *what, int code);

// Pushes the type object (pgtype) of a type. Errors: lua.
void push_type_object(lua_State *L, Oid type);
// The types of all parameters of a statement: those that the table at idx (or nil) declares by type
// objects, names or OIDs, InvalidOid for the others. Pushes what holds them. Errors: lua.
Oid *check_parameter_types(lua_State *L, int idx, const char *sql, int *count);

// spi.prepare. Errors: lua.
int spi_prepare(lua_State *L);
// The methods of statements (run.cpp).
extern const luaL_Reg kStatementMethods[];
// Makes the metatable in a new state. Errors: lua (memory).
void initialize_statements(lua_State *L, const luaL_Reg *methods);

} // namespace pllua_bg::api
