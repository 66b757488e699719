#include "world/physics.hpp"

namespace physics {
namespace {

struct Kind final : Force {
    Vec2 on(const Body &body, int turn) const override {
        return Vec2{{-body.place[0] * 0.25, 0.0}};
    }
    std::string name() const override { return "spring"; }
};

} // namespace

std::unique_ptr<Force> spring() { return std::make_unique<Kind>(); }

} // namespace physics
