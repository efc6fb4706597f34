// Waits for the module to be loaded and finds what is where. See stack.h.
#include "stack.h"

#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <link.h>
#include <unistd.h>
#include <unwind.h>

namespace guards {

Range module, lua, server;

namespace {

constexpr int kShownFrames = 48;

void **exception_stack;
void **context_stack;

void write_line(const char *format, va_list arguments) {
    char line[1024];
    int length = std::snprintf(line, sizeof line, "check-guards: [%d] ", static_cast<int>(getpid()));
    length += std::vsnprintf(line + length, sizeof line - static_cast<std::size_t>(length) - 1, format, arguments);
    if (length > static_cast<int>(sizeof line) - 2) length = sizeof line - 2;
    line[length++] = '\n';
    if (write(STDERR_FILENO, line, static_cast<std::size_t>(length)) < 0) return;
}

Range text_of(const dl_phdr_info *info) {
    Range range;
    range.base = info->dlpi_addr;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type != PT_LOAD || (part->p_flags & PF_X) == 0) continue;
        const Address low = info->dlpi_addr + part->p_vaddr;
        if (range.low == 0 || low < range.low) range.low = low;
        if (low + part->p_memsz > range.high) range.high = low + part->p_memsz;
    }
    return range;
}

// Of the module and of what check-guards plants to see itself fail.
bool is_module(const char *path) {
    const char *slash = std::strrchr(path, '/');
    const char *name = slash == nullptr ? path : slash + 1;
    return std::strcmp(name, "pllua_bg.so") == 0 || std::strcmp(name, "planted.so") == 0;
}

int note_object(dl_phdr_info *info, std::size_t, void *) {
    if (info->dlpi_name[0] == '\0')
        server = text_of(info);
    else if (std::strstr(info->dlpi_name, "liblua5.4") != nullptr)
        lua = text_of(info);
    else if (is_module(info->dlpi_name))
        module = text_of(info);
    return 0;
}

struct Search {
    Address limit, found;
};

_Unwind_Reason_Code look_at_frame(_Unwind_Context *context, void *argument) {
    auto *search = static_cast<Search *>(argument);
    int at_signal = 0;
    const Address pc = _Unwind_GetIPInfo(context, &at_signal);
    if (at_signal != 0) return _URC_END_OF_STACK;
    const Address frame = _Unwind_GetCFA(context);
    if (frame > search->limit) return _URC_END_OF_STACK;
    if (!lua.has(pc)) return _URC_NO_REASON;
    search->found = frame;
    return _URC_END_OF_STACK;
}

_Unwind_Reason_Code show_frame(_Unwind_Context *context, void *argument) {
    auto *left = static_cast<int *>(argument);
    const Address pc = _Unwind_GetIP(context);
    Dl_info where = {};
    dladdr(reinterpret_cast<void *>(pc - 1), &where);
    const char *path = where.dli_fname == nullptr ? "?" : where.dli_fname;
    const char *slash = std::strrchr(path, '/');
    say("  %s+0x%lx %s", slash == nullptr ? path : slash + 1,
        static_cast<unsigned long>(pc - reinterpret_cast<Address>(where.dli_fbase)),
        where.dli_sname == nullptr ? "" : where.dli_sname);
    return --*left > 0 ? _URC_NO_REASON : _URC_END_OF_STACK;
}

// Postgres leaves this signal alone.
void on_crash(int signal) {
    std::signal(signal, SIG_DFL);
    say("crashes with signal %d", signal);
    say_stack();
    raise(signal);
}

} // namespace

Address handler() {
    const auto at = reinterpret_cast<Address>(*exception_stack);
    return at == 0 ? UINTPTR_MAX : at;
}

Address error_context() { return reinterpret_cast<Address>(*context_stack); }

void say(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    write_line(format, arguments);
    va_end(arguments);
}

void say_stack() {
    int left = kShownFrames;
    _Unwind_Backtrace(show_frame, &left);
}

void fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    write_line(format, arguments);
    va_end(arguments);
    say_stack();
    std::abort();
}

Address lua_frame_below(Address limit) {
    Search search = {limit, 0};
    _Unwind_Backtrace(look_at_frame, &search);
    return search.found;
}

} // namespace guards

using namespace guards;

extern "C" [[gnu::visibility("default")]] void *dlopen(const char *path, int mode) {
    static const auto open = reinterpret_cast<void *(*)(const char *, int)>(dlsym(RTLD_NEXT, "dlopen"));
    void *handle = open(path, mode);
    if (handle == nullptr || path == nullptr || !is_module(path) || module.low != 0) return handle;
    exception_stack = static_cast<void **>(dlsym(RTLD_DEFAULT, "PG_exception_stack"));
    context_stack = static_cast<void **>(dlsym(RTLD_DEFAULT, "error_context_stack"));
    dl_iterate_phdr(note_object, nullptr);
    if (exception_stack == nullptr || lua.low == 0) return handle;
    watch_calls();
    watch_errors();
    watch_allocations();
    std::signal(SIGSEGV, on_crash);
    say("watching %s", path);
    return handle;
}
