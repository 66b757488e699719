int not_defined_anywhere(int n);
int present(void) { return not_defined_anywhere(3); }
