#include "world/core.h"
#include "world/physics.hpp"

std::vector<physics::Body> physics::drop(int count) {
    std::vector<Body> bodies(static_cast<std::size_t>(count));
    for (auto &body : bodies) {
        body.place = Vec2{{rng_below(40) - 20.0, 10.0 + rng_below(20)}};
        body.mass = 1 + rng_below(5);
    }
    return bodies;
}
