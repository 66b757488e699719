#include "world/physics.hpp"

namespace physics {
namespace {

struct Kind final : Force {
    Vec2 on(const Body &body, int turn) const override {
        return Vec2{{(turn % 7 - 3) * 0.5 * body.mass, 0.0}};
    }
    std::string name() const override { return "wind"; }
};

} // namespace

std::unique_ptr<Force> wind() { return std::make_unique<Kind>(); }

} // namespace physics
