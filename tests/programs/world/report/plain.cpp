#include "world/report.hpp"

namespace {
struct Plain : report::Format {
    std::string number(double value) const override { return std::to_string(value); }
};
} // namespace

std::unique_ptr<report::Format> report::plain() { return std::make_unique<Plain>(); }
