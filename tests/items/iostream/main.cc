// iostreams: standard streams built before main, input, formatting, flushing at exit.
#include <iomanip>
#include <iostream>
#include <map>
#include <sstream>
#include <string>
void print_all(std::ostream &out, const std::map<std::string, int> &words);
struct Early {
    Early() { std::cout << "early" << std::endl; }
    ~Early() { std::cout << "late without flush"; }
};
static Early early;
int main() {
    std::map<std::string, int> words;
    for (std::string word; std::cin >> word;) words[word]++;
    print_all(std::cout, words);
    std::ostringstream text;
    text << std::hex << std::setw(8) << std::setfill('0') << 48879 << ' ' << std::fixed
         << std::setprecision(3) << 2.5;
    std::cout << text.str() << '\n';
    std::istringstream bad("x");
    bad.exceptions(std::ios::failbit);
    try {
        int n;
        bad >> n;
    } catch (const std::ios_base::failure &) {
        std::cout << "failure\n";
    }
    std::cerr << "to stderr\n";
    return 0;
}
