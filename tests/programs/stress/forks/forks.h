#pragma once
#include "../rounds.h"

int throw_and_catch(int value);
int child_work(int rounds);
int count_calls();
