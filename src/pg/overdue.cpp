// The timer runs from the interrupt until it was served, and glances where the process is. In the
// code of Lua itself it holds no lock of the server or of the C library and changes nothing of the
// server's, so the error may be raised from the signal handler there, and only there.
#include "pg/overdue.h"

#include "pg/server.h"
#include "pg/subxact.h"

#include <csignal>

#include <link.h>
#include <sys/time.h>
#include <ucontext.h>

namespace pllua_bg::pg {

namespace {

constexpr int kGlance = 20 * 1000; // microseconds of processor time
constexpr int kPatience = 100;     // glances: two seconds

struct Code {
    uintptr_t inside; // an address in it
    uintptr_t begin;
    uintptr_t end; // 0: not known
};
Code code;

volatile sig_atomic_t is_expecting = 0;
volatile sig_atomic_t glances = 0; // at which an interrupt waited, one after the other
volatile sig_atomic_t is_abandoned = 0;

int find_code(struct dl_phdr_info *info, size_t, void *) {
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        const uintptr_t begin = info->dlpi_addr + part->p_vaddr;
        if (part->p_type != PT_LOAD || (part->p_flags & PF_X) == 0) continue;
        if (code.inside < begin || code.inside >= begin + part->p_memsz) continue;
        code.begin = begin;
        code.end = begin + part->p_memsz;
        return 1;
    }
    return 0;
}

bool is_in(uintptr_t address) { return address >= code.begin && address < code.end; }

bool is_in_code(const ucontext_t *context) {
#if defined(__x86_64__)
    return is_in(static_cast<uintptr_t>(context->uc_mcontext.gregs[REG_RIP]));
#elif defined(__aarch64__)
    return is_in(static_cast<uintptr_t>(context->uc_mcontext.pc));
#else
    return false;
#endif
}

bool waits_for_service() { return QueryCancelPending || ProcDiePending || pending_is_final(); }

void start_timer() {
    const itimerval time = {{0, kGlance}, {0, kGlance}};
    glances = 0;
    (void)setitimer(ITIMER_VIRTUAL, &time, nullptr);
}

void stop_timer() {
    const itimerval time = {};
    (void)setitimer(ITIMER_VIRTUAL, &time, nullptr);
    is_expecting = 0;
}

[[noreturn]] void end_backend() {
    is_abandoned = 1;
    // What describes the place of an error looks into Lua.
    error_context_stack = nullptr;
    const bool terminated = ProcDiePending != 0;
    ereport(FATAL,
            (errcode(terminated ? ERRCODE_ADMIN_SHUTDOWN : ERRCODE_QUERY_CANCELED),
             terminated
                 ? errmsg("terminating connection due to administrator command")
                 : errmsg("terminating connection because a statement could not be canceled"),
             errdetail("One operation of Lua has run for too long.")));
    pg_unreachable();
}

void on_timer(int, siginfo_t *, void *context) {
    const int saved_errno = errno;
    if (!waits_for_service()) {
        stop_timer();
    } else if (glances < kPatience) {
        glances = glances + 1;
    } else if (InterruptHoldoffCount == 0 && CritSectionCount == 0 &&
               is_in_code(static_cast<ucontext_t *>(context))) {
        stop_timer();
        end_backend();
    }
    errno = saved_errno;
}

} // namespace

void watch_code(void (*function)()) {
    code.inside = reinterpret_cast<uintptr_t>(function);
    (void)dl_iterate_phdr(find_code, nullptr);
    const auto own = reinterpret_cast<uintptr_t>(&watch_code);
    if (is_in(own)) code = {};
    if (code.end == 0) return;
    struct sigaction action = {};
    action.sa_sigaction = on_timer;
    action.sa_flags = SA_SIGINFO | SA_RESTART;
    sigemptyset(&action.sa_mask);
    sigaction(SIGVTALRM, &action, nullptr);
}

void expect_service() {
    if (code.end == 0 || is_expecting || !(QueryCancelPending || ProcDiePending)) return;
    is_expecting = 1;
    start_timer();
}

bool is_lua_abandoned() { return is_abandoned != 0; }

} // namespace pllua_bg::pg
