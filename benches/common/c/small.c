/* A small module: ten functions, a variable, a string. Each function can call one of the
 * module before it. The names have a fixed width: the benchmark writes other digits. */
static long calls;
int hs_m00000_state = 3;
static const char *const name = "module hs_m00000";

extern long hs_p00000_f0(long);
extern long hs_p00000_f1(long);
extern long hs_p00000_f2(long);
extern long hs_p00000_f3(long);
extern long hs_p00000_f4(long);
extern long hs_p00000_f5(long);
extern long hs_p00000_f6(long);
extern long hs_p00000_f7(long);
extern long hs_p00000_f8(long);
extern long hs_p00000_f9(long);

long hs_m00000_f0(long depth) {
  calls++;
  if (depth > 0) return hs_p00000_f0(depth - 1) + 1;
  return name[0] + hs_m00000_state * 2;
}
long hs_m00000_f1(long depth) {
  calls++;
  if (depth > 0) return hs_p00000_f1(depth - 1) + 2;
  return name[1] + hs_m00000_state * 3;
}
long hs_m00000_f2(long depth) {
  calls++;
  if (depth > 0) return hs_p00000_f2(depth - 1) + 3;
  return name[2] + hs_m00000_state * 4;
}
long hs_m00000_f3(long depth) {
  calls++;
  if (depth > 0) return hs_p00000_f3(depth - 1) + 4;
  return name[3] + hs_m00000_state * 5;
}
long hs_m00000_f4(long depth) {
  calls++;
  if (depth > 0) return hs_p00000_f4(depth - 1) + 5;
  return name[4] + hs_m00000_state * 6;
}
long hs_m00000_f5(long depth) {
  calls++;
  if (depth > 0) return hs_p00000_f5(depth - 1) + 6;
  return name[5] + hs_m00000_state * 7;
}
long hs_m00000_f6(long depth) {
  calls++;
  if (depth > 0) return hs_p00000_f6(depth - 1) + 7;
  return name[6] + hs_m00000_state * 8;
}
long hs_m00000_f7(long depth) {
  calls++;
  if (depth > 0) return hs_p00000_f7(depth - 1) + 8;
  return name[7] + hs_m00000_state * 9;
}
long hs_m00000_f8(long depth) {
  calls++;
  if (depth > 0) return hs_p00000_f8(depth - 1) + 9;
  return name[8] + hs_m00000_state * 10;
}
long hs_m00000_f9(long depth) {
  calls++;
  if (depth > 0) return hs_p00000_f9(depth - 1) + 10;
  return name[9] + hs_m00000_state * 11;
}
