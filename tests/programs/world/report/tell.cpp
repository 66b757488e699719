#include "world/core.h"
#include "world/report.hpp"

int report::lines_told = 0;

void report::tell(const std::string &line) {
    lines_told++;
    log_line("%s", line.c_str());
}
