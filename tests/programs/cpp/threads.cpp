// std::thread, locks, condition variables, futures, call_once, exceptions between threads.
#include "shared.h"
#include <atomic>
#include <condition_variable>
#include <deque>
#include <future>
#include <mutex>
#include <numeric>
#include <shared_mutex>
#include <thread>

namespace {
template <class T> class Channel {
  std::mutex mutex;
  std::condition_variable ready;
  std::deque<T> items;
  bool closed = false;

public:
  void send(T item) {
    {
      std::lock_guard lock(mutex);
      items.push_back(std::move(item));
    }
    ready.notify_one();
  }
  void close() {
    {
      std::lock_guard lock(mutex);
      closed = true;
    }
    ready.notify_all();
  }
  bool receive(T &out) {
    std::unique_lock lock(mutex);
    ready.wait(lock, [&] { return closed || !items.empty(); });
    if (items.empty()) return false;
    out = std::move(items.front());
    items.pop_front();
    return true;
  }
};
std::once_flag once;
std::atomic<int> once_calls{0}, magic_static_made{0};

struct Slow {
  Slow() { magic_static_made++; }
};
void raced() { static Slow slow; }
} // namespace

void check_threads() {
  Channel<int> numbers;
  std::atomic<long> sum{0};
  std::vector<std::thread> workers;
  for (int w = 0; w < 4; w++)
    workers.emplace_back([&] {
      int n;
      while (numbers.receive(n)) sum += n;
      std::call_once(once, [] { once_calls++; });
      raced();
    });
  for (int i = 1; i <= 20000; i++) numbers.send(i);
  numbers.close();
  for (auto &w : workers) w.join();
  std::printf("channel: %ld, once %d, magic static %d\n", sum.load(), once_calls.load(), magic_static_made.load());

  // One after the other, so that what they print has an order.
  per_thread.text = "main";
  bump_per_thread(1);
  for (int t = 0; t < 3; t++) {
    std::thread([t] {
      int c = 0, calls = 0;
      for (int i = 0; i <= t; i++) {
        calls = bump_per_thread(10);
        c = c_thread_local_bump(t);
      }
      per_thread.text += " of thread " + std::to_string(t);
      std::printf("thread %d: plain %d, calls %d, in C %d\n", t, plain_per_thread, calls, c);
    }).join();
  }
  std::printf("main: plain %d, object %d, in C %d\n", plain_per_thread, per_thread.value, c_thread_local_bump(0));

  // An exception crosses from one thread to another, twice.
  auto failing = std::async(std::launch::async, [] { throw_one(1); });
  std::printf("future: %s\n", what_was_thrown([&] { failing.get(); }).c_str());
  std::exception_ptr kept;
  std::thread([&] {
    try {
      throw_one(3);
    } catch (...) {
      kept = std::current_exception();
    }
  }).join();
  std::printf("kept: %s\n", what_was_thrown([&] { std::rethrow_exception(kept); }).c_str());

  std::promise<std::string> promise;
  auto future = promise.get_future().share();
  std::thread([&] { promise.set_value("promised"); }).join();
  std::packaged_task<int(int)> task([](int n) { return n * n; });
  auto squared = task.get_future();
  std::thread(std::move(task), 12).join();
  std::printf("%s %d\n", future.get().c_str(), squared.get());

  std::shared_mutex rw;
  std::map<int, int> table;
  std::vector<std::future<long>> parts;
  for (int t = 0; t < 4; t++)
    parts.push_back(std::async(std::launch::async, [&, t] {
      long seen = 0;
      for (int i = 0; i < 500; i++) {
        if (i % 10 == 0) {
          std::unique_lock lock(rw);
          table[t * 1000 + i] = i;
        } else {
          std::shared_lock lock(rw);
          seen += table.count(t * 1000 + i / 10 * 10);
        }
      }
      return seen;
    }));
  long seen = 0;
  for (auto &part : parts) seen += part.get();
  std::printf("shared: %zu entries, %ld seen\n", table.size(), seen);

  // Many threads, each with its own copy of every thread-local.
  std::atomic<int> wrong{0};
  std::vector<std::thread> many;
  for (int t = 0; t < 40; t++)
    many.emplace_back([&] {
      for (int i = 0; i < 50; i++) plain_per_thread += i;
      if (plain_per_thread != 41 + 1225 || c_thread_local_bump(2) != 5) wrong++;
    });
  for (auto &m : many) m.join();
  std::printf("wrong thread-locals: %d\n", wrong.load());
}
