#include <functional>
#include "world/report.hpp"

// Made before main.
static const std::map<std::string, std::function<std::unique_ptr<report::Format>()>> formats = {
    {"plain", report::plain},
    {"rounded", report::rounded},
};

std::unique_ptr<report::Format> report::by_name(const std::string &name) {
    auto found = formats.find(name);
    if (found == formats.end()) throw std::out_of_range(name);
    return found->second();
}
