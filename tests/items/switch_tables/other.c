static const char *text(int n) {
    switch (n) {
    case 1: return "abc";
    case 2: return "uncle";
    case 3: return "delta wing";
    case 4: return "";
    case 5: return "x";
    default: return "none";
    }
}
int other_switch(int n, int m) {
    int total = 0;
    for (const char *p = text(n); *p; p++) total += *p;
    switch (m) {
    case 0: total ^= 1; break;
    case 1: total += n * 3; break;
    case 2: total -= 7; break;
    case 3: total *= 2; /* falls through */
    case 4: total++; break;
    case 5: total = -total; break;
    case 6: total += text(n)[0]; break;
    case 7: total %= 13; break;
    }
    return total;
}
