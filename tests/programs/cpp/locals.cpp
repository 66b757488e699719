// Thread-locals: with constructor and destructor, plain, used from other files and threads.
#include "shared.h"
#include <mutex>

static std::mutex print_mutex;
static int constructed, destroyed;

PerThread::PerThread() {
  std::lock_guard<std::mutex> lock(print_mutex);
  constructed++;
}
PerThread::~PerThread() {
  std::lock_guard<std::mutex> lock(print_mutex);
  destroyed++;
  std::printf("thread-local ends with %d, %s; %d of %d are gone\n", value, text.c_str(), destroyed, constructed);
}

thread_local PerThread per_thread;
thread_local int plain_per_thread = 41;
static thread_local char zeroed[3000];
alignas(64) static thread_local char aligned[64] = "aligned";

int bump_per_thread(int by) {
  static thread_local int calls = [] { return 1000; }();
  plain_per_thread += by;
  per_thread.value += by;
  zeroed[by % 3000]++;
  if (reinterpret_cast<unsigned long>(aligned) % 64 != 0 || aligned[0] != 'a') std::printf("misaligned\n");
  return ++calls + zeroed[by % 3000];
}
