// DO blocks. See inline.h for the contracts.
#include "pl/inline.h"

#include "pl/compile.h"
#include "pl/execution_context.h"
#include "pl/function.h"
#include "pl/strict.h"

namespace pllua_bg::pl {

namespace {

// What blocks are called in messages.
constexpr char kBlockName[] = "DO";

struct Block {
    const char *text;
    SyntaxContext syntax;
};

int block_body(lua_State *L) {
    auto *block = static_cast<Block *>(lua_touserdata(L, 1));
    load_text(L, block->text, kBlockName);
    block->syntax.loaded = true;
    push_environment(L, is_strict(block->text));
    lua_call(L, 1, 0);
    return 0;
}

} // namespace

void run_block(const InlineCodeBlock *code, bool trusted) {
    Block block = {};
    block.text = code->source_text;
    Interpreter *interpreter = find_interpreter(trusted);
    push_syntax_context(&block.syntax, block.text);
    ExecutionOptions options;
    options.atomic = code->atomic;
    ExecutionContext execution;
    open_execution(&execution, interpreter, kBlockName, options);
    run_execution(&execution, block_body, &block);
    close_execution(&execution);
    error_context_stack = block.syntax.callback.previous;
}

} // namespace pllua_bg::pl
