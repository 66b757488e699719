#include "object.h"
int Object::alive = 0;
static Object earliest __attribute__((init_priority(400))) = Object("other earliest");
static Object other("other");
Object &get_other() { return other; }
