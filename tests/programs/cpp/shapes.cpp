// Virtual calls, several and virtual bases, covariant returns, member pointers, RTTI.
#include "shared.h"
#include <typeinfo>

int Shape::alive = 0;
Shape::~Shape() { alive--; }
std::string Shape::name() const { return "shape"; }
double Square::area() const { return side * side; }
std::string Square::name() const { return "square"; }
Square *Square::clone() const { return new Square(*this); }

template struct Matrix<double, 4>;

namespace {
// Its name is local: two files may each have one.
struct Local final : Shape {
  double area() const override { return 0.25; }
  std::string name() const override { return Shape::name() + " of shapes.cpp"; }
  Local *clone() const override { return new Local; }
};
} // namespace

std::unique_ptr<Shape> make_shape(int kind, double size) {
  switch (kind % 3) {
  case 0: return std::make_unique<Square>(size);
  case 1: return std::make_unique<Circle>(size);
  default: return std::make_unique<Local>();
  }
}

double area_of(const Shape &shape) { return shape.area(); }

Base *make_bottom() { return new Bottom; }

double Square_area_through_pointer(const Square &square, double (Square::*method)() const) {
  return (square.*method)();
}

int *where_is_the_counter() { return &shared_counter(); }
int *where_is_the_template_static() { return &Matrix<int, 3>::multiplications; }
const std::type_info &type_of_circle() { return typeid(Circle); }

void check_shapes() {
  inline_variable++;
  shared_counter() += 5;
  Matrix<int, 3> a{{{1, 2, 3}, {4, 5, 6}, {7, 8, 9}}};
  a = a * a;
  std::printf("shapes: matrix %d, inline variable %d\n", a.cells[2][2], inline_variable);
  Registry<int>::all()[10] = 1;
}
