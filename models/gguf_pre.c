#include "models/gguf_pre.h"

#include <string.h>

#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define WORDS_BEFORE_NUMBERS CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+"
#define MARKS_AND_SPACES "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define LLAMA3 WORDS_BEFORE_NUMBERS "|\\p{N}{1,3}" MARKS_AND_SPACES
#define QWEN2 WORDS_BEFORE_NUMBERS "|\\p{N}" MARKS_AND_SPACES
#define CAPITALS "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define SMALLS "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define CASED_WORDS(end)                                                                                     \
    "[^\\r\\n\\p{L}\\p{N}]?" CAPITALS "*" SMALLS "+" end "|[^\\r\\n\\p{L}\\p{N}]?" CAPITALS "+" SMALLS "*" end
#define MARKS_AND_PATHS "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define TEKKEN CASED_WORDS("") "|\\p{N}" MARKS_AND_PATHS
#define GPT4O CASED_WORDS(CONTRACTIONS "?") "|\\p{N}{1,3}" MARKS_AND_PATHS
#define DEEPSEEK_CJK "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+"

static const struct gguf_pre known[] = {
    {.names = "llama-bpe llama3 llama-v3 falcon3 ",
     .splits = {LLAMA3},
     .ignores_merges = true,
     .begins = true},
    {.names = "dbrx smaug-bpe ", .splits = {LLAMA3}},
    {.names = "qwen2 deepseek-r1-qwen megrez stablelm2 ", .splits = {QWEN2}, .composes = true},
    {.names = "tekken ", .splits = {TEKKEN}, .ignores_merges = true, .begins = true},
    {.names = "gpt-4o ", .splits = {GPT4O}},
    {.names = "gpt-2 phi-2 ", .splits_words = true},
    {.names = "mpt olmo ", .splits_words = true, .composes = true},
    {.names = "smollm starcoder refact ", .splits_digits = true, .splits_words = true},
    {.names = "falcon ",
     .splits = {"[\\p{P}\\$\\+<=>\\^~\\|`]+"},
     .splits_words = true,
     .spelled_splits = {"\\p{N}+", "[0-9][0-9][0-9]"}},
    {.names = "deepseek-coder ",
     .splits = {"[\\r\\n]", "\\s?\\p{L}+", "\\s?\\p{P}+", DEEPSEEK_CJK, "\\p{N}"}},
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

static bool same_patterns(const char *const *a, const char *const *b) {
    for (size_t i = 0; i < GGUF_MAX_SPLITS; i++)
        if ((a[i] && b[i]) ? strcmp(a[i], b[i]) != 0 : a[i] != b[i])
            return false;
    return true;
}

static bool same_steps(const struct gguf_pre *a, const struct gguf_pre *b) {
    return a->splits_digits == b->splits_digits && a->splits_words == b->splits_words &&
           a->ignores_merges == b->ignores_merges && same_patterns(a->splits, b->splits) &&
           same_patterns(a->spelled_splits, b->spelled_splits);
}

const char *gguf_pre_names(const struct gguf_pre *steps) {
    const struct gguf_pre *best = NULL;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (same_steps(&known[i], steps) && (!best || best->composes != steps->composes))
            best = &known[i];
    return best ? best->names : NULL;
}
