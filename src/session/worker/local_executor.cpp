// This server as what runs the commands. See executor.h. Owns nothing.
#include "pg/wait.h"
#include "session/worker/idle.h"
#include "session/worker/worker.h"

namespace pllua_bg::session {

namespace {

struct LocalExecutor final : Executor {
    void execute(const CommandMessage *command) override { execute_command(command); }
    void forget_statement(uint32 statement) override { session::forget_statement(statement); }
    char transaction_state() override { return session::transaction_state(); }
    bool sleep(long timeout) override {
        return pg::wait_latch_only(timeout, pg::WaitEvent::kCommand);
    }
    void recover() override {}
    void forget_use() override {}
    void begin_use(FrameCursor *) override {}
    bool is_gone() override { return false; }
};

LocalExecutor local_executor;

} // namespace

Executor *executor = &local_executor;

} // namespace pllua_bg::session
