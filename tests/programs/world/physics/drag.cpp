#include "world/physics.hpp"

namespace physics {
namespace {

struct Kind final : Force {
    Vec2 on(const Body &body, int turn) const override {
        return body.speed * (-0.1 * body.mass);
    }
    std::string name() const override { return "drag"; }
};

} // namespace

std::unique_ptr<Force> drag() { return std::make_unique<Kind>(); }

} // namespace physics
