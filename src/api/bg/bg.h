// What the files of the module bg share.
// Owns nothing; sessions belong to src/session, handles to Lua.
#pragma once

#include "pg/server.h"

#include "lua/lua_api.h"
#include "session/session.h"

namespace pllua_bg::api {

// Key and name of the metatable of session handles (lua/userdata.h).
inline constexpr char kSessionHandle[] = "bg.session";

// A session in Lua: its number, never a pointer, because the session may end at any time.
struct SessionHandle {
    uint64 number;
    session::CommandId last; // the newest command sent through this handle; 0: none
};

// User values of a handle.
constexpr int kHandleNotice = 1; // the on_notice function, or nil
constexpr int kHandleShapes = 2; // result shapes (result.h) by the fingerprint of their columns
constexpr int kHandleValues = 2;

// Makes the metatable of handles, a field of the table on top, and in the field told_handles a
// table of those nobody holds whose session somebody can name. Errors: lua (memory).
void open_handles(lua_State *L);
SessionHandle *check_handle(lua_State *L, int idx);
// Pushes a new handle. Errors: lua (memory).
SessionHandle *push_handle(lua_State *L, uint64 number);

// The session of a handle, the current user's right to it checked; nullptr when it has ended.
// Errors: pg 42501.
session::Session *open_session(const SessionHandle *handle);
// The same for clean-up. While an error is pending or the database is closed neither is the current
// user that of the Lua state nor can the catalogs be asked: then the right is that of whoever has
// made the handle.
session::Session *closable_session(const SessionHandle *handle);
// As open_session(), for uses that need a living session. Errors: pg 08003 too.
session::Session *require_session(const SessionHandle *handle);

// A statement text and its parameters, ready to be sent. Trivially destructible; all it points at
// belongs to Lua values on the stack.
struct Outgoing {
    const char *sql;
    uint32 statement; // number of a prepared statement, whose text `sql` is; 0: none
    int nparams;
    session::Param *params;
    bool elsewhere; // for a session in another database
    int arena;      // stack index of what holds the parameters (param_arena.h); 0: there are none
};
// Collects the string, or where a handle is at index 1 the prepared statement, at idx and the
// values above it. Pushes values that must stay on the stack until discard(). Errors: lua.
void collect(lua_State *L, int idx, Outgoing *outgoing);
// The text of a statement, a string at idx. Errors: lua (22021, 54000 it is too long).
const char *statement_text(lua_State *L, int idx);
// Frees the parameters. Errors: lua (memory).
void discard(lua_State *L, Outgoing *outgoing);

// The number of rows a command has touched, as its tag says: 'INSERT 0 3'. Errors: none.
uint64 tag_count(const char *tag);

// Pushes what a settled command left behind, lets its notices out and frees it (session::take_out
// made it ours: Lua code that runs meanwhile may close the session). Returns true with the result
// of its last statement pushed, and above it a list of all results when there are several, else
// nil; false with the error object pushed. Errors: lua.
bool push_outcome(lua_State *L, int handle_idx, session::Command *command);
// The same for a command whose rows have been read already: pushes the error, or nothing.
// Errors: lua.
bool push_stream_end(lua_State *L, int handle_idx, session::Command *command);

// True when a prepared statement is at idx: sets its text and its number. Errors: lua (26000 it was
// closed, 22023 it belongs to another session than that of the handle at index 1).
bool collect_prepared(lua_State *L, int idx, Outgoing *outgoing);
// Pushes the metatable of prepared statements; makes it. Errors: lua (memory).
void push_prepared_metatable(lua_State *L);
int bg_prepare(lua_State *L);
int bg_release(lua_State *L);
int bg_statement_session(lua_State *L);

// Makes the metatable of streams of rows. Errors: lua (memory).
void open_streams(lua_State *L);
// True when a stream is at idx: fills in what a wait for its next row waits for, but for the
// session. Errors: none.
bool describe_stream_wait(lua_State *L, int idx, session::WaitFor *wait);

// True when coroutines are scheduled: pushes the function that takes the place of exec, or of the
// wait of a stream. Errors: none.
bool push_cooperative_exec(lua_State *L);
bool push_cooperative_rows(lua_State *L);

// Functions of command.cpp and handle.cpp, for the table in module.cpp. Errors: lua.
int bg_exec(lua_State *L);
int bg_send(lua_State *L);
int bg_send_quiet(lua_State *L);
int bg_post(lua_State *L);
int bg_wait_one(lua_State *L);
int bg_wait_any(lua_State *L);
int bg_state(lua_State *L);
int bg_fetch(lua_State *L);
int bg_newest(lua_State *L);
int bg_oldest(lua_State *L);
int bg_last(lua_State *L);
int bg_cancel_command(lua_State *L);
int bg_on_commit(lua_State *L);
int bg_forget(lua_State *L);
int bg_stream(lua_State *L);
extern const luaL_Reg kSessionFunctions[];
extern const luaL_Reg kOversightFunctions[];
extern const luaL_Reg kNotifyFunctions[];
// Hands what the LISTENs of sessions have brought to their handlers.
// Errors: lua, those of a handler.
void deliver_notifications(lua_State *L);
extern const luaL_Reg kSchedulingFunctions[];
extern const luaL_Reg kJobFunctions[];
extern const luaL_Reg kTraceFunctions[];
// Makes the metatable of traces. Errors: lua (memory).
void open_traces(lua_State *L);

// Makes what can be waited for besides commands, and sets `announcement` in the table on top.
// Errors: lua (memory).
void open_conditions(lua_State *L);
// What the value at idx stands for in a wait; nullptr: it is none. Errors: none.
const session::Condition *test_condition(lua_State *L, int idx);

} // namespace pllua_bg::api
