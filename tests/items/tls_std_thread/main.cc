// Variables with an initial value in threads that the C++ and the C library start.
#include <cstdio>
#include <future>
#include <memory>
#include <stdexcept>
#include <thread>
#include <threads.h>

thread_local int x = 5;
thread_local long zero;
static thread_local char text[] = "initial";
extern thread_local int elsewhere;

struct Seen {
    ~Seen() { std::puts("the callable is destroyed"); }
};

static int c11(void *argument) { return *static_cast<int *>(argument) + x++ + elsewhere; }

int main() {
    x = 50, zero = 60, text[0] = 'I', elsewhere = 70;
    for (int i = 0; i < 3; i++) {
        auto seen = std::make_unique<Seen>();
        std::thread thread([i, seen = std::move(seen)](int more) {
            std::printf("%d: %d %ld %s %d\n", i, x++, zero++, text, elsewhere++ + more);
            text[0] = 'X';
        }, 100);
        thread.join();
    }
    std::printf("async %d\n", std::async(std::launch::async, [] { return x + elsewhere; }).get());
    auto thrown = std::async(std::launch::async, []() -> int { throw std::runtime_error("thrown"); });
    try {
        thrown.get();
    } catch (const std::runtime_error &e) {
        std::printf("%s\n", e.what());
    }
    thrd_t thread;
    int result = 0, argument = 1000;
    if (thrd_create(&thread, c11, &argument) != thrd_success || thrd_join(thread, &result) != thrd_success)
        return 1;
    std::printf("c11 %d, main %d %ld %s %d\n", result, x, zero, text, elsewhere);
    return 0;
}
