#include "world/physics.hpp"

namespace physics {
namespace {

struct Kind final : Force {
    Vec2 on(const Body &body, int turn) const override {
        return Vec2{{0.0, -9.81 * body.mass}};
    }
    std::string name() const override { return "gravity"; }
};

} // namespace

std::unique_ptr<Force> gravity() { return std::make_unique<Kind>(); }

} // namespace physics
