#include <map>
#include <ostream>
#include <string>
void print_all(std::ostream &out, const std::map<std::string, int> &words) {
    for (const auto &[word, count] : words) out << word << ':' << count << ' ';
    out << '\n';
}
