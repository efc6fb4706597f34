// What may be sent ahead, and what was. See pipeline.h.
#include "remote/pipeline.h"

#include "pg/compat.h"
#include "pg/guard.h"
#include "remote/params.h"
#include "remote/rows.h"
#include "remote/state.h"
#include "remote/statements.h"
#include "remote/types.h"

extern "C" {
#include "parser/parser.h"
}

namespace pllua_bg::remote {

namespace {

constexpr int kMost = 128;

CommandId sent[kMost]; // from `first` on
int first;
int count;
bool held_up; // what comes next has to wait until the pipeline is empty
MemoryContext scratch;

// What goes to the server.
struct Parcel {
    const char *sql; // nullptr: a statement that has a name
    StatementName name;
    Values values;
};

// One statement, none that begins or ends a transaction, and no COPY. As this server reads it: what
// it does not understand is not sent ahead.
bool is_one_statement(const char *sql) {
    List *statements = raw_parser(sql, RAW_PARSE_DEFAULT);
    if (list_length(statements) != 1) return false;
    switch (nodeTag(linitial_node(RawStmt, statements)->stmt)) {
    case T_SelectStmt:
    case T_InsertStmt:
    case T_UpdateStmt:
    case T_DeleteStmt:
    case T_MergeStmt: return true;
    default: return false;
    }
}

// Of what has a name, once. Raises for what this server does not understand, the first time.
bool can_be_ahead(Statement *statement) {
    if (!statement->looked_at) {
        statement->looked_at = true;
        statement->can_be_ahead = is_one_statement(statement->sql);
    }
    return statement->can_be_ahead;
}

// Text means the same to both.
bool reads_alike() {
    const char *there = state.connection->setting("standard_conforming_strings");
    return pg::has_standard_strings() && there != nullptr && strcmp(there, "on") == 0;
}

bool are_plain(const session::CommandMessage *command) {
    for (uint32 i = 0; i < command->nparams; i++)
        if (command->params[i].table || !is_everywhere(command->params[i].type)) return false;
    return true;
}

// False for what is better run by itself. Raises for some of it.
bool pack(const session::CommandMessage *command, Parcel *parcel) {
    if ((command->flags & session::kPrepare) != 0 || !are_plain(command)) return false;
    if (command->statement != 0) {
        Statement *statement = find_statement(command->statement);
        if (!can_be_ahead(statement)) return false;
        parcel->name = statement_name(statement->number);
        parcel->values = make_values(command, statement->types, statement->nparams);
        return true;
    }
    if (needs_description(command) || !reads_alike() || !is_one_statement(command->sql))
        return false;
    parcel->sql = command->sql;
    parcel->values = make_values(command, nullptr, 0);
    parcel->values.types = declared_types(command);
    return true;
}

// An error is raised when its turn has come.
bool try_to_pack(const session::CommandMessage *command, Parcel *parcel) {
    bool can = false;
    ErrorData *error = pg::attempt([command, parcel, &can] { can = pack(command, parcel); });
    if (error == nullptr) return can;
    pg::free_error(error);
    return false;
}

void send(CommandId id, const Parcel &parcel) {
    Connection *connection = state.connection;
    const bool done = parcel.sql == nullptr ? connection->send_run(parcel.name.text, parcel.values)
                                            : connection->send(parcel.sql, parcel.values);
    if (!done) lose_connection();
    sent[(first + count++) % kMost] = id;
}

// Looks at the next command; false: none has come, or it is not to be sent ahead.
bool look(session::CommandMessage *command, Parcel *parcel) {
    if (!session::look_ahead(command)) return false;
    held_up = !try_to_pack(command, parcel);
    return !held_up;
}

void send_next(const session::CommandMessage &command, const Parcel &parcel) {
    send(command.id, parcel);
    session::pass_ahead();
}

bool can_send_ahead() {
    return count > 0 && count < kMost && !held_up && !state.cancelling && !state.to_fail &&
           !are_types_to_follow();
}

// Runs fn with memory for what is sent, which libpq copies.
template <class F> void with_scratch(F &&fn) {
    if (scratch == nullptr)
        scratch =
            AllocSetContextCreate(TopMemoryContext, "pllua_bg sent ahead", ALLOCSET_DEFAULT_SIZES);
    MemoryContextReset(scratch);
    MemoryContext old = MemoryContextSwitchTo(scratch);
    fn();
    MemoryContextSwitchTo(old);
    MemoryContextReset(scratch);
}

} // namespace

bool is_in_pipeline() { return count > 0; }

bool was_sent(CommandId id) { return count > 0 && sent[first] == id; }

bool begin_pipeline(const session::CommandMessage *command) {
    bool begun = false;
    with_scratch([command, &begun] {
        Parcel parcel = {};
        Parcel next_parcel = {};
        session::CommandMessage next;
        if (!look(&next, &next_parcel) || !try_to_pack(command, &parcel)) return;
        state.transaction = state.connection->transaction();
        if (!state.connection->begin_pipeline()) lose_connection();
        send(command->id, parcel);
        send_next(next, next_parcel);
        begun = true;
    });
    return begun;
}

void send_ahead() {
    while (can_send_ahead()) {
        bool more = false;
        with_scratch([&more] {
            session::CommandMessage next;
            Parcel parcel = {};
            more = state.connection->flush() == 0 && look(&next, &parcel);
            if (more) send_next(next, parcel);
        });
        if (!more) return;
    }
}

void end_turn() {
    if (count == 0) return;
    first = (first + 1) % kMost;
    if (--count > 0) return;
    held_up = state.met_cancel = false;
    if (!state.connection->end_pipeline()) lose_connection();
}

} // namespace pllua_bg::remote
