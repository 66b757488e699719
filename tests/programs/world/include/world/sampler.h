#pragma once
#ifdef __cplusplus
extern "C" {
#endif
double sample_coarse(double to);
double sample_fine(double to);
const char *title_coarse(void);
const char *title_fine(void);
#ifdef __cplusplus
}
#endif
