__int128 other_divide(__int128 a, __int128 b) { return a / b; }
