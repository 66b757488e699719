#include "world/core.h"
#include "world/report.hpp"

std::string report::bar(double value, double most, int width) {
    char text[128];
    int count = most > 0 ? static_cast<int>(value / most * width) : 0;
    text_repeat(text, sizeof text, '#', count < 0 ? 0 : count > width ? width : count);
    return text;
}
