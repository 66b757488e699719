struct Base {
    int value;
    explicit Base(int v) : value(v) {}
    virtual ~Base();
    virtual int code() const;
};
struct Derived : Base {
    using Base::Base;
    int code() const override;
};
int thrower(int n);
int quiet(int n);
int catches_itself(int n);
