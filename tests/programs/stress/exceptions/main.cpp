#include <cstring>
#include <iostream>
#include <thread>
#include <typeinfo>

#include "shapes.h"

static void throwing() {
    for (int code = 0; code < 20; code++) {
        try {
            descend(6, code);
            CHECK(!"no exception");
        } catch (Worse &worse) {
            CHECK(code % 2 && worse.code == code + 4 && worse.text == "worse");
        } catch (const std::exception &problem) {
            CHECK(code % 2 == 0 && !std::strncmp(problem.what(), "a problem", 9));
            CHECK(dynamic_cast<const Problem &>(problem).code == code);
        }
        CHECK(guards_open == 0);
    }
}

static void elsewhere() {
    std::exception_ptr problem = caught(3);
    std::thread thread([problem] {
        try {
            std::rethrow_exception(problem);
        } catch (const Problem &caught) {
            CHECK(typeid(caught) == typeid(Worse));
            CHECK(caught.code == 3 + 3);
        }
        for (int i = 1; i < 5; i++) CHECK(counter.next() == i);
    });
    thread.join();
}

static void shapes(const std::vector<std::unique_ptr<Shape>> &old) {
    double sum = 0;
    for (const auto &shape : old) {
        auto copy = shape->clone();
        const Shape &left = *copy, &right = *shape;
        CHECK(typeid(left) == typeid(right));
        sum += copy->area();
        if (auto *named = dynamic_cast<Named *>(copy.get())) CHECK(named->title() == "sign stop");
        else CHECK(dynamic_cast<Round *>(copy.get()) != nullptr);
    }
    CHECK(sum == 10 * 12 + 10 * 6);
}

int main() {
    std::vector<std::unique_ptr<Shape>> old;
    for (int i = 0; i < 10; i++) {
        old.push_back(std::make_unique<Round>(2));
        old.push_back(std::make_unique<Sign>(2, "stop"));
    }
    auto kept = functions();
    std::exception_ptr from_the_start = caught(5);
    std::string *text = &single<std::string>();
    *text = "kept";
    FOR(0.4) throwing();
    FOR(0.3) elsewhere();
    FOR(0.3) {
        shapes(old);
        for (int i = 0; i < 8; i++) CHECK(kept[i](2) == 2 * (40 + i) + i);
        CHECK(first_use() == 1 && &single<std::string>() == text && *text == "kept");
        CHECK(std::to_string(made()) == "1");
    }
    try {
        std::rethrow_exception(from_the_start);
    } catch (const Worse &worse) {
        std::cout << worse.what() << ' ' << worse.code << std::endl;
    }
    CHECK(counter.next() == 1);
    CHECK(counters_gone() == -1);
    std::cout << "exceptions were caught" << std::endl;
    return 0;
}
