#include "world/config.h"
#include "world/life.h"

const struct species *const life_species[WORLD_SPECIES] = {
    &species_grass,
    &species_rabbit,
    &species_fox,
    &species_owl,
    &species_fern,
    &species_moss,
    &species_hare,
    &species_lynx,
    &species_vole,
    &species_hawk,
    &species_bee,
    &species_ant,
};

int life_count(void) { return WORLD_SPECIES; }

void life_step(struct being *being, int turn) {
    life_species[being->species]->step(being, turn);
    if (being->energy < 0) being->energy = 0;
}
