// Throws what other files catch, catches what other files throw.
#include "shared.h"
#include <exception>

int unwound = 0;
Failure::~Failure() = default;

void throw_one(int kind) {
  Unwound guard;
  std::string text(40, 'x'); // must be freed on the way
  switch (kind) {
  case 0: throw Failure("a failure " + std::to_string(text.size()), 17);
  case 1: throw DeepFailure("a deep failure", 18);
  case 2: throw Carrying<int>{42};
  case 3: throw Carrying<std::string>{"carried"};
  case 4: throw 5;
  case 5: throw "text";
  case 6: throw std::out_of_range("library exception");
  case 7: (void)std::vector<int>().at(3); break;
  case 8: (void)std::stoi("not a number"); break;
  case 9: throw std::make_unique<int>(99);
  case 10: {
    Shape *none = nullptr;
    (void)typeid(*none).name();
    break;
  }
  case 11: (void)dynamic_cast<Square &>(*make_shape(1, 1)); break;
  default: break;
  }
}

int call_back(const std::function<int(int)> &callback, int n) {
  Unwound guard;
  return callback(n) + 1;
}

std::string what_was_thrown(const std::function<void()> &action) {
  try {
    Unwound guard;
    action();
  } catch (const DeepFailure &e) {
    return "DeepFailure " + e.extra + " " + std::to_string(e.code);
  } catch (const Failure &e) {
    return "Failure " + std::string(e.what()) + " " + std::to_string(e.code);
  } catch (const Carrying<int> &e) {
    return "Carrying<int> " + std::to_string(e.payload);
  } catch (const Carrying<std::string> &e) {
    return "Carrying<string> " + e.payload;
  } catch (int e) {
    return "int " + std::to_string(e);
  } catch (const char *e) {
    return std::string("text ") + e;
  } catch (const std::out_of_range &) {
    return "out_of_range";
  } catch (const std::exception &e) {
    return std::string("exception ") + e.what();
  } catch (...) {
    return "something else";
  }
  return "nothing";
}

int guarded(int n) noexcept {
  if (n < 0) throw_one(4); // std::terminate
  return n;
}
