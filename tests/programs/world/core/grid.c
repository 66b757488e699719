#include <stdlib.h>
#include <string.h>
#include "world/core.h"

static int inside(const struct grid *grid, int x, int y) {
    return x >= 0 && y >= 0 && x < grid->width && y < grid->height;
}

struct grid *grid_new(int width, int height) {
    struct grid *grid = malloc(sizeof *grid);
    if (!grid) abort();
    grid->width = width;
    grid->height = height;
    grid->cells = calloc((size_t)width, (size_t)height);
    if (!grid->cells) abort();
    return grid;
}

void grid_free(struct grid *grid) {
    free(grid->cells);
    free(grid);
}

void grid_fill(struct grid *grid, unsigned char value) {
    memset(grid->cells, value, (size_t)grid->width * (size_t)grid->height);
}

unsigned char grid_at(const struct grid *grid, int x, int y) {
    return inside(grid, x, y) ? grid->cells[y * grid->width + x] : ' ';
}

void grid_put(struct grid *grid, int x, int y, unsigned char value) {
    if (inside(grid, x, y)) grid->cells[y * grid->width + x] = value;
}

unsigned grid_hash(const struct grid *grid) {
    unsigned hash = 2166136261u;
    for (int i = 0; i < grid->width * grid->height; i++) hash = (hash ^ grid->cells[i]) * 16777619u;
    return hash;
}
