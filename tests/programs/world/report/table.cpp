#include "world/report.hpp"

void report::Table::put(const std::string &column, double value) { columns[column] = value; }

double report::Table::get(const std::string &column) const {
    auto found = columns.find(column);
    if (found == columns.end()) throw NoSuchColumn("no column " + column);
    return found->second;
}

std::string report::Table::line() const {
    auto format = by_name("rounded");
    std::vector<std::string> parts;
    for (const auto &[name, value] : columns) parts.push_back(name + "=" + format->number(value));
    return join(parts, " ");
}
