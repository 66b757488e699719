// A round of work with the simulated world, which is one for all threads.
#include <cstdio>
#include <mutex>

#include "app.hpp"
#include "world/config.h"
#include "world/core.h"
#include "world/names.h"
#include "world/report.hpp"
#include "world/sampler.h"

extern "C" {
#include "turns.h"
}

static std::mutex one;

static const char *remark() {
    return "nothing";
}

extern "C" void work(FILE *out) {
    std::lock_guard<std::mutex> lock(one);
    rng_seed(42);
    std::fprintf(out, "%s of %s to %s\n", WORLD_NAME, world_names[0], world_names[WORLD_SPECIES - 1]);
    std::fprintf(out, "%s %.6f, %s %.6f, mix %u\n", title_coarse(), sample_coarse(3), title_fine(), sample_fine(3), mix(12345, 678));
    Scene scene;
    for (int step = 0; step < 12; step++) scene.step();
    for (const auto &line : draw(scene)) std::fprintf(out, "%s\n", line.c_str());
    for (const auto &force : scene.forces) std::fprintf(out, "%s ", force->name().c_str());
    std::fprintf(out, "energy %.6f\n", physics::energy(scene.bodies));
    std::fprintf(out, "%s %s\n", report::bar(6, 10, 10).c_str(), report::by_name("rounded")->number(2.567).c_str());
    report::Table table;
    table.put("size", 3);
    try {
        table.get("colour");
    } catch (const report::NoSuchColumn &error) {
        std::fprintf(out, "caught: %s\n", error.what());
    }
    std::fprintf(out, "remark: %s\n", remark());
}

// A scene that is older than the code that goes on with it.
static Scene *kept;

extern "C" long use_kept(void) {
    std::lock_guard<std::mutex> lock(one);
    if (!kept) kept = new Scene;
    kept->step();
    return kept->turn;
}

extern "C" void forget_kept(void) {
    delete kept;
    kept = nullptr;
}
