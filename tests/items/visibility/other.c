#include "names.h"
int hidden_data = 10;
int internal_data = 20;
VIS("protected") int protected_data = 30;
int hidden_function(int n) { return n + hidden_data; }
int internal_function(int n) { return n + internal_data; }
VIS("protected") int protected_function(int n) { return n + protected_data; }
int read_hidden(void) { return hidden_data; }
int read_internal(void) { return internal_data; }
int read_protected(void) { return protected_data; }
int (*hidden_address(void))(int) { return hidden_function; }
int (*protected_address(void))(int) { return protected_function; }
int *hidden_where(void) { return &hidden_data; }
int *protected_where(void) { return &protected_data; }
