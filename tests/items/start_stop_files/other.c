static const char *const one __attribute__((section("plugins"), used)) = "other one";
static const char *const two __attribute__((section("plugins"), used)) = "other two";
