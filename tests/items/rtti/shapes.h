#include <string>
#include <typeinfo>
struct Shape {
    static int alive;
    Shape() { alive++; }
    virtual ~Shape();
    virtual double area() const = 0;
};
struct Circle : Shape {
    double r;
    explicit Circle(double r = 1) : r(r) {}
    double area() const override;
};
struct Square : Shape {
    double side = 2;
    double area() const override { return side * side; }
};
struct Named {
    int tag = 9;
    virtual ~Named() {}
    virtual std::string name() const { return "named"; }
};
struct Virtual_root { int root = 70; virtual ~Virtual_root() {} };
struct Virtual_left : virtual Virtual_root { virtual int left() { return root + 1; } };
struct Virtual_right : virtual Virtual_root { virtual int right(); };
struct Virtual : Virtual_left, Virtual_right {
    using Left = Virtual_left;
    using Right = Virtual_right;
    Virtual();
};
Shape *make_shape(int kind);
std::string describe(const Shape *s);
const std::type_info &circle_type();
