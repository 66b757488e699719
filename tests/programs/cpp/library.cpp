// The heavy part of the standard library: streams, regex, maps, algorithms, strings, variant.
#include "shared.h"
#include <algorithm>
#include <any>
#include <bitset>
#include <charconv>
#include <chrono>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <list>
#include <locale>
#include <memory_resource>
#include <numeric>
#include <optional>
#include <queue>
#include <random>
#include <regex>
#include <set>
#include <sstream>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <variant>

template <class... F> struct Overloaded : F... {
  using F::operator()...;
};
template <class... F> Overloaded(F...) -> Overloaded<F...>;

// A stream buffer of our own: virtual calls from inside the library back to us.
struct Shouting : std::streambuf {
  std::streambuf *to;
  explicit Shouting(std::streambuf *t) : to(t) {}
  int overflow(int c) override { return c == EOF ? 0 : to->sputc(static_cast<char>(std::toupper(c))); }
};
struct Comma : std::numpunct<char> {
  char do_thousands_sep() const override { return '\''; }
  std::string do_grouping() const override { return "\3"; }
};

static void streams() {
  std::string word;
  int words = 0;
  while (std::cin >> word) {
    words++;
    std::cout << '[' << word << ']';
  }
  std::cout << ' ' << words << " words\n";
  std::cout << std::setw(8) << std::setfill('.') << 42 << ' ' << std::hex << std::showbase << 255 << std::dec << ' '
            << std::fixed << std::setprecision(3) << 3.14159 << ' ' << std::scientific << 12345.678 << std::defaultfloat
            << ' ' << std::boolalpha << true << ' ' << std::quoted("a \"quote\"") << std::endl;
  Shouting shouting(std::cout.rdbuf());
  std::ostream loud(&shouting);
  loud << "shouted " << 1.5 << '\n';
  std::ostringstream grouped;
  grouped.imbue(std::locale(std::locale::classic(), new Comma));
  grouped << 1234567 << ' ' << 12.5;
  std::cout << grouped.str() << '\n';
  {
    std::ofstream file("cpp.txt");
    for (int i = 0; i < 1000; i++) file << i << ' ' << i * 0.5 << '\n';
  }
  std::ifstream file("cpp.txt");
  double sum = 0, x;
  int n;
  while (file >> n >> x) sum += n + x;
  std::cout << "file sum " << sum << '\n';
  std::remove("cpp.txt");
  std::istringstream bad("12 abc");
  int a = 0, b = 0;
  bad >> a >> b;
  std::cout << a << ' ' << bad.fail() << '\n';
  bad.clear();
  bad.exceptions(std::ios::failbit);
  std::cout << what_was_thrown([&] { bad >> b; }).substr(0, 9) << '\n';
  std::cerr << "to the error stream, unbuffered\n";
  std::clog << "to the log\n";
}

static void expressions() {
  std::string text = "mail bob@example.org or alice.smith@test.example.com, not @nobody or x@";
  std::regex mail(R"(([\w.]+)@(\w+(?:\.\w+)+))");
  for (std::sregex_iterator it(text.begin(), text.end(), mail), end; it != end; ++it)
    std::cout << (*it)[1] << " at " << (*it)[2] << "; ";
  std::cout << std::regex_replace(text, std::regex("[aeiou]"), "<$&>").substr(0, 40) << '\n';
  std::cout << what_was_thrown([] { std::regex broken("(unclosed"); }).substr(0, 9) << ' '
            << std::regex_match("2024-02-29", std::regex(R"(\d{4}-\d\d-\d\d)")) << '\n';
}

static void containers() {
  std::mt19937_64 random(42);
  std::vector<unsigned> values(50000);
  for (auto &v : values) v = static_cast<unsigned>(random() % 1000003);
  std::unordered_map<unsigned, int> counts;
  std::map<std::string, std::vector<unsigned>> by_digit;
  for (unsigned v : values) {
    counts[v % 1000]++;
    by_digit[std::to_string(v).substr(0, 1)].push_back(v);
  }
  std::stable_sort(values.begin(), values.end(), [](unsigned a, unsigned b) { return a % 100 < b % 100; });
  unsigned long hash = 0;
  for (unsigned v : values) hash = hash * 31 + v;
  std::nth_element(values.begin(), values.begin() + 25000, values.end());
  std::cout << counts.size() << ' ' << by_digit.size() << ' ' << by_digit["7"].size() << ' ' << std::hex << hash << std::dec << ' '
            << values[25000] << '\n';
  std::priority_queue<int, std::vector<int>, std::greater<>> queue;
  for (int i = 0; i < 100; i++) queue.push((i * 37) % 101);
  int weighted = 0;
  for (int i = 0; !queue.empty(); i++, queue.pop()) weighted += i * queue.top();
  std::list<int> list(100);
  std::iota(list.begin(), list.end(), 0);
  list.remove_if([](int n) { return n % 3 == 0; });
  list.reverse();
  std::set<std::string_view, std::less<>> set{"one", "two", "three", "one"};
  std::cout << weighted << ' ' << list.front() << ' ' << std::accumulate(list.begin(), list.end(), 0) << ' ' << set.size() << ' '
            << *set.lower_bound("p") << ' ' << std::bitset<12>(0xabc).to_string() << '\n';
  char buffer[4096];
  std::pmr::monotonic_buffer_resource memory(buffer, sizeof buffer, std::pmr::null_memory_resource());
  std::pmr::vector<std::pmr::string> pooled(&memory);
  std::cout << what_was_thrown([&] { for (;;) pooled.emplace_back("a string that is too long to be stored in place"); }) << '\n';
}

static void vocabulary() {
  std::variant<int, double, std::string> variants[] = {1, 2.5, "three"};
  for (auto &v : variants)
    std::cout << std::visit(Overloaded{[](int i) { return "int " + std::to_string(i); }, [](double d) { return "double " + std::to_string(d); },
                                       [](const std::string &s) { return "string " + s; }}, v) << ' ';
  std::any any = std::string("any");
  std::optional<int> none;
  std::cout << std::any_cast<std::string>(any) << ' ' << what_was_thrown([&] { std::any_cast<int>(any); }) << ' '
            << what_was_thrown([&] { none.value(); }) << ' ' << what_was_thrown([] { std::get<int>(std::variant<int, char>('c')); }) << '\n';
  auto shared = std::make_shared<std::string>("shared");
  std::weak_ptr<std::string> weak = shared;
  std::function<std::string(int)> recursive = [&](int n) { return n ? *shared + recursive(n - 1) : std::string("."); };
  std::cout << recursive(3) << ' ' << shared.use_count();
  shared.reset();
  std::cout << ' ' << weak.expired() << ' ' << what_was_thrown([] { std::function<void()>()(); }) << ' ';
  double parsed = 0;
  std::string_view digits = "2.718281828459045 rest";
  auto [end, error] = std::from_chars(digits.begin(), digits.end(), parsed);
  std::cout << std::setprecision(16) << parsed << ' ' << end - digits.begin() << ' ' << (error == std::errc()) << ' '
            << std::apply([](auto... x) { return (x + ...); }, std::tuple(1, 2.5, 'a')) << ' '
            << std::chrono::duration_cast<std::chrono::minutes>(std::chrono::hours(3)).count() << '\n';
}

void check_library() {
  std::printf("library:\n");
  streams();
  expressions();
  containers();
  vocabulary();
}
