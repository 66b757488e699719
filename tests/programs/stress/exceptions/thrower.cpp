#include "shapes.h"

int guards_open = 0;

Problem::Problem(std::string text, int code) : text(std::move(text)), code(code) {}
Problem::~Problem() = default;
Worse::~Worse() = default;
const char *Problem::what() const noexcept { return text.c_str(); }

int descend(int depth, int code) {
    Guard guard;
    if (depth > 0) {
        try {
            return descend(depth - 1, code) + 1;
        } catch (const Worse &worse) {
            if (depth % 3 == 0) throw;
            throw Worse(worse.text, worse.code + 1);
        }
    }
    if (code % 2) throw Worse("worse", code);
    throw Problem("a problem long enough to need memory of its own", code);
}

std::exception_ptr caught(int code) {
    try {
        descend(4, code);
    } catch (...) {
        return std::current_exception();
    }
    return nullptr;
}
