// Runs the checks of all files, or ends the process in the way its argument names.
#include "shared.h"
#include "jumps.h"
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <sys/wait.h>
#include <pthread.h>
#include <typeinfo>
#include <unistd.h>

static void check_main_shapes() {
  std::vector<std::unique_ptr<Shape>> shapes;
  for (int i = 0; i < 6; i++) shapes.push_back(make_shape(i, i + 1));
  shapes.emplace_back(shapes[1]->clone());
  for (auto &shape : shapes) {
    auto *coloured = dynamic_cast<Coloured *>(shape.get()); // across to a sibling base
    std::printf("%s %.2f, square %d, %s\n", shape->name().c_str(), shape->area(), dynamic_cast<Square *>(shape.get()) != nullptr,
                coloured ? coloured->describe().c_str() : "no colour");
    if (coloured) coloured->colour = "blue";
  }
  std::printf("alive %d, ", Shape::alive);
  shapes.clear();
  std::printf("then %d\n", Shape::alive);

  std::unique_ptr<Base> base(make_bottom());
  auto *right = dynamic_cast<Right *>(base.get());
  auto *left = dynamic_cast<Left *>(base.get());
  std::printf("virtual base: %d %d, back %d, whole object %d, type %s\n", base->value(), right->other(),
              dynamic_cast<Left *>(right) == left, dynamic_cast<void *>(right) == dynamic_cast<void *>(left), typeid(*right).name());
  int (Base::*method)() const = &Base::value; // a virtual one
  std::printf("through member pointers: %d %.1f\n", (base.get()->*method)(), Square_area_through_pointer(Square(3), &Square::area));
}

static int throwing_compare(const void *a, const void *b) {
  if (*static_cast<const int *>(a) == 4) throw Failure("out of qsort", 4);
  return *static_cast<const int *>(a) - *static_cast<const int *>(b);
}

std::vector<char> too_big;

static void check_main_errors() {
  for (int kind = 0; kind <= 12; kind++) std::printf("thrown %d: %s\n", kind, what_was_thrown([kind] { throw_one(kind); }).c_str());
  // Back and forth between this file and errors.cpp, several levels deep.
  auto nested = what_was_thrown([] {
    call_back([](int n) { return call_back([](int m) -> int { throw DeepFailure("from the callback", m); }, n + 1); }, 7);
  });
  std::printf("nested: %s, unwound %d\n", nested.c_str(), unwound);
  // Through C frames, and through libc's own.
  int code = 0;
  try {
    c_pass_through([](void *) -> int { throw Failure("through C", 33); }, nullptr);
  } catch (Failure &e) {
    code = e.code;
  }
  int numbers[] = {5, 3, 4, 1, 2, 4};
  std::printf("through C: %d, through libc: %s\n", code,
              what_was_thrown([&] { std::qsort(numbers, 6, sizeof *numbers, throwing_compare); }).c_str());
  // Rethrown and nested, caught by value and by base.
  try {
    try {
      try {
        throw_one(1);
      } catch (Failure &e) {
        e.code += 100;
        throw;
      }
    } catch (std::exception &) {
      std::throw_with_nested(std::logic_error("outer"));
    }
  } catch (std::logic_error &outer) {
    try {
      std::rethrow_if_nested(outer);
    } catch (Failure inner) { // sliced
      std::printf("%s: %s %d %s\n", outer.what(), inner.what(), inner.code, typeid(inner).name());
    }
  }
  struct Member {
    std::string text;
    Member(int n) try : text(n < 0 ? throw Failure("in an initialiser", n) : "fine") {
    } catch (Failure &e) {
      e.code *= 2;
    }
  };
  std::printf("function try block: %s\n", what_was_thrown([] { Member member(-4); }).c_str());
  long sum = 0;
  for (int i = 0; i < 20000; i++) {
    try {
      call_back([i](int) -> int { if (i % 3 == 0) throw Carrying<int>{i}; throw Failure("x", 1); }, 0);
    } catch (const Carrying<int> &e) {
      sum += e.payload;
    } catch (const std::exception &) {
      sum++;
    }
  }
  std::printf("many: %ld, in flight %d, new fails: %s\n", sum, std::uncaught_exceptions(),
              what_was_thrown([] { too_big.resize(static_cast<std::size_t>(-1) / 4); }).c_str());
}

void check_jumps() {
  struct State {
    int sum = 0;
  } state;
  int result = c_loop_until_escape(
      [](void *user, int i) {
        auto *s = static_cast<State *>(user);
        s->sum += i;
        if (i == 50) c_escape(9);
        return 0;
      },
      &state);
  int pointed = 6;
  const unsigned char code[] = {1, 2, 1, 3, 3, 1, 1, 2, 4, 4, 0};
  std::printf("escaped with %d, sum %d; varargs %.2f; interpreted %d\n", result, state.sum,
              c_sum("ildLps", 1, 20L, 0.5, 0.25L, &pointed, c_pair{30, 1.0}), c_interpret(code));
  c_pair pair = c_swap_pair({4, 7.5});
  c_big big = c_reverse({{1, 2, 3, 4, 5, 6, 7, 8, 9}});
  std::printf("structures %ld %.1f %ld %ld; long double %.15Lf; common %d; message %s\n", pair.first, pair.second, big.words[0], big.words[8],
              c_long_double(1.1L, 20), c_common_variable, c_messages[2]);
}

static const bool noted = (note_construction("main: before the text"), true);
static const std::string *const text_before_main = new std::string(inline_vector[1]);

static const bool noted_again = (note_construction(text_before_main->c_str()), noted);

static int atfork_calls;

int ending(const std::string &how) {
  trace_destruction = true;
  std::atexit([] { std::printf("atexit handler\n"); });
  std::at_quick_exit([] {
    std::printf("at_quick_exit handler\n");
    std::fflush(stdout);
  });
  std::cout << "ending by " << how << std::endl;
  if (how == "exit") {
    // Out of a callback of the library, with thread-locals and local statics alive.
    static Traced local("local static");
    bump_per_thread(3);
    std::vector<int> v{3, 1, 2};
    std::sort(v.begin(), v.end(), [](int, int) -> bool { std::exit(9); });
  } else if (how == "quick_exit") {
    std::quick_exit(5);
  } else if (how == "uncaught") {
    std::fflush(stdout);
    call_back([](int) -> int { throw Failure("nobody catches this", 1); }, 1);
  } else if (how == "noexcept") {
    std::set_terminate([] {
      std::fprintf(stderr, "our terminate handler: %s\n", what_was_thrown([] { throw; }).c_str());
      std::fflush(stdout);
      std::abort();
    });
    guarded(-1);
  } else if (how == "pure_virtual") {
    struct Calls : Shape {
      // By now this is no Real any more; the file that calls cannot know.
      ~Calls() override { std::printf("area %.1f\n", area_of(*this)); }
    };
    struct Real final : Calls {
      double area() const override { return 2.0; }
      Real *clone() const override { return nullptr; }
    };
    std::fflush(stdout);
    Shape *volatile shape = new Real;
    delete shape;
  } else if (how == "fork") {
    pthread_atfork([] { atfork_calls += 1; }, [] { atfork_calls += 10; }, [] { atfork_calls += 100; });
    std::fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
      std::printf("child: %d, %s\n", atfork_calls, what_was_thrown([] { throw_one(0); }).c_str());
      std::exit(3);
    }
    int status = 0;
    waitpid(child, &status, 0);
    std::printf("parent: %d, child ended with %d\n", atfork_calls, WEXITSTATUS(status));
    return 4;
  }
  return 1;
}

int main(int argc, char **argv) {
  std::string how = argc > 1 ? argv[1] : "all";
  if (how != "all") return ending(how);
  std::printf("%d arguments, last \"%s\", %s\n", argc - 1, argv[argc - 1], noted_again ? text_before_main->c_str() : "not set");
  check_shapes();
  check_main_shapes();
  check_main_errors();
  check_templates();
  check_library();
  check_threads();
  check_jumps();
  check_statics();
  trace_destruction = true;
  return 0;
}
