// Sending a command to another server and passing on what comes of it. Owns nothing.
#include "remote/run.h"

#include "pg/encoding.h"
#include "pg/guard.h"
#include "remote/params.h"
#include "remote/pipeline.h"
#include "remote/rows.h"
#include "remote/state.h"
#include "remote/statements.h"
#include "remote/types.h"

namespace pllua_bg::remote {

namespace {

// What comes of a command, until its end.
struct Answer {
    bool quiet;       // nobody wants the rows
    bool with_tags;   // of statements; not of one that is prepared
    Rows rows;        // of the present statement
    ErrorData *error; // the first
    bool copy_refused;
    bool left_out; // rows that came after a cancel
};

// The rows a tag counts: the number it ends with.
uint64 processed(const char *tag) {
    const char *blank = strrchr(tag, ' ');
    return blank == nullptr ? 0 : strtoull(blank + 1, nullptr, 10);
}

void take_tag(Answer *answer, Result *result) {
    const char *tag = pg::valid_text(result->tag());
    note_statement(tag);
    if (answer->with_tags) session::send_tag(tag, processed(tag));
}

void take_rows(Answer *answer, Result *result) {
    // Whoever has cancelled may not read any more, and is not waited for.
    if (state.cancelling && result->rows() > 0)
        answer->left_out = true;
    else if (!answer->quiet)
        send_rows(&answer->rows, result);
}

void take_error(Answer *answer, Result *result) {
    if (answer->error != nullptr) return;
    ErrorData *error = answer->error = read_error(result);
    if (is_in_pipeline() && state.transaction == 'T') state.transaction = 'E';
    const bool is_wanted = state.cancelling || QueryCancelPending;
    if (state.met_cancel && !is_wanted && error->sqlerrcode == ERRCODE_QUERY_CANCELED)
        error->detail = pstrdup("A command before it was cancelled, and had ended when the server "
                                "learned of that.");
    if (!answer->copy_refused) return;
    error->sqlerrcode = ERRCODE_FEATURE_NOT_SUPPORTED;
    error->message = pstrdup("COPY FROM STDIN is not possible in a background session");
    error->hint = pstrdup("Use INSERT with parameters, or COPY from a file or program.");
}

void take_copy(Answer *answer, Result *result) {
    const char *line;
    int length;
    if (!answer->quiet) session::begin_copy_rows(result->is_binary());
    while (await_copy_line(&line, &length)) {
        if (state.cancelling)
            answer->left_out = true;
        else if (!answer->quiet)
            session::put_copy_row(line, static_cast<Size>(length));
    }
}

void raise_if_failed(const Answer *answer) {
    if (answer->error != nullptr) ThrowErrorData(answer->error);
    if (answer->left_out)
        ereport(ERROR,
                (errcode(ERRCODE_QUERY_CANCELED), errmsg("canceling statement due to user request"),
                 errdetail("The server has come to its end; its rows were not taken.")));
}

// Takes all that comes of what was sent, to its end.
void take_answer(Answer *answer) {
    for (;;) {
        Result *result = is_in_pipeline() ? await_plain_result() : await_result();
        const Outcome outcome = result->outcome();
        if (outcome != Outcome::kSomeRows && outcome != Outcome::kLastRows)
            answer->rows.begun = false; // what follows has columns of its own
        switch (outcome) {
        case Outcome::kNothing: raise_if_failed(answer); return;
        case Outcome::kSomeRows: take_rows(answer, result); break;
        case Outcome::kLastRows:
            take_rows(answer, result);
            take_tag(answer, result);
            answer->rows.begun = false;
            break;
        case Outcome::kTag: take_tag(answer, result); break;
        case Outcome::kEmpty:
        case Outcome::kPause: break;
        case Outcome::kError: take_error(answer, result); break;
        case Outcome::kCopyOut: take_copy(answer, result); break;
        case Outcome::kCopyIn:
            answer->copy_refused = true;
            (void)state.connection->refuse_copy("refused");
            break;
        }
    }
}

Answer answer_to(const session::CommandMessage *command) {
    Answer answer = {};
    answer.quiet = (command->flags & session::kQuiet) != 0;
    answer.with_tags = true;
    return answer;
}

// What the server says of the parameters of a statement.
struct Description {
    int nparams;
    TypeId *types; // in CurrentMemoryContext
};

Description describe(const char *name) {
    begin(state.connection->send_describe(name));
    Description description = {};
    ErrorData *error = nullptr;
    for (;;) {
        Result *result = await_plain_result();
        const Outcome outcome = result->outcome();
        if (outcome == Outcome::kNothing) break;
        if (outcome == Outcome::kError && error == nullptr) error = read_error(result);
        if (outcome != Outcome::kTag) continue;
        description.nparams = result->params();
        description.types = static_cast<TypeId *>(
            palloc(sizeof(TypeId) * static_cast<Size>(description.nparams + 1)));
        for (int i = 0; i < description.nparams; i++) description.types[i] = result->param_type(i);
    }
    if (error != nullptr) ThrowErrorData(error);
    return description;
}

// Has the server analyse a statement under a name, and say what its parameters are.
Description prepare(const session::CommandMessage *command, const char *name) {
    begin(state.connection->send_prepare(name, command->sql, static_cast<int>(command->nparams),
                                         declared_types(command)));
    Answer answer = {};
    take_answer(&answer);
    return describe(name);
}

void run_under_name(const session::CommandMessage *command, const char *name,
                    const Description &description) {
    const Values values = make_values(command, description.types, description.nparams);
    begin(state.connection->send_run(name, values));
    Answer answer = answer_to(command);
    take_answer(&answer);
}

// A statement that gets a number.
void keep(const session::CommandMessage *command) {
    const Description description = prepare(command, statement_name(command->statement).text);
    add_statement(command->statement, command->sql, description.nparams, description.types);
}

void run_kept(const session::CommandMessage *command) {
    const Statement *statement = find_statement(command->statement);
    run_under_name(command, statement_name(statement->number).text,
                   {statement->nparams, statement->types});
}

void run_text(const session::CommandMessage *command) {
    if (command->nparams > 0 && needs_description(command)) {
        run_under_name(command, "", prepare(command, ""));
        return;
    }
    if (command->nparams > 0) {
        Values values = make_values(command, nullptr, 0);
        values.types = declared_types(command);
        begin(state.connection->send(command->sql, values));
    } else {
        begin(state.connection->send(command->sql));
    }
    Answer answer = answer_to(command);
    take_answer(&answer);
}

void take_what_was_sent(const session::CommandMessage *command) {
    begin(true);
    Answer answer = answer_to(command);
    take_answer(&answer);
}

void check_not_failed() {
    if (transaction_state() == 'E')
        ereport(ERROR, (errcode(ERRCODE_IN_FAILED_SQL_TRANSACTION),
                        errmsg("current transaction is aborted, commands ignored until end of "
                               "transaction block")));
}

// Lets the server forget what is not used any more, where that cannot fail a transaction.
void forget_dropped() {
    if (state.connection->transaction() != 'I') return;
    char *sql = take_dropped();
    ErrorData *error = sql == nullptr ? nullptr : pg::attempt([sql] { run_quietly(sql); });
    if (error == nullptr) return;
    // A cancel is for the command that comes next.
    if (error->sqlerrcode == ERRCODE_QUERY_CANCELED) pg::rethrow(error);
    pg::free_error(error);
}

} // namespace

char transaction_state() {
    if (state.to_fail) return 'E';
    return is_in_pipeline() ? state.transaction : state.connection->transaction();
}

void fail_transaction() {
    state.to_fail = transaction_state() != 'I' && is_in_pipeline();
    if (is_in_pipeline() || state.connection->transaction() != 'T') return;
    begin(
        state.connection->send("rollback to savepoint \"pllua_bg: a command has failed before\""));
    skip_answer();
}

void run_quietly(const char *sql) {
    begin(state.connection->send(sql));
    Answer answer = {};
    answer.quiet = true;
    take_answer(&answer);
}

const char *command_text(const session::CommandMessage *command) {
    const bool kept = command->statement != 0 && (command->flags & session::kPrepare) == 0;
    return kept ? find_statement(command->statement)->sql : command->sql;
}

void run_command(const session::CommandMessage *command) {
    // One that was sent ahead may have failed here before its turn came.
    while (is_in_pipeline() && !was_sent(command->id)) skip_answer();
    if (!is_in_pipeline()) {
        CHECK_FOR_INTERRUPTS();
        if (state.to_fail) fail_transaction();
        forget_dropped();
        follow_types();
        if (command->nparams > 0) check_not_failed(); // the values do not matter then
    }
    follow_settings();
    if (is_in_pipeline() || begin_pipeline(command))
        take_what_was_sent(command);
    else if ((command->flags & session::kPrepare) != 0)
        keep(command);
    else if (command->statement != 0)
        run_kept(command);
    else
        run_text(command);
}

} // namespace pllua_bg::remote
