#include "world/physics.hpp"

bool physics::bounce(Body &body, double floor) {
    if (body.place[1] >= floor) return false;
    body.place[1] = 2 * floor - body.place[1];
    body.speed[1] = -body.speed[1] * 0.8;
    return true;
}
