int other_run(const unsigned char *code, int n) {
    static const int offsets[] = {&&add - &&add, &&twice - &&add, &&less - &&add, &&loop - &&add, &&end - &&add};
    const void *labels[] = {&&add, &&twice, &&less, &&loop, &&end};
    int at = 0, steps = 0;
    goto *labels[code[at]];
add: n += code[at + 1]; at += 2; steps++; goto *(&&add + offsets[code[at]]);
twice: n *= 2; at++; steps++; goto *labels[code[at]];
less: at = n < 1000 ? at + 1 : at + 2; steps++; goto *(&&add + offsets[code[at]]);
loop: at = 0; steps++; goto *labels[code[at]];
end: return n * 100 + steps;
}
