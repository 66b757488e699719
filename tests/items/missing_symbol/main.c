int present(void);
int main(void) { return present(); }
