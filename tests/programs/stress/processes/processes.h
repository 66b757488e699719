#ifndef PROCESSES_H
#define PROCESSES_H
#include "../rounds.h"

const char *line_of(const char *command);
int code_of(const char *command);
#endif
