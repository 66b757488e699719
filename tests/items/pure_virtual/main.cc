// A pure virtual function called while the object is being built ends the process.
#include <cstdio>
struct Base {
    Base();
    virtual void action() = 0;
    virtual ~Base() {}
};
struct Derived : Base {
    void action() override { std::puts("derived"); }
};
int main() {
    std::puts("before");
    std::fflush(stdout);
    Derived d;
    d.action();
    return 0;
}
void act(Base &b) { b.action(); }
