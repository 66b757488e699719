#include <cstdio>
#include "world/report.hpp"

namespace {
struct Rounded : report::Format {
    std::string number(double value) const override {
        char text[40];
        std::snprintf(text, sizeof text, "%.3f", value);
        return text;
    }
};
} // namespace

std::unique_ptr<report::Format> report::rounded() { return std::make_unique<Rounded>(); }
