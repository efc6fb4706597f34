// What the CONTEXT of an error says about running Lua code.
// See execution_context.h for the contracts.
#include "pl/execution_context.h"

extern "C" {
#include "mb/pg_wchar.h"
}

#include "lua/interrupt.h"
#include "lua/loader.h"
#include "pg/encoding.h"

namespace pllua_bg::pl {

namespace {

constexpr size_t kContextSize = 4096;
constexpr int kInnermostLevels = 12; // shown of a deep stack, with as many of the outermost
constexpr int kOutermostLevels = 6;

struct Writer {
    char *buffer;
    size_t size;
    size_t used;
};

void write(Writer *writer, const char *format, ...) __attribute__((format(__printf__, 2, 3)));

void write(Writer *writer, const char *format, ...) {
    if (writer->used >= writer->size) return;
    va_list arguments;
    va_start(arguments, format);
    const int length =
        pg_vsnprintf(writer->buffer + writer->used, writer->size - writer->used, format, arguments);
    va_end(arguments);
    writer->used += static_cast<size_t>(length);
    if (writer->used >= writer->size) writer->used = writer->size - 1;
}

// lua_getstack walks from the innermost level, so the depth is searched, not counted.
int stack_depth(lua_State *L) {
    lua_Debug frame;
    int beyond = 1;
    while (lua_getstack(L, beyond, &frame) != 0) beyond *= 2;
    int within = beyond / 2;
    while (within < beyond) {
        const int middle = (within + beyond) / 2;
        if (lua_getstack(L, middle, &frame) != 0)
            within = middle + 1;
        else
            beyond = middle;
    }
    return within;
}

// Not of functions in C, nor of those of the library.
bool is_shown(lua_State *L, lua_Debug *frame) {
    lua_getinfo(L, "Sln", frame);
    return frame->currentline >= 0 && !lua::is_embedded_source(frame->source);
}

void write_frame(Writer *writer, const lua_Debug *frame) {
    if (writer->used > 0) write(writer, "\n");
    if (frame->source[0] == '=')
        write(writer, "Lua function \"%s\" line %d", frame->source + 1, frame->currentline);
    else
        write(writer, "Lua %s line %d", frame->short_src, frame->currentline);
    if (frame->name != nullptr && strcmp(frame->name, "?") != 0)
        write(writer, ", in %s", frame->name);
}

} // namespace

size_t describe_stack(lua_State *L, char *buffer, size_t size) {
    Writer writer = {buffer, size, 0};
    lua_Debug frame;
    int depth = stack_depth(L);
    // Some calls have a function of ours around them.
    if (lua_getstack(L, depth - 1, &frame) != 0 && !is_shown(L, &frame)) depth--;
    for (int level = 0; lua_getstack(L, level, &frame) != 0; level++) {
        if (level == kInnermostLevels && depth > kInnermostLevels + kOutermostLevels) {
            write(&writer, "\n...");
            level = depth - kOutermostLevels;
            if (lua_getstack(L, level, &frame) == 0) break;
        }
        if (is_shown(L, &frame)) write_frame(&writer, &frame);
    }
    // Lua code may name chunks and fields as it likes,
    // and a name may have been cut within a character.
    const auto used = static_cast<int>(writer.used);
    const auto length = static_cast<size_t>(pg_mbcliplen(buffer, used, used));
    pg::blot_invalid(buffer, length);
    return length;
}

void describe_execution(void *argument) {
    auto *execution = static_cast<ExecutionContext *>(argument);
    lua_State *running = execution->paused != nullptr ? execution->paused : lua::running;
    char text[kContextSize];
    size_t length = 0;
    if (running != nullptr && running != execution->thread)
        length = describe_stack(running, text, sizeof(text) - 1);
    if (length > 0 && length < sizeof(text) - 1) text[length++] = '\n';
    const size_t outer =
        execution->thread == nullptr
            ? 0
            : describe_stack(execution->thread, text + length, sizeof(text) - length);
    if (outer == 0 && length > 0) length--;
    length += outer;
    text[length] = '\0';
    if (length > 0)
        errcontext("%s", text);
    else
        errcontext("Lua function \"%s\"", execution->name);
}

} // namespace pllua_bg::pl
