#include "app.hpp"
#include "world/core.h"

std::vector<std::string> draw(const Scene &scene) {
    grid *window = grid_new(40, 8);
    grid_fill(window, ' ');
    for (const auto &being : scene.beings) grid_put(window, being.x, being.y, life_species[being.species]->sign);
    for (const auto &body : scene.bodies)
        grid_put(window, static_cast<int>(body.place[0]) + 20, 7 - static_cast<int>(body.place[1] / 4), '*');
    std::vector<std::string> lines;
    for (int y = 0; y < window->height; y++) {
        std::string line;
        for (int x = 0; x < window->width; x++) line += static_cast<char>(grid_at(window, x, y));
        lines.push_back(line);
    }
    list *sizes = nullptr;
    for (const auto &line : lines) sizes = list_push(sizes, text_width(line.c_str()));
    sizes = list_reverse(sizes);
    char *mark = static_cast<char *>(arena_take(64));
    text_repeat(mark, 64, '-', list_sum(sizes) & 31);
    lines.push_back(mark + std::to_string(grid_hash(window)) + " " + std::to_string(arena_used()));
    arena_reset();
    list_free(sizes);
    grid_free(window);
    return lines;
}
