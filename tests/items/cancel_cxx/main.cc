// Cancellation runs C++ destructors, and catch (...) sees it and must rethrow.
#include <cstdio>
#include <cxxabi.h>
#include <pthread.h>
#include <unistd.h>
void other_block(int fd);
static int pipes[2];
static pthread_barrier_t ready;
struct Loud {
    const char *name;
    ~Loud() { std::printf("~%s\n", name); }
};
static void *body(void *) {
    Loud outer{"outer"};
    try {
        Loud inner{"inner"};
        pthread_barrier_wait(&ready);
        other_block(pipes[0]);
    } catch (abi::__forced_unwind &) {
        std::puts("forced unwind");
        throw;
    } catch (...) {
        std::puts("wrong");
    }
    return nullptr;
}
int main() {
    pthread_t t;
    void *result;
    if (pipe(pipes)) return 1;
    pthread_barrier_init(&ready, nullptr, 2);
    pthread_create(&t, nullptr, body, nullptr);
    pthread_barrier_wait(&ready);
    pthread_cancel(t);
    pthread_join(t, &result);
    std::printf("%d\n", result == PTHREAD_CANCELED);
    return 0;
}
