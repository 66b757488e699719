#include "app.hpp"
#include "world/core.h"

Scene::Scene() : bodies(physics::drop(6)), forces(physics::all_forces()) {
    for (int species = 0; species < life_count(); species++) {
        int x = static_cast<int>(rng_below(40)), y = static_cast<int>(rng_below(8));
        beings.push_back(being{species, x, y, life_species[species]->start});
    }
}

void Scene::step() {
    turn++;
    clock_tick();
    for (auto &being : beings) {
        life_step(&being, turn);
        stats_add(being.energy);
    }
    for (auto &body : bodies) {
        physics::integrate(body, forces, turn, 0.05);
        physics::bounce(body, 0);
    }
}
