// Vtables, type information, exceptions, static constructors.
struct Base {
  virtual ~Base();
  virtual int value() { return 1; }
};
struct Derived : Base {
  int value() override;
  int held = 3;
};
int Derived::value() { return held; }

int raise(int x) {
  if (x > 2) throw x;
  return x;
}

struct Guard {
  ~Guard();
};

int guarded(Base *b) {
  Guard guard;
  try {
    return raise(b->value());
  } catch (int e) {
    return e;
  }
}

template <typename T> T twice(T x) {
  static T last;
  T before = last;
  last = x;
  return before + x;
}
int use(int x) { return twice(x) + static_cast<int>(twice(x * 0.5)); }

int compute(int);
int initialised = compute(4);
thread_local int per_thread = compute(5);
int read_thread() { return per_thread; }
Base *make() { return new Derived; }
