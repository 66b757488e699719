// Exceptions that end the process; the argument says how. Destructors must not run.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <thread>
#include <unistd.h>
void throws_other();
static void say(const char *text) { if (write(1, text, std::strlen(text))) {} }
struct Loud {
    ~Loud() { say("destructor\n"); }
};
static void no_throw() noexcept {
    Loud loud;
    throws_other();
}
static void own_terminate() {
    say("terminate handler\n");
    try {
        throw;
    } catch (const std::exception &e) {
        say(e.what());
        say("\n");
    } catch (...) {
        say("unknown\n");
    }
    std::abort();
}
struct Throws {
    ~Throws() noexcept(false) { throws_other(); }
};
int main(int argc, char **argv) {
    const char *way = argc > 1 ? argv[1] : "";
    std::atexit([] { say("atexit\n"); });
    if (!std::strcmp(way, "uncaught")) throws_other();
    if (!std::strcmp(way, "uncaught handler")) {
        std::set_terminate(own_terminate);
        throws_other();
    }
    if (!std::strcmp(way, "exit in handler")) {
        std::set_terminate([] { say("leaving\n"); std::_Exit(44); });
        throw 1;
    }
    if (!std::strcmp(way, "noexcept")) no_throw();
    if (!std::strcmp(way, "double")) {
        try {
            Throws t;
            throw 1;
        } catch (int) {
            say("not reached\n");
        }
    }
    if (!std::strcmp(way, "thread")) std::thread(throws_other).join();
    if (!std::strcmp(way, "rethrow nothing")) throw;
    if (!std::strcmp(way, "joinable")) std::thread t([] { pause(); });
    return 1;
}
