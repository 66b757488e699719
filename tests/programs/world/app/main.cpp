#include <chrono>
#include <cstdio>
#include <exception>
#include <thread>
#include "app.hpp"
#include "world/config.h"
#include "world/core.h"
#include "world/names.h"
#include "world/report.hpp"
#include "world/sampler.h"

static void summary(const Scene &scene) {
    report::Table table;
    table.put("energy", physics::energy(scene.bodies));
    table.put("mean", stats_mean());
    table.put("spread", stats_spread());
    table.put("integrations", physics::integrations());
    report::tell(table.line());
    try {
        table.get("colour");
    } catch (const report::NoSuchColumn &error) {
        report::tell(std::string("caught: ") + error.what());
    }
}

int main(int argc, char **argv) try {
    Options options = parse(argc, argv);
    rng_seed(42);
    report::tell(std::string(WORLD_NAME) + " of " + world_names[0] + " to " + world_names[WORLD_SPECIES - 1]);
    report::tell(std::string(title_coarse()) + " " + report::by_name("plain")->number(sample_coarse(3)));
    report::tell(std::string(title_fine()) + " " + report::by_name("plain")->number(sample_fine(3)));
    report::tell("mix " + std::to_string(mix(12345, 678)));
    Scene scene;
    for (int step = 0; step < options.steps; step++) {
        scene.step();
        report::tell("turn " + std::to_string(scene.turn) + " " + report::bar(scene.turn, options.steps, 20));
        if (step % 5 == 4)
            for (const auto &line : draw(scene)) report::tell(line);
        if (options.delay) std::this_thread::sleep_for(std::chrono::milliseconds(options.delay));
    }
    summary(scene);
    report::tell("work " + std::to_string(work(options.workers, 1000)));
    std::string path = report::where();
    report::tell("told from " + path.substr(path.rfind('/') + 1) + ", " + std::to_string(report::lines_told) + " lines, "
                 + std::to_string(clock_ticks()) + " ticks, " + std::to_string(log_count()) + " logged");
    return 0;
} catch (const std::exception &error) {
    std::fprintf(stderr, "world: %s\n", error.what());
    return 2;
}
