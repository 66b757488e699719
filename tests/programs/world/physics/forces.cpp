#include "world/physics.hpp"

physics::Forces physics::all_forces() {
    Forces forces;
    forces.push_back(gravity());
    forces.push_back(drag());
    forces.push_back(wind());
    forces.push_back(spring());
    forces.push_back(swirl());
    return forces;
}
