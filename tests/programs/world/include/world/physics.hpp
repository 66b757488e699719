// Bodies that fall, in C++ with templates that several files use.
#pragma once
#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace physics {

template <typename T, std::size_t N> struct Vec {
    std::array<T, N> v{};
    T &operator[](std::size_t i) { return v[i]; }
    const T &operator[](std::size_t i) const { return v[i]; }
    Vec operator+(const Vec &other) const {
        Vec sum;
        for (std::size_t i = 0; i < N; i++) sum[i] = v[i] + other[i];
        return sum;
    }
    Vec operator*(T factor) const {
        Vec product;
        for (std::size_t i = 0; i < N; i++) product[i] = v[i] * factor;
        return product;
    }
    T dot(const Vec &other) const {
        T sum{};
        for (std::size_t i = 0; i < N; i++) sum += v[i] * other[i];
        return sum;
    }
};
using Vec2 = Vec<double, 2>;

struct Body {
    Vec2 place, speed;
    double mass = 1;
};

struct Force {
    virtual ~Force() = default;
    virtual Vec2 on(const Body &body, int turn) const = 0;
    virtual std::string name() const = 0;
};

using Forces = std::vector<std::unique_ptr<Force>>;
std::unique_ptr<Force> gravity();
std::unique_ptr<Force> drag();
std::unique_ptr<Force> wind();
std::unique_ptr<Force> spring();
std::unique_ptr<Force> swirl();
Forces all_forces();

void integrate(Body &body, const Forces &forces, int turn, double step);
double energy(const std::vector<Body> &bodies);
bool bounce(Body &body, double floor);
std::vector<Body> drop(int count);

// One counter for the whole program, wherever it is inlined.
inline int &integrations() {
    static int count = 0;
    return count;
}

template <typename T> T clamped(T value, T low, T high) { return value < low ? low : value > high ? high : value; }
extern template double clamped<double>(double, double, double);

} // namespace physics
