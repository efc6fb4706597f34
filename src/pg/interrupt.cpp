// Signal handlers in front of the server's. See interrupt.h for the contracts.
#include "pg/interrupt.h"

#include "pg/hooks.h"

#include <csignal>

namespace pllua_bg::pg {

namespace {

constexpr int kSignals[] = {SIGINT, SIGTERM, SIGUSR1, SIGALRM};
constexpr int kSignalCount = sizeof(kSignals) / sizeof(kSignals[0]);

// The server's handlers, called first.
struct sigaction server_actions[kSignalCount];

bool takes_info(const struct sigaction &action) { return (action.sa_flags & SA_SIGINFO) != 0; }

void on_signal(int number, siginfo_t *info, void *interrupted) {
    const int saved_errno = errno;
    for (int i = 0; i < kSignalCount; i++) {
        if (kSignals[i] != number) continue;
        if (takes_info(server_actions[i]))
            server_actions[i].sa_sigaction(number, info, interrupted);
        else
            server_actions[i].sa_handler(number);
    }
    if (InterruptPending) hooks.notice_interrupt();
    errno = saved_errno;
}

bool has_handler_of_server(const struct sigaction &action) {
    if (takes_info(action)) return action.sa_sigaction != on_signal;
    return action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN;
}

} // namespace

bool watch_interrupts() {
    static int watched_process;
    if (watched_process == MyProcPid) return false;
    watched_process = MyProcPid;
    for (int i = 0; i < kSignalCount; i++) {
        struct sigaction present;
        if (sigaction(kSignals[i], nullptr, &present) != 0 || !has_handler_of_server(present))
            continue;
        struct sigaction ours = present;
        ours.sa_flags |= SA_SIGINFO;
        ours.sa_sigaction = on_signal;
        server_actions[i] = present;
        sigaction(kSignals[i], &ours, nullptr);
    }
    return true;
}

} // namespace pllua_bg::pg
