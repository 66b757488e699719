_Thread_local int block[100000];
int block_sum(void) {
    int sum = 0;
    for (int i = 0; i < 100000; i++) sum += block[i];
    return sum;
}
