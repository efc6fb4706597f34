// Another server as what runs the commands of a session. See session/worker/executor.h.
// Owns nothing.
#include "remote/pipeline.h"
#include "remote/run.h"
#include "remote/state.h"
#include "remote/statements.h"

extern "C" {
#include "access/xact.h"
#include "tcop/tcopprot.h"
}

namespace pllua_bg::remote {

namespace {

struct RemoteExecutor final : session::Executor {
    void execute(const session::CommandMessage *command) override;
    void forget_statement(uint32 statement) override { drop_statement(statement); }
    char transaction_state() override { return remote::transaction_state(); }
    bool sleep(long timeout) override { return remote::sleep(timeout); }
    void recover() override;
    void forget_use() override { remote::forget_use(); }
    void begin_use(session::FrameCursor *cursor) override { remote::begin_use(cursor); }
    bool is_gone() override { return state.broken; }
};

// The transaction here is for reading catalogs; that of the session is on the server.
void RemoteExecutor::execute(const session::CommandMessage *command) {
    session::show_command(command, command_text(command));
    ErrorContextCallback named = {error_context_stack, name_server, nullptr};
    error_context_stack = &named;
    StartTransactionCommand();
    MemoryContextSwitchTo(MessageContext);
    run_command(command);
    CommitTransactionCommand();
    error_context_stack = named.previous;
    debug_query_string = nullptr;
}

void RemoteExecutor::recover() {
    drain();
    fail_transaction();
}

RemoteExecutor executor;

} // namespace

session::Executor *remote_executor() { return &executor; }

} // namespace pllua_bg::remote
