#include "world/physics.hpp"

void physics::integrate(Body &body, const Forces &forces, int turn, double step) {
    Vec2 sum;
    for (const auto &force : forces) sum = sum + force->on(body, turn);
    body.speed = body.speed + sum * (step / body.mass);
    body.speed[0] = clamped(body.speed[0], -50.0, 50.0);
    body.speed[1] = clamped(body.speed[1], -50.0, 50.0);
    body.place = body.place + body.speed * step;
    integrations()++;
}
