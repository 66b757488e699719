/* Writes a table of the names in a file as C. */
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv) {
    char line[80];
    FILE *from = argc > 2 ? fopen(argv[1], "r") : NULL;
    FILE *to = from ? fopen(argv[2], "w") : NULL;
    if (!to) return 1;
    fputs("#include \"world/names.h\"\n\nconst char *const world_names[] = {\n", to);
    while (fgets(line, sizeof line, from)) {
        line[strcspn(line, "\n")] = 0;
        fprintf(to, "    \"%s\",\n", line);
    }
    fputs("};\n", to);
    return fclose(to);
}
