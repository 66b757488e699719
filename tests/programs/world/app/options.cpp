#include <stdexcept>
#include "app.hpp"

Options parse(int argc, char **argv) {
    Options options;
    for (int i = 1; i + 1 < argc; i += 2) {
        std::string name = argv[i];
        int value = std::stoi(argv[i + 1]);
        if (name == "--steps") options.steps = value;
        else if (name == "--delay") options.delay = value;
        else if (name == "--workers") options.workers = value;
        else throw std::invalid_argument("unknown option " + name);
    }
    if (argc % 2 == 0) throw std::invalid_argument(std::string("no value for ") + argv[argc - 1]);
    return options;
}
