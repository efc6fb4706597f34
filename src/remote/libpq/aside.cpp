// Work done by a thread. See aside.h.
#include "remote/libpq/aside.h"

#include <cstdint>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace pllua_bg::remote {

namespace {

void *run(void *argument) {
    const auto *aside = static_cast<const Aside *>(argument);
    aside->work(aside->argument);
    const uint64_t one = 1;
    (void)!write(aside->file, &one, sizeof one);
    return nullptr;
}

} // namespace

bool open_aside(Aside *aside) {
    *aside = {};
    aside->file = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return aside->file >= 0;
}

bool begin_aside(Aside *aside, void (*work)(void *argument), void *argument) {
    if (aside->running) return false;
    aside->work = work;
    aside->argument = argument;
    // Signals are for the thread that knows the server.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0) return false;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_t thread;
    aside->running = pthread_create(&thread, &attributes, run, aside) == 0;
    pthread_attr_destroy(&attributes);
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return aside->running;
}

bool is_aside_done(Aside *aside) {
    uint64_t count;
    if (aside->running && read(aside->file, &count, sizeof count) == sizeof count)
        aside->running = false;
    return !aside->running;
}

void close_aside(Aside *aside) {
    close(aside->file);
    aside->file = -1;
}

} // namespace pllua_bg::remote
