#pragma once
extern const char *const world_names[];
