/* A round of work with zstd: text is compressed at some levels and comes back. */
#include <stdlib.h>
#include <string.h>

#include "xxhash.h"
#include "zstd.h"
#include "zstd_errors.h"

#include "turns.h"

#define LENGTH 24000

static const char *remark(void) {
    return "nothing";
}

/* Words in an order that a level has to search for. */
static void fill(char *text) {
    static const char *const words[] = { "slot ", "stub ", "module ", "generation ", "redirect ", "publish ", "retire " };
    unsigned state = 12345;
    size_t at = 0;
    while (at < LENGTH) {
        state = state * 1664525u + 1013904223u;
        const char *word = words[(state >> 16) % 7];
        size_t length = strlen(word);
        if (length > LENGTH - at) length = LENGTH - at;
        memcpy(text + at, word, length);
        if ((state >> 24) % 5 == 0) text[at] = (char)('0' + (state >> 8) % 10);
        at += length;
    }
}

static void one_level(FILE *out, const char *text, int level) {
    size_t bound = ZSTD_compressBound(LENGTH);
    char *packed = malloc(bound);
    char *back = malloc(LENGTH);
    ZSTD_CCtx *cctx = ZSTD_createCCtx();
    ZSTD_CCtx_setParameter(cctx, ZSTD_c_compressionLevel, level);
    ZSTD_CCtx_setParameter(cctx, ZSTD_c_checksumFlag, 1);
    size_t size = ZSTD_compress2(cctx, packed, bound, text, LENGTH);
    size_t length = ZSTD_isError(size) ? size : ZSTD_decompress(back, LENGTH, packed, size);
    if (ZSTD_isError(length)) {
        fprintf(out, "level %d: %s\n", level, ZSTD_getErrorName(length));
    } else {
        const char *same = length == LENGTH && memcmp(text, back, LENGTH) == 0 ? "same" : "other";
        fprintf(out, "level %d: %zu %016llx %s\n", level, size, (unsigned long long)XXH64(packed, size, 0), same);
    }
    ZSTD_freeCCtx(cctx);
    free(packed);
    free(back);
}

void work(FILE *out) {
    static const int levels[] = { 1, 3, 5, 9, 17 };
    char *text = malloc(LENGTH);
    fill(text);
    fprintf(out, "version %s %u\n", ZSTD_versionString(), ZSTD_versionNumber());
    fprintf(out, "levels to %d, bound %zu\n", ZSTD_maxCLevel(), ZSTD_compressBound(1000));
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) one_level(out, text, levels[i]);
    fprintf(out, "garbage: %s\n", ZSTD_getErrorName(ZSTD_decompress(text, 10, "garbage in", 10)));
    fprintf(out, "size: %s\n", ZSTD_getErrorString(ZSTD_error_srcSize_wrong));
    fprintf(out, "remark: %s\n", remark());
    ZSTD_CCtx *cctx = ZSTD_createCCtx();
    ZSTD_DCtx *dctx = ZSTD_createDCtx();
    fprintf(out, "contexts of %zu and %zu\n", ZSTD_sizeof_CCtx(cctx), ZSTD_sizeof_DCtx(dctx));
    ZSTD_freeCCtx(cctx);
    ZSTD_freeDCtx(dctx);
    free(text);
}

/* Contexts that are older than the code that uses them. */
static struct {
    ZSTD_CCtx *cctx;
    ZSTD_DCtx *dctx;
    char *text;
    long uses;
} kept;

long use_kept(void) {
    if (kept.uses == 0) {
        kept.cctx = ZSTD_createCCtx();
        kept.dctx = ZSTD_createDCtx();
        kept.text = malloc(LENGTH);
        fill(kept.text);
    }
    kept.uses++;
    size_t bound = ZSTD_compressBound(LENGTH);
    char *packed = malloc(bound + LENGTH);
    size_t size = ZSTD_compressCCtx(kept.cctx, packed, bound, kept.text, LENGTH, 1 + (int)kept.uses % 6);
    size_t length = ZSTD_decompressDCtx(kept.dctx, packed + bound, LENGTH, packed, size);
    int same = length == LENGTH && memcmp(kept.text, packed + bound, LENGTH) == 0;
    free(packed);
    return same ? kept.uses : -kept.uses;
}

void forget_kept(void) {
    if (kept.uses > 0) {
        ZSTD_freeCCtx(kept.cctx);
        ZSTD_freeDCtx(kept.dctx);
        free(kept.text);
    }
    memset(&kept, 0, sizeof kept);
}
