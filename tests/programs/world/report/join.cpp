#include "world/report.hpp"

std::string report::join(const std::vector<std::string> &parts, const std::string &between) {
    std::string all;
    for (const auto &part : parts) all += (all.empty() ? "" : between) + part;
    return all;
}
