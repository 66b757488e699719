#include "shapes.h"
int Shape::alive = 0;
Shape::~Shape() { alive--; }
double Circle::area() const { return 3 * r * r; }
struct Named_square : Square, Named {
    std::string name() const override { return "named square"; }
};
Shape *make_shape(int kind) {
    if (kind == 0) return new Circle(2);
    if (kind == 1) return new Square;
    return new Named_square;
}
std::string describe(const Shape *s) {
    if (dynamic_cast<const Named_square *>(s)) return "square with a name";
    return dynamic_cast<const Circle *>(s) ? "round" : "not round";
}
const std::type_info &circle_type() { return typeid(Circle); }
double (Shape::*shape_method())() const { return &Shape::area; }
int Virtual_right::right() { return root + 2; }
Virtual::Virtual() { root = 700; }
