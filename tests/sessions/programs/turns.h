/* What every program of an edit session has: see turns.c. */
#ifndef TURNS_H
#define TURNS_H

#include <stdio.h>

/* The program's work: what it writes depends on nothing but the sources. Several threads do it
   at once. */
void work(FILE *out);

/* Uses something that lives from turn to turn and says how often that was. */
long use_kept(void);

/* Ends what `use_kept` has begun. */
void forget_kept(void);

#endif
