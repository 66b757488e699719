// More static objects, with priorities that interleave with those of statics.cpp.
#include "shared.h"

namespace {
struct Holder {
  std::string text;
  Holder *before;
  Holder(const char *t, Holder *b) : text(t), before(b) { note_construction(("order: " + text + (b ? " after " + b->text : "")).c_str()); }
};
Holder a("a", nullptr);
Holder b("b", &a);
Holder c("c", &b);
} // namespace
Traced with_priority_200 __attribute__((init_priority(200)))("priority 200 in order");
Traced with_priority_400 __attribute__((init_priority(400)))("priority 400 in order");
