// Looks at every error when it is reported and at every jump when it is made: no report with a frame of Lua younger than the
// server's innermost handler, no jump of the server over a frame of Lua, none of Lua over a handler of the server.
#include "stack.h"

#include <cstring>
#include <dlfcn.h>
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

namespace guards {

namespace {

// jmp *0(%rip), and the address.
constexpr std::size_t kJumpSize = 14;

// A function of the server's whose first bytes lead here; they are put back while it runs.
struct Patch {
    unsigned char *at = nullptr;
    unsigned char own[kJumpSize], jump[kJumpSize];

    void install(const char *name, void *hook) {
        Dl_info info;
        const ElfW(Sym) *symbol = nullptr;
        void *function = dlsym(RTLD_DEFAULT, name);
        if (function == nullptr) return;
        if (dladdr1(function, &info, reinterpret_cast<void **>(const_cast<ElfW(Sym) **>(&symbol)), RTLD_DL_SYMENT) == 0 ||
            symbol == nullptr || symbol->st_size < kJumpSize)
            return;
        const auto page = static_cast<Address>(sysconf(_SC_PAGESIZE));
        const Address low = reinterpret_cast<Address>(function) & ~(page - 1);
        if (mprotect(reinterpret_cast<void *>(low), 2 * page, PROT_READ | PROT_WRITE | PROT_EXEC) != 0) return;
        at = static_cast<unsigned char *>(function);
        std::memcpy(own, at, kJumpSize);
        std::memcpy(jump, "\xff\x25\0\0\0\0", 6);
        std::memcpy(jump + 6, &hook, 8);
        on();
    }
    void on() { std::memcpy(at, jump, kJumpSize); }
    void off() { std::memcpy(at, own, kJumpSize); }
};

Patch start, start_cold;

// The stack pointer that the jump will restore; glibc keeps it mangled with a secret of the thread.
Address target_stack(const void *buffer) {
    constexpr int kStackSlot = 6;
    Address value = static_cast<const Address *>(buffer)[kStackSlot];
    asm("rorq $17, %0\n\txorq %%fs:0x30, %0" : "+r"(value));
    return value;
}

void check_report(int level) {
    if (lua_frame_below(handler()) != 0)
        fail("an error of level %d is reported with Lua above the innermost handler", level);
}

using Start = bool (*)(int, const char *);

bool report_through(Patch *patch, int level, const char *domain) {
    check_report(level);
    patch->off();
    const bool wanted = reinterpret_cast<Start>(patch->at)(level, domain);
    patch->on();
    return wanted;
}

bool start_hook(int level, const char *domain) { return report_through(&start, level, domain); }
bool start_cold_hook(int level, const char *domain) { return report_through(&start_cold, level, domain); }

using Jump = void (*)(void *, int);

[[noreturn]] void checked_jump(const char *name, void *buffer, int value, Address caller) {
    if (lua.low != 0) {
        const Address target = target_stack(buffer);
        if (lua.has(caller)) {
            if (handler() < target) fail("an error of Lua crosses a handler of the server");
            const Address context = error_context(), here = reinterpret_cast<Address>(__builtin_frame_address(0));
            if (context > here && context < target) fail("an error of Lua leaves an error context callback behind");
        } else if (lua_frame_below(target) != 0) {
            fail("an error of the server crosses Lua");
        }
    }
    reinterpret_cast<Jump>(dlsym(RTLD_NEXT, name))(buffer, value);
    __builtin_unreachable();
}

} // namespace

void watch_errors() {
    start.install("errstart", reinterpret_cast<void *>(start_hook));
    start_cold.install("errstart_cold", reinterpret_cast<void *>(start_cold_hook));
    if (start.at == nullptr) say("errstart cannot be watched");
}

} // namespace guards

// The four names under which a jump reaches glibc. The assembler names avoid a clash with glibc's declarations.
#define JUMP(function, symbol)                                                                      \
    extern "C" [[noreturn, gnu::visibility("default")]] void function(void *, int) __asm__(symbol); \
    void function(void *buffer, int value) {                                                        \
        guards::checked_jump(symbol, buffer, value, reinterpret_cast<guards::Address>(__builtin_return_address(0))); \
    }

JUMP(preload_longjmp, "longjmp")
JUMP(preload_underscore_longjmp, "_longjmp")
JUMP(preload_siglongjmp, "siglongjmp")
JUMP(preload_longjmp_chk, "__longjmp_chk")
