// A host in C++: objects that free themselves, exceptions through guarded calls in both ways, and
// code that is itself C++.

#include <memory>
#include <stdexcept>
#include <string>

#include "check.h"

template <typename T, void (*end)(T *)> struct End {
    void operator()(T *object) const { end(object); }
};
using Runtime = std::unique_ptr<hotslot_runtime, End<hotslot_runtime, hotslot_runtime_free>>;
using Error = std::unique_ptr<hotslot_error, End<hotslot_error, hotslot_error_free>>;
using Text = std::unique_ptr<char, End<char, hotslot_string_free>>;

// Exported, for the code to call.
extern "C" void host_throws() { throw std::runtime_error("of the host"); }

static int ended;
struct Counted {
    ~Counted() { ended++; }
};

static Runtime with(const char *object) {
    Runtime runtime(new_runtime());
    hotslot_error *error;
    hotslot_source source;
    hotslot_init(&source, sizeof source);
    source.kind = HOTSLOT_SOURCE_FILE;
    source.path = object;
    char *report;
    OK(hotslot_load(runtime.get(), "code", &source, &report, &error));
    Text owned(report);
    SAYS(owned.get(), "\"name\":\"code\"");
    return runtime;
}

static void (*address(const Runtime &runtime, const char *name))(void *) {
    hotslot_error *error;
    hotslot_fn function = hotslot_function(runtime.get(), name, nullptr, &error);
    CHECK(function);
    return reinterpret_cast<void (*)(void *)>(function);
}

int main(int argc, char **argv) {
    CHECK(argc == 2);
    Runtime runtime = with(argv[1]);
    hotslot_error *error;
    // Thrown and caught in the code.
    int caught = 0;
    OK(hotslot_call_guarded(runtime.get(), address(runtime, "catches"), &caught, nullptr, &error));
    CHECK(caught == 7);
    // Thrown by the code or by the host below it, caught by the host above it.
    for (const char *name : {"throws", "has_host_throw"}) {
        std::string what;
        try {
            Counted counted;
            hotslot_call_guarded(runtime.get(), address(runtime, name), nullptr, nullptr, &error);
        } catch (const std::exception &exception) {
            what = exception.what();
        }
        CHECK(what == (std::string(name) == "throws" ? "of the code" : "of the host"));
    }
    CHECK(ended == 2);
    // A crash still is an error.
    hotslot_code code =
        hotslot_call_guarded(runtime.get(), address(runtime, "crashes"), nullptr, nullptr, &error);
    Error failed(error);
    CHECK(code == HOTSLOT_CODE_FAULT && hotslot_error_code(failed.get()) == code);
    SAYS(hotslot_error_text(failed.get()), "crashes");
    puts("well");
}
