/* What lives in the world: a file for each species. */
#pragma once
#ifdef __cplusplus
extern "C" {
#endif
struct being {
    int species, x, y, energy;
};
struct species {
    char sign;
    int start;
    void (*step)(struct being *being, int turn);
};
extern const struct species *const life_species[];
int life_count(void);
void life_step(struct being *being, int turn);
extern const struct species species_grass;
extern const struct species species_rabbit;
extern const struct species species_fox;
extern const struct species species_owl;
extern const struct species species_fern;
extern const struct species species_moss;
extern const struct species species_hare;
extern const struct species species_lynx;
extern const struct species species_vole;
extern const struct species species_hawk;
extern const struct species species_bee;
extern const struct species species_ant;
#ifdef __cplusplus
}
#endif
