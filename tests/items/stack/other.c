int other_vla(int n, int grid[n][n]) {
    int copy[n], sum = 0;
    for (int i = 0; i < n; i++) copy[i] = grid[i][n - 1 - i];
    for (int i = 0; i < n; i++) sum += copy[i];
    return sum + (int)(sizeof copy / sizeof *copy);
}
