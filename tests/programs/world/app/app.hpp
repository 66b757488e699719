#pragma once
#include <string>
#include <vector>
#include "world/life.h"
#include "world/physics.hpp"

struct Options {
    int steps = 20, delay = 0, workers = 4;
};
Options parse(int argc, char **argv);

struct Scene {
    std::vector<being> beings;
    std::vector<physics::Body> bodies;
    physics::Forces forces;
    int turn = 0;
    Scene();
    void step();
};

long work(int workers, int rounds);
std::vector<std::string> draw(const Scene &scene);
extern "C" unsigned mix(unsigned a, unsigned b);
