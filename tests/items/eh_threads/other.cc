#include <stdexcept>
#include <string>
int risky(int n) {
    if (n % 3 == 0) throw std::invalid_argument(std::to_string(n));
    return n;
}
