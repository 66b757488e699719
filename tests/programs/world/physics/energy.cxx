#include "world/physics.hpp"
#include <numeric>

double physics::energy(const std::vector<Body> &bodies) {
    return std::accumulate(bodies.begin(), bodies.end(), 0.0, [](double sum, const Body &body) {
        return sum + body.mass * (body.speed.dot(body.speed) / 2 + 9.81 * body.place[1]);
    });
}
