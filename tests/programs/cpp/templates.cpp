// Uses the same templates and inline things as shapes.cpp: they must be the same objects.
#include "shared.h"
#include <typeinfo>

template <class F> static auto compose(F f) {
  return [f](auto x) { return f(f(x)); };
}
template <class T> constexpr T power(T base, unsigned n) { return n == 0 ? T(1) : base * power(base, n - 1); }
template <int N> struct Fibonacci {
  static constexpr long value = Fibonacci<N - 1>::value + Fibonacci<N - 2>::value;
};
template <> struct Fibonacci<1> {
  static constexpr long value = 1;
};
template <> struct Fibonacci<0> {
  static constexpr long value = 0;
};
// The curiously recurring kind, and a variable template.
template <class D> struct Countable {
  inline static int count = 0;
  Countable() { count++; }
};
struct First : Countable<First> {};
struct Second : Countable<Second> {};
template <class T> T zero_of = T() + 1;

void check_templates() {
  inline_variable++;
  shared_counter() *= 2;
  Matrix<int, 3> m{{{1, 0, 0}, {0, 2, 0}, {0, 0, 3}}};
  m = m * m;
  Matrix<double, 4> d;
  d.cells[1][1] = 1.5;
  d = d * d * d;
  std::printf("templates: %d %.3f, counted %d and %d\n", m.cells[2][2], d.cells[1][1],
              Matrix<int, 3>::multiplications, Matrix<double, 4>::multiplications);
  std::printf("same objects: %d %d, inline variable %d, counter %d\n", where_is_the_counter() == &shared_counter(),
              where_is_the_template_static() == &Matrix<int, 3>::multiplications, inline_variable, shared_counter());
  Registry<int>::all()[20] = 2;
  Registry<double>::all()[1] = 1.5;
  std::printf("registries: %zu of int made %d time, %zu of double\n", Registry<int>::all().size(),
              Registry<int>::created, Registry<double>::all().size());
  std::printf("types: %d %d\n", typeid(Circle) == type_of_circle(), typeid(Square) == type_of_circle());
  First f1, f2;
  Second s1;
  std::printf("%s %ld %d %d %d %.1f %s\n", join("a", std::string("b"), "c").c_str(), Fibonacci<50>::value,
              power(3, 7), First::count, Second::count, zero_of<double>,
              compose([](const std::string &s) { return s + "!"; })(std::string("twice")).c_str());
}
