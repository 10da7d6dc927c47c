#include "models/gguf_pre.h"

#include <string.h>

#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define WORDS_BEFORE_NUMBERS CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+"
#define MARKS_AND_SPACES "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define LLAMA3 WORDS_BEFORE_NUMBERS "|\\p{N}{1,3}" MARKS_AND_SPACES
#define QWEN2 WORDS_BEFORE_NUMBERS "|\\p{N}" MARKS_AND_SPACES
#define QWEN35                                                                                               \
    CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*"        \
                 "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define CAPITALS "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define SMALLS "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define CASED_WORDS(end)                                                                                     \
    "[^\\r\\n\\p{L}\\p{N}]?" CAPITALS "*" SMALLS "+" end "|[^\\r\\n\\p{L}\\p{N}]?" CAPITALS "+" SMALLS "*" end
#define MARKS_AND_PATHS "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define TEKKEN CASED_WORDS("") "|\\p{N}" MARKS_AND_PATHS
#define GPT4O CASED_WORDS(CONTRACTIONS "?") "|\\p{N}{1,3}" MARKS_AND_PATHS
#define DEEPSEEK_LETTERS                                                                                     \
    "\\s?[A-Za-z\u00b5\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u01ba\u01bc-\u01bf\u01c4-\u0293\u0295-"              \
    "\u02af\u0370-\u0373\u0376\u0377\u037b-\u037d\u037f\u0386\u0388-\u038a\u038c\u038e-\u03a1"               \
    "\u03a3-\u03f5\u03f7-\u0481\u048a-\u052f\u0531-\u0556\u10a0-\u10c5\u13a0-\u13f5\u13f8-\u13fd"            \
    "\u1c90-\u1cba\u1cbd-\u1cbf\u1d00-\u1d2b\u1d6b-\u1d77\u1d79-\u1d9a\u1e00-\u1f15\u1f18-\u1f1d"            \
    "\u1f20-\u1f45\u1f48-\u1f4d\u1f50-\u1f57\u1f59\u1f5b\u1f5d\u1f5f-\u1f7d\u1f80-\u1fb4\u1fb6-"             \
    "\u1fbc\u1fbe\u1fc2-\u1fc4\u1fc6-\u1fcc\u1fd0-\u1fd3\u1fd6-\u1fdb\u1fe0-\u1fec\u1ff2-\u1ff4"             \
    "\u1ff6-\u1ffc\u2102\u2107\u210a-\u2113\u2115\u2119-\u211d\u2124\u2126\u2128\u212a-\u212d"               \
    "\u212f-\u2134\u2139\u213c-\u213f\u2145-\u2149\u214e\u2183\u2184\u2c00-\u2c7b\u2c7e-\u2ce4"              \
    "\u2ceb-\u2cee\u2cf2\u2cf3\ua640-\ua66d\ua680-\ua69b\ua722-\ua76f\ua771-\ua787\ua78b-\ua78e"             \
    "\uab70-\uabbf\ufb00-\ufb06\ufb13-\ufb17\uff21-\uff3a\uff41-\uff5a\U00010400-\U0001044f"                 \
    "\U000104b0-\U000104d3\U000104d8-\U000104fb\U00010c80-\U00010cb2\U00010cc0-\U00010cf2"                   \
    "\U000118a0-\U000118df\U0001e900-\U0001e943]+"
#define DEEPSEEK_MARKS "\\s?[!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002]+"
#define DEEPSEEK_CJK "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+"
#define DEEPSEEK3_CJK "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+"
#define DEEPSEEK3                                                                                            \
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+"      \
    "| ?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

static const struct gguf_pre known[] = {
    {.names = "llama-bpe llama3 llama-v3 ", .splits = {LLAMA3}, .ignores_merges = true, .begins = true},
    {.names = "falcon3 ", .splits = {LLAMA3}, .ignores_merges = true},
    {.names = "dbrx smaug-bpe ", .splits = {LLAMA3}},
    {.names = "qwen2 deepseek-r1-qwen megrez stablelm2 ", .splits = {QWEN2}, .composes = true},
    {.names = "qwen35 ", .splits = {QWEN35}},
    {.names = "tekken ", .splits = {TEKKEN}, .ignores_merges = true, .begins = true},
    {.names = "gpt-4o ", .splits = {GPT4O}},
    {.names = "gpt-2 phi-2 ", .splits_words = true},
    {.names = "mpt olmo ", .splits_words = true, .composes = true},
    {.names = "smollm starcoder refact codeshell ", .splits_digits = true, .splits_words = true},
    {.names = "command-r ", .splits_digits = true, .splits_words = true, .composes = true},
    {.names = "falcon ",
     .splits = {"[\\p{P}\\$\\+<=>\\^~\\|`]+"},
     .splits_words = true,
     .spelled_splits = {"\\p{N}+", "[0-9][0-9][0-9]"}},
    {.names = "deepseek-llm ",
     .splits = {"[\\r\\n]", DEEPSEEK_LETTERS, DEEPSEEK_MARKS, "\\s+$", DEEPSEEK_CJK, "\\p{N}"}},
    {.names = "deepseek-coder ",
     .splits = {"[\\r\\n]", "\\s?\\p{L}+", "\\s?\\p{P}+", DEEPSEEK_CJK, "\\p{N}"}},
    {.names = "deepseek-v3 ", .splits = {"\\p{N}{1,3}", DEEPSEEK3_CJK, DEEPSEEK3}},
};

static bool is_among(const char *name, const char *names) {
    size_t length = strlen(name);
    for (; *names; names += strcspn(names, " ") + 1)
        if (strcspn(names, " ") == length && !strncmp(names, name, length))
            return true;
    return false;
}

const struct gguf_pre *gguf_pre_find(const char *name) {
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (is_among(name, known[i].names))
            return &known[i];
    return NULL;
}
