// Exceptions inside std::thread, carried by futures, thrown by many threads at once.
#include <cstdio>
#include <future>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>
int risky(int n);
static std::mutex lock;
static int caught[4];
int main() {
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; t++)
        threads.emplace_back([t] {
            for (int i = 0; i < 500; i++) {
                try {
                    risky(i + t);
                } catch (const std::invalid_argument &e) {
                    std::lock_guard<std::mutex> hold(lock);
                    caught[t] += std::stoi(e.what());
                }
            }
        });
    for (auto &t : threads) t.join();
    for (int n : caught) std::printf("%d ", n);
    std::printf("\n");
    auto future = std::async(std::launch::async, risky, 9);
    try {
        std::printf("%d\n", future.get());
    } catch (const std::exception &e) {
        std::printf("future: %s\n", e.what());
    }
    std::promise<int> promise;
    std::thread([&] {
        try {
            risky(12);
        } catch (...) {
            promise.set_exception(std::current_exception());
        }
    }).join();
    try {
        promise.get_future().get();
    } catch (const std::invalid_argument &e) {
        std::printf("promise: %s\n", e.what());
    }
    std::once_flag once;
    for (int i = 0; i < 3; i++) {
        try {
            std::call_once(once, [i] {
                std::printf("try %d\n", i);
                if (i == 0) risky(3);
            });
        } catch (...) {
            std::printf("call_once failed\n");
        }
    }
    return 0;
}
