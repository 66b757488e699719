extern unsigned __int128 shared;
void other_add(unsigned __int128 by) { __atomic_fetch_add(&shared, by, __ATOMIC_SEQ_CST); }
