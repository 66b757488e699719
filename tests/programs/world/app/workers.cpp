#include <atomic>
#include <thread>
#include "app.hpp"
#include "world/core.h"

// The sum does not depend on who is faster: what a thread counts is its own.
long work(int workers, int rounds) {
    std::atomic<long> sum{0};
    std::vector<std::thread> threads;
    for (int worker = 0; worker < workers; worker++)
        threads.emplace_back([&sum, rounds, worker] {
            for (int round = 0; round < rounds; round++) sum += thread_step() % (worker + 2);
            sum += thread_steps;
        });
    for (auto &thread : threads) thread.join();
    return sum + thread_steps;
}
