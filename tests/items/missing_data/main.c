extern int data_not_defined_anywhere;
int main(void) { return data_not_defined_anywhere; }
