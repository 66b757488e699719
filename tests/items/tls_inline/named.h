#pragma once

struct Named {
    const char *text;
    Named();
    ~Named();
};

inline thread_local Named named;
