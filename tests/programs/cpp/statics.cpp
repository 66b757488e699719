// Static constructors in their order inside a file, and destructors at exit with output.
#include "shared.h"
#include <cstdlib>
#include <iostream>

// Filled before any constructor of this file may run, so constant-initialised.
bool trace_destruction = false;
static std::vector<std::string> *log_so_far;

void note_construction(const char *what) {
  if (!log_so_far) log_so_far = new std::vector<std::string>;
  log_so_far->push_back(what);
}
const std::vector<std::string> &construction_log() { return *log_so_far; }

Traced::Traced(const char *name) : name(name) { note_construction(name); }
Traced::~Traced() {
  if (trace_destruction) std::printf("destroyed %s\n", name);
}

static int computed() {
  note_construction("statics: computed");
  return 12;
}

static Traced first("statics: first");
static int in_between = computed();
static Traced second("statics: second");
Traced with_priority_300 __attribute__((init_priority(300)))("priority 300 in statics");
Traced with_priority_150 __attribute__((init_priority(150)))("priority 150 in statics");

__attribute__((constructor)) static void constructor_function() { note_construction("statics: constructor function"); }
__attribute__((destructor)) static void destructor_function() {
  if (trace_destruction) std::printf("destructor function of statics\n");
}
__attribute__((destructor(200))) static void late_destructor_function() {
  if (trace_destruction) std::printf("late destructor function of statics\n");
}

static Traced &made_on_first_use(int which) {
  if (which == 0) {
    static Traced zero("local zero");
    return zero;
  }
  static Traced one("local one");
  return one;
}

struct ThrowsOnce {
  ThrowsOnce() {
    static int tries = 0;
    if (++tries < 3) throw Failure("construction", tries);
    std::printf("constructed at try %d\n", tries);
  }
};
static void use_throwing_static() { static ThrowsOnce object; }

void check_statics() {
  made_on_first_use(1);
  made_on_first_use(0);
  made_on_first_use(1);
  for (int i = 0; i < 4; i++) {
    try {
      use_throwing_static();
    } catch (const Failure &e) {
      std::printf("static not made, try %d\n", e.code);
    }
  }
  // Files have no order between them; entries with a priority do, before all others.
  for (const char *prefix : {"priority", "statics:", "order:", "main:", "local"})
    for (const std::string &entry : construction_log())
      if (entry.rfind(prefix, 0) == 0) std::printf("constructed %s\n", entry.c_str());
  std::printf("priorities came first: %d, before main: %zu %d\n", construction_log()[3].rfind("priority", 0) == 0,
              inline_vector.size(), in_between);
  std::atexit([] { std::printf("atexit, registered last\n"); });
}
