// Work that may wait for a network or a name server, done by a thread, so that the process goes on
// with what it has to do: it may be told to end meanwhile.
// Owns the thread and the file that tells of its end.
#pragma once

namespace pllua_bg::remote {

struct Aside {
    int file; // an eventfd; readable when the work is done
    bool running;
    void (*work)(void *argument);
    void *argument;
};

// Errors: none; false when there are too many files.
bool open_aside(Aside *aside);
// Runs work(argument), with all signals blocked. False when no thread could be made.
bool begin_aside(Aside *aside, void (*work)(void *argument), void *argument);
// True when nothing runs any more.
bool is_aside_done(Aside *aside);
// Nothing is running.
void close_aside(Aside *aside);

} // namespace pllua_bg::remote
