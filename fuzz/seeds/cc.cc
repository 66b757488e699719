// COMDAT groups, vtables, type information, exception tables, guarded statics.
struct Shape {
    virtual ~Shape() {}
    virtual int area() const { return 0; }
};
struct Square : Shape {
    int side;
    explicit Square(int s) : side(s) {}
    int area() const override { return side * side; }
};
inline int shared = 3;
static int beginning(int n) { return n + shared; }
template <class T> int once(T n) {
    static int first = beginning(n);
    return first;
}
extern int outside_work(const Shape &);
int work(int n) {
    try {
        Square square(n);
        return outside_work(square) + once(n);
    } catch (int code) {
        return code;
    } catch (const Shape &shape) {
        return shape.area();
    }
}
