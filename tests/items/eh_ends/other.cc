#include <stdexcept>
void throws_other() { throw std::runtime_error("from the other file"); }
