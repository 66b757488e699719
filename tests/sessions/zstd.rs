//! The session with zstd: large files, much that is inlined, headers with code.

use super::step::{Changes, Save, Step, step};

const COMMON: &str = "lib/common/zstd_common.c";
const COMPRESS: &str = "lib/compress/zstd_compress.c";
const INTERNAL: &str = "lib/compress/zstd_compress_internal.h";
const MAX_LEVEL: &str = "int ZSTD_maxCLevel(void) { return ZSTD_MAX_CLEVEL; }";

/// Each edit is of the files as those before have left them.
pub fn steps() -> Vec<Step> {
    let mut steps = bodies();
    steps.extend(functions());
    steps.extend(errors());
    steps.extend(variables());
    steps.extend(headers());
    steps.extend(saves());
    steps
}

fn bodies() -> Vec<Step> {
    vec![
        step("the body of a function")
            .sub(COMMON, "{ return ZSTD_VERSION_NUMBER; }", "{ return ZSTD_VERSION_NUMBER + 1; }")
            .live("ZSTD_versionNumber")
            .says("version 1.5.7 10508"),
        step("a literal in a switch")
            .sub("lib/common/error_private.c", "\"Src size is incorrect\"", "\"Source size is wrong\"")
            .live("ERR_getErrorString")
            .says("size: Source size is wrong"),
        step("a comment").sub(COMMON, "*  Version\n", "*  Visions\n").no_effect("the code is the same"),
        step("lines that move in a large file").sub(COMPRESS, MAX_LEVEL, "\n\nint ZSTD_maxCLevel(void)\n{\n    return ZSTD_MAX_CLEVEL;\n}").no_effect("the code is the same"),
        step("a save of what was there").unchanged(),
        step("a function's own table")
            .sub(COMPRESS, "          ZSTD_compressBlock_fast,\n          ZSTD_COMPRESSBLOCK_DOUBLEFAST,\n          ZSTD_COMPRESSBLOCK_GREEDY,\n", "          ZSTD_compressBlock_fast,\n          ZSTD_COMPRESSBLOCK_GREEDY,\n          ZSTD_COMPRESSBLOCK_GREEDY,\n")
            .live("ZSTD_selectBlockCompressor *"),
        step("two files at once")
            .sub(COMMON, "ZSTD_VERSION_NUMBER + 1;", "ZSTD_VERSION_NUMBER + 2;")
            .sub("lib/compress/hist.c", "        count[*ip++]++;\n    }\n\n    while (!count[maxSymbolValue]) maxSymbolValue--;", "        count[*ip++] += 1;\n    }\n    if (0) return 1;\n\n    while (!count[maxSymbolValue]) maxSymbolValue--;")
            .live("ZSTD_versionNumber *")
            .says("10509"),
        step("a table in a header of one file")
            .sub("lib/compress/clevels.h", "    { 17, 15, 16,  2,  5,  0, ZSTD_dfast   },  /* level  3 */", "    { 17, 12, 12,  2,  5,  0, ZSTD_dfast   },  /* level  3 */")
            .live("*"),
    ]
}

fn functions() -> Vec<Step> {
    vec![
        step("a new static function")
            .sub(COMPRESS, "int ZSTD_maxCLevel(void)\n{\n    return ZSTD_MAX_CLEVEL;", "static int hot_more(int n) { return n * 2; }\nint ZSTD_maxCLevel(void)\n{\n    return ZSTD_MAX_CLEVEL + hot_more(1);")
            .live_with(Changes { swapped: "ZSTD_maxCLevel *", new: "hot_more", modules: 1, ..Changes::default() })
            .says("levels to 24"),
        step("its body").sub(COMPRESS, "{ return n * 2; }", "{ return n * 3; }").live("hot_more *").says("levels to 25"),
        step("without it")
            .sub(COMPRESS, "static int hot_more(int n) { return n * 3; }\n", "")
            .sub(COMPRESS, "ZSTD_MAX_CLEVEL + hot_more(1);", "ZSTD_MAX_CLEVEL;")
            .live_with(Changes { swapped: "ZSTD_maxCLevel *", removed: "hot_more", modules: 1, ..Changes::default() })
            .says("levels to 22"),
        step("a function of one file for another")
            .append("lib/common/entropy_common.c", "\nunsigned hot_sum(unsigned a) { return a + 1; }\n")
            .sub("with_zstd.c", "static const char *remark(void) {\n    return \"nothing\";", "extern unsigned hot_sum(unsigned a);\nstatic const char *remark(void) {\n    static const char *const names[] = { \"zero\", \"one\", \"two\", \"three\" };\n    return names[hot_sum(1)];")
            .live_with(Changes { swapped: "*", new: "hot_sum", modules: 2, ..Changes::default() })
            .says("remark: two"),
        step("another signature without the caller")
            .sub("lib/common/entropy_common.c", "unsigned hot_sum(unsigned a) { return a + 1; }", "unsigned hot_sum(unsigned a, const unsigned *more) { return a + *more; }")
            .refused("signature", "hot_sum"),
        step("the caller as well")
            .sub("with_zstd.c", "extern unsigned hot_sum(unsigned a);", "extern unsigned hot_sum(unsigned a, const unsigned *more);")
            .sub("with_zstd.c", "    return names[hot_sum(1)];", "    unsigned two = 2;\n    return names[hot_sum(1, &two)];")
            .at_rest()
            .live_with(Changes { swapped: "hot_sum *", modules: 2, ..Changes::default() })
            .says("remark: three"),
        step("another result").sub("lib/common/entropy_common.c", "unsigned hot_sum(unsigned a, const", "double hot_sum(unsigned a, const").refused("signature", "hot_sum"),
        step("taken back").sub("lib/common/entropy_common.c", "double hot_sum(unsigned a, const", "unsigned hot_sum(unsigned a, const").reverted(),
        step("every place of a signature")
            .sub("lib/compress/hist.h", "unsigned HIST_isError(size_t code);", "unsigned HIST_isError(size_t code, int more);")
            .sub("lib/compress/hist.c", "unsigned HIST_isError(size_t code) { return ERR_isError(code); }", "unsigned HIST_isError(size_t code, int more) { return ERR_isError(code) && more < 5; }")
            .live("HIST_isError *")
            .quietly(),
        step("a static function for other files")
            .sub("with_zstd.c", "static const char *remark(void) {", "const char *remark(void) {")
            .sub(COMMON, "{ return ZSTD_VERSION_STRING; }", "{ extern const char *remark(void); return remark(); }")
            .live_with(Changes { swapped: "ZSTD_versionString *", modules: 2, new: "*", removed: "*", ..Changes::default() })
            .says("version three"),
        step("static again")
            .sub("with_zstd.c", "const char *remark(void) {", "static const char *remark(void) {")
            .link_error("missing", "remark"),
        step("and not used elsewhere")
            .sub(COMMON, "{ extern const char *remark(void); return remark(); }", "{ return ZSTD_VERSION_STRING; }")
            // Code that a thread is in would call a function that is no longer there.
            .at_rest()
            .live_with(Changes { swapped: "ZSTD_versionString *", modules: 2, new: "*", removed: "*", ..Changes::default() })
            .says("version 1.5.7"),
    ]
}

fn errors() -> Vec<Step> {
    vec![
        step("a syntax error in a header of many")
            .sub(INTERNAL, "#define kSearchStrength      8", "#define kSearchStrength      8\nint int;")
            .compile_error("zstd_compress_internal.h"),
        step("mended, with another value")
            .sub(INTERNAL, "#define kSearchStrength      8\nint int;", "#define kSearchStrength      5")
            .live_with(Changes { swapped: "*", modules: 3, ..Changes::default() })
            .quietly(),
        step("a name that is not declared")
            .sub(COMMON, "ZSTD_VERSION_NUMBER + 2;", "ZSTD_VERSION_NUMBRE;")
            .compile_error("ZSTD_VERSION_NUMBRE"),
        step("undone in the editor")
            .sub(COMMON, "ZSTD_VERSION_NUMBRE;", "ZSTD_VERSION_NUMBER + 2;")
            .reverted(),
        step("a function that nobody has")
            .sub(COMMON, "ZSTD_VERSION_NUMBER + 2;", "ZSTD_VERSION_NUMBER + hot_absent();")
            .sub(
                COMMON,
                "unsigned ZSTD_versionNumber(void)",
                "unsigned hot_absent(void);\nunsigned ZSTD_versionNumber(void)",
            )
            .link_error("missing", "hot_absent"),
        step("now somebody has it")
            .append(
                "lib/common/debug.c",
                "\nunsigned hot_absent(void);\nunsigned hot_absent(void) { return 90000; }\n",
            )
            .live_with(Changes {
                swapped: "ZSTD_versionNumber",
                new: "hot_absent",
                modules: 2,
                ..Changes::default()
            })
            .says("version 1.5.7 100507"),
    ]
}

fn variables() -> Vec<Step> {
    vec![
        step("a new variable")
            .sub("with_zstd.c", "extern unsigned hot_sum(", "unsigned ballast = 3;\nextern unsigned hot_sum(")
            .sub(
                "with_zstd.c",
                "fprintf(out, \"remark: %s\\n\", remark());",
                "fprintf(out, \"remark: %s ballast %u\\n\", remark(), ballast);",
            )
            .live_with(Changes {
                swapped: "work",
                new_variables: "ballast",
                modules: 1,
                ..Changes::default()
            })
            .says("ballast 3"),
        step("another initial value")
            .sub("with_zstd.c", "unsigned ballast = 3;", "unsigned ballast = 8;")
            .no_effect("ballast keeps the value")
            .keeps(&[("ballast 8", "ballast 3")]),
        step("the old initial value")
            .sub("with_zstd.c", "unsigned ballast = 8;", "unsigned ballast = 3;")
            .no_effect("ballast"),
        step("another type")
            .sub("with_zstd.c", "unsigned ballast = 3;", "unsigned long long ballast = 3;")
            .refused("variable", "ballast"),
        step("a static one in its place")
            .sub("with_zstd.c", "unsigned long long ballast = 3;", "static unsigned long long heavy = 4;")
            .sub(
                "with_zstd.c",
                "ballast %u\\n\", remark(), ballast);",
                "heavy %llu\\n\", remark(), ++heavy - heavy + 4);",
            )
            .live_with(Changes { swapped: "work", new_variables: "heavy", modules: 1, ..Changes::default() })
            .says("heavy 4"),
    ]
}

fn headers() -> Vec<Step> {
    vec![
        step("a constant in a header of many")
            .sub(INTERNAL, "prime5bytes = 889523592379ULL;", "prime5bytes = 889523592301ULL;")
            .live_with(Changes { swapped: "*", modules: 3, ..Changes::default() }),
        step("an inline function in a header")
            .sub(INTERNAL, "    return (srcSize >> minlog) + 2;", "    return (srcSize >> minlog) + 20000;")
            .live_with(Changes { swapped: "*", modules: 1, ..Changes::default() }),
        step("a prime of the hash")
            .sub("lib/common/xxhash.h", "0x27D4EB2F165667C5ULL  /*!<", "0x27D4EB2F165667C7ULL  /*!<")
            .live_with(Changes { swapped: "*", modules: 1, ..Changes::default() }),
        step("the layout of a context")
            .sub(INTERNAL, "    int cParamsChanged;   ", "    long hot_field[4];\n    int cParamsChanged;   ")
            .sub(
                "lib/decompress/zstd_decompress_internal.h",
                "    U32 litEntropy;",
                "    long hot_field[2];\n    U32 litEntropy;",
            )
            .at_rest()
            .live_with(Changes {
                swapped: "ZSTD_sizeof_CCtx ZSTD_sizeof_DCtx *",
                modules: 4,
                ..Changes::default()
            }),
        step("the version")
            .sub("lib/zstd.h", "#define ZSTD_VERSION_RELEASE  7", "#define ZSTD_VERSION_RELEASE  77")
            .live("*")
            .says("version 1.5.77"),
    ]
}

fn saves() -> Vec<Step> {
    vec![
        step("in one write")
            .save(Save::Over)
            .sub("lib/common/error_private.c", "Source size is wrong", "Source size is quite wrong")
            .live("ERR_getErrorString")
            .says("quite wrong"),
        step("by a backup")
            .save(Save::Backup)
            .sub("lib/common/error_private.c", "Source size is quite wrong", "Odd size")
            .eventually()
            .says("Odd size"),
        step("in pieces")
            .save(Save::Slowly)
            .sub("lib/common/error_private.c", "Odd size", "Even size")
            .eventually()
            .says("Even size"),
        step("many times")
            .save(Save::Often)
            .sub("with_zstd.c", "\"three\"", "\"more\"")
            .eventually()
            .says("remark: more"),
        step("all as it was").revert_all().at_rest().eventually().says("version 1.5.7 10507"),
    ]
}
