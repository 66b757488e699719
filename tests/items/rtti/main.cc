// RTTI, dynamic_cast, virtual and multiple inheritance, pointers to members, across files.
#include <cstdio>
#include <string>
#include <typeinfo>
#include "shapes.h"

struct Ring : Circle, virtual Named {
    using Circle::Circle;
    double area() const override { return Circle::area() / 2; }
    std::string name() const override { return "ring"; }
};
struct Counter {
    int value = 0;
    int add(int n) { return value += n; }
    virtual int twice(int n) { return 2 * n; }
    virtual ~Counter() {}
};
struct Other : Counter {
    int twice(int n) override { return 3 * n; }
};
int (Counter::*const methods[])(int) = {&Counter::add, &Counter::twice};
int Counter::*const field = &Counter::value;
double (Shape::*shape_method())() const;

int main() {
    Shape *shapes[] = {make_shape(0), make_shape(1), new Ring(3.0), make_shape(2)};
    for (Shape *s : shapes) {
        std::printf("%.2f %s %d%d%d %s\n", s->area(), typeid(*s).name(),
                    dynamic_cast<Circle *>(s) != nullptr, dynamic_cast<Square *>(s) != nullptr,
                    dynamic_cast<Ring *>(s) != nullptr, describe(s).c_str());
        if (auto *n = dynamic_cast<Named *>(s)) std::printf("  %s %d\n", n->name().c_str(), n->tag);
        std::printf("  %.2f %d\n", (s->*shape_method())(), dynamic_cast<void *>(s) != nullptr);
    }
    std::printf("%d\n", typeid(*shapes[0]) == circle_type());
    Other o;
    std::printf("%d %d %d\n", (o.*methods[0])(5), (o.*methods[1])(5), o.*field);
    Virtual v;
    Virtual::Left *left = &v;
    std::printf("%d %d\n", left->root, dynamic_cast<Virtual::Right *>(left)->right());
    for (Shape *s : shapes) delete s;
    std::printf("%d\n", Shape::alive);
    return 0;
}
