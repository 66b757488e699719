// What all files share: templates, inline variables, statics in inline functions, the class
// hierarchy, the exceptions, and the list of checks.
#pragma once
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

// One of each in the whole program, whichever files use it.
inline int inline_variable = 10;
inline std::vector<std::string> inline_vector{"made", "main: before", "main"};
inline constexpr double constant_table[] = {1.5, 2.5, 3.5};

inline int &shared_counter() {
  static int counter = 100;
  return counter;
}

// Its statics must be one in the whole program. No std::string in the types: gcc and clang then
// give them different names (abi tags), and the files of two compilers would not share them.
template <class T> struct Registry {
  static inline std::map<int, T> entries{};
  static int created;
  static std::map<int, T> &all() {
    static std::map<int, T> *later = (++created, &entries);
    return *later;
  }
};
template <class T> int Registry<T>::created = 0;

template <class T, int N> struct Matrix {
  T cells[N][N]{};
  static int multiplications;
  Matrix operator*(const Matrix &other) const {
    Matrix result;
    for (int i = 0; i < N; i++)
      for (int j = 0; j < N; j++)
        for (int k = 0; k < N; k++) result.cells[i][j] += cells[i][k] * other.cells[k][j];
    multiplications++;
    return result;
  }
};
template <class T, int N> int Matrix<T, N>::multiplications = 0;
// Instantiated in shapes.cpp only.
extern template struct Matrix<double, 4>;

template <class... T> std::string join(const T &...parts) {
  std::string text;
  ((text += text.empty() ? "" : ",", text += parts), ...);
  return text;
}

// The hierarchy: key functions in shapes.cpp, some classes without one.
struct Shape {
  virtual ~Shape();
  virtual double area() const = 0;
  virtual std::string name() const;
  virtual Shape *clone() const = 0;
  static int alive;
  Shape() { alive++; }
  Shape(const Shape &) { alive++; }
};
struct Coloured {
  std::string colour = "grey";
  virtual ~Coloured() = default;
  virtual std::string describe() const { return "colour " + colour; }
};
struct Square : Shape {
  double side;
  explicit Square(double s) : side(s) {}
  double area() const override;
  std::string name() const override;
  Square *clone() const override;
};
// No key function: vtable and type_info in every file, merged by the linker.
struct Circle : Shape, Coloured {
  double radius;
  explicit Circle(double r) : radius(r) {}
  double area() const override { return 3.0 * radius * radius; }
  std::string name() const override { return "circle"; }
  std::string describe() const override { return "round, " + Coloured::describe(); }
  Circle *clone() const override { return new Circle(*this); }
};
struct Base {
  int base_value = 1;
  virtual int value() const { return base_value; }
  virtual ~Base() = default;
};
struct Left : virtual Base {
  int value() const override { return base_value + 10; }
};
struct Right : virtual Base {
  int right_value = 5;
  virtual int other() const { return right_value; }
};
struct Bottom final : Left, Right {
  int value() const override { return Left::value() + right_value; }
  int other() const override { return 1000 + base_value; }
};

// Exceptions: one with its key function in errors.cpp, one without, one template.
struct Failure : std::runtime_error {
  int code;
  Failure(const std::string &what, int code) : std::runtime_error(what), code(code) {}
  ~Failure() override;
};
struct DeepFailure : Failure {
  using Failure::Failure;
  std::string extra = "deep";
};
template <class T> struct Carrying {
  T payload;
};

// errors.cpp
void throw_one(int kind);
int call_back(const std::function<int(int)> &callback, int n);
std::string what_was_thrown(const std::function<void()> &action);
int guarded(int n) noexcept;
extern int unwound;
struct Unwound {
  ~Unwound() { unwound++; }
};

// shapes.cpp
std::unique_ptr<Shape> make_shape(int kind, double size);
Base *make_bottom();
double area_of(const Shape &shape);
double Square_area_through_pointer(const Square &square, double (Square::*method)() const);
int *where_is_the_counter();
int *where_is_the_template_static();
const std::type_info &type_of_circle();

// statics.cpp and order.cpp
struct Traced {
  const char *name;
  explicit Traced(const char *name);
  ~Traced();
};
extern bool trace_destruction;
const std::vector<std::string> &construction_log();
void note_construction(const char *what);

// locals.cpp
struct PerThread {
  int value = 7;
  std::string text = "initial";
  PerThread();
  ~PerThread();
};
extern thread_local PerThread per_thread;
extern thread_local int plain_per_thread;
int bump_per_thread(int by);
extern "C" int c_thread_local_bump(int by);

// Checks of each file, called by main in this order.
void check_shapes();
void check_templates();
void check_library();
void check_threads();
void check_jumps();
void check_statics();
int ending(const std::string &how);
