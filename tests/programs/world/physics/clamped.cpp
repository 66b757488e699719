#include "world/physics.hpp"

template double physics::clamped<double>(double, double, double);
