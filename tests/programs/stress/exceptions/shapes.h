#pragma once
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "../rounds.h"

struct Problem : std::exception {
    std::string text;
    int code;
    Problem(std::string text, int code);
    ~Problem() override;
    const char *what() const noexcept override;
};
struct Worse : Problem {
    using Problem::Problem;
    ~Worse() override;
};

struct Shape {
    virtual ~Shape();
    virtual double area() const = 0;
    virtual std::unique_ptr<Shape> clone() const = 0;
};
struct Round : virtual Shape {
    double radius;
    explicit Round(double radius) : radius(radius) {}
    double area() const override;
    std::unique_ptr<Shape> clone() const override;
};
struct Named : virtual Shape {
    std::string name;
    explicit Named(std::string name) : name(std::move(name)) {}
    virtual std::string title() const;
};
struct Sign : Round, Named {
    Sign(double radius, std::string name) : Round(radius), Named(std::move(name)) {}
    double area() const override;
    std::unique_ptr<Shape> clone() const override;
    std::string title() const override;
};

// thrower.cpp
int descend(int depth, int code);
std::exception_ptr caught(int code);
extern int guards_open;
struct Guard {
    Guard() { guards_open++; }
    ~Guard() { guards_open--; }
};

// locals.cpp
int first_use();
int made();
struct Counter {
    int seen = 0;
    Counter();
    ~Counter();
    int next();
};
extern thread_local Counter counter;
long counters_gone();
std::vector<std::function<int(int)>> functions();

template <class T> T &single() {
    static T value{};
    return value;
}
