#include "world/physics.hpp"

namespace physics {
namespace {

struct Kind final : Force {
    Vec2 on(const Body &body, int turn) const override {
        return Vec2{{-body.speed[1] * 0.05, body.speed[0] * 0.05 + turn * 0.001}};
    }
    std::string name() const override { return "swirl"; }
};

} // namespace

std::unique_ptr<Force> swirl() { return std::make_unique<Kind>(); }

} // namespace physics
