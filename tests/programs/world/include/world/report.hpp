// How the world is told of: a shared library.
#pragma once
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace report {

struct NoSuchColumn : std::runtime_error {
    using std::runtime_error::runtime_error;
};

class Table {
  public:
    void put(const std::string &column, double value);
    double get(const std::string &column) const;
    std::string line() const;

  private:
    std::map<std::string, double> columns;
};

struct Format {
    virtual ~Format() = default;
    virtual std::string number(double value) const = 0;
};
std::unique_ptr<Format> plain();
std::unique_ptr<Format> rounded();
std::unique_ptr<Format> by_name(const std::string &name);

std::string bar(double value, double most, int width);
std::string join(const std::vector<std::string> &parts, const std::string &between);
extern int lines_told;
void tell(const std::string &line);
const char *where();

} // namespace report
