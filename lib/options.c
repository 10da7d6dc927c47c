#include "lib/options.h"

#include "lib/cpu.h"
#include "lib/progress.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct parser {
    const struct command *command;
    const struct option *common; /* the shared options, ended like the command's */
    int argc, next;
    char **argv;
    struct arena *arena;
    struct error *error;
};

/* ---- names: "p|prompt" is short and long, "p" and "prompt" alone are what their length says ---- */

static char short_name(const struct option *option) {
    return option->name[1] == '|' || option->name[1] == '\0' ? option->name[0] : '\0';
}

static const char *long_name(const struct option *option) {
    return option->name[1] == '|' ? option->name + 2 : option->name[1] ? option->name : "";
}

static bool named(const struct option *option, char letter, const char *name, size_t length) {
    if (letter)
        return short_name(option) == letter;
    const char *long_one = long_name(option);
    return length > 0 && strncmp(long_one, name, length) == 0 && long_one[length] == '\0';
}

/* By `letter`, or where that is 0 by the `length` bytes of `name`. */
static const struct option *find_option(const struct parser *parser, char letter, const char *name,
                                        size_t length) {
    const struct option *tables[] = {parser->command->options, parser->common};
    for (int i = 0; i < 2; i++)
        for (const struct option *option = tables[i]; option->name; option++)
            if (named(option, letter, name, length))
                return option;
    return NULL;
}

/* ---- the nearest name to a mistyped one ---- */

enum { NAME_MAX_LENGTH = 40 };

/* Levenshtein's distance, by rows; a name and its abbreviation are one step apart. */
static size_t distance(const char *a, const char *b) {
    size_t m = strlen(a), n = strlen(b), row[NAME_MAX_LENGTH + 1];
    if (m > NAME_MAX_LENGTH || n > NAME_MAX_LENGTH)
        return SIZE_MAX;
    if (m > 1 && n > 1 && strncmp(a, b, m < n ? m : n) == 0)
        return 1;
    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 1; i <= m; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            size_t swap = diagonal + (a[i - 1] != b[j - 1]), insert = row[j - 1] + 1, drop = row[j] + 1;
            diagonal = row[j];
            row[j] = swap < insert ? swap : insert;
            row[j] = row[j] < drop ? row[j] : drop;
        }
    }
    return row[n];
}

static const char *nearest_name(const struct parser *parser, const char *name) {
    const struct option *tables[] = {parser->command->options, parser->common};
    const char *nearest = NULL;
    size_t least = SIZE_MAX;
    for (int i = 0; i < 2; i++)
        for (const struct option *option = tables[i]; option->name; option++) {
            size_t steps = *long_name(option) ? distance(name, long_name(option)) : SIZE_MAX;
            if (steps < least) {
                least = steps;
                nearest = long_name(option);
            }
        }
    return nearest;
}

static bool unknown_option(const struct parser *parser, const char *name, size_t length) {
    char typed[NAME_MAX_LENGTH + 2];
    snprintf(typed, sizeof typed, "%.*s", (int)(length < sizeof typed ? length : sizeof typed), name);
    const char *nearest = nearest_name(parser, typed);
    if (!nearest)
        return fail(parser->error, "unknown option --%s; --help lists the known ones", typed);
    return fail(parser->error, "unknown option --%s; the nearest is --%s", typed, nearest);
}

/* ---- values ---- */

static const struct suffix {
    const char *text;
    uint64_t factor;
} suffixes[] = {
    {"", 1},
    {"K", 1000},
    {"k", 1000},
    {"M", 1000000},
    {"G", 1000000000},
    {"T", 1000000000000},
    {"Ki", (uint64_t)1 << 10},
    {"Mi", (uint64_t)1 << 20},
    {"Gi", (uint64_t)1 << 30},
    {"Ti", (uint64_t)1 << 40},
};

static bool scale_count(const char *suffix, uint64_t *count) {
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++)
        if (strcmp(suffix, suffixes[i].text) == 0)
            return mul_sizes(*count, suffixes[i].factor, count);
    return false;
}

static bool read_count(const char *text, uint64_t *to) {
    uint64_t count = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9'; at++)
        if (!mul_sizes(count, 10, &count) || !add_sizes(count, (uint64_t)(*at - '0'), &count))
            return false;
    if (at == text || !scale_count(at, &count))
        return false;
    *to = count;
    return true;
}

static bool read_real(const char *text, double *to) {
    char *end;
    if (!*text || strspn(text, "+-.0123456789eE") != strlen(text)) /* neither hexadecimal nor "nan" */
        return false;
    double real = strtod(text, &end);
    if (*end || !isfinite(real))
        return false;
    *to = real;
    return true;
}

static bool append(const struct parser *parser, struct text_list *list, const char *text) {
    if (!list->items) /* no list can be longer than the command line */
        list->items = ARENA_NEW(parser->arena, const char *, (size_t)parser->argc, parser->error);
    if (!list->items)
        return false;
    list->items[list->count++] = text;
    return true;
}

static bool set_value(const struct parser *parser, const struct option *option, const char *as_typed,
                      const char *text) {
    switch (option->kind) {
    case OPTION_FLAG:
        *(bool *)option->value = true;
        return true;
    case OPTION_TEXT:
        *(const char **)option->value = text;
        return true;
    case OPTION_LIST:
        return append(parser, option->value, text);
    case OPTION_COUNT:
        return read_count(text, option->value) ||
               fail(parser->error,
                    "%s: '%s' is not a count (a whole number below 2^64, perhaps with K, M, G, Ki, Mi or Gi)",
                    as_typed, text);
    case OPTION_REAL:
        return read_real(text, option->value) ||
               fail(parser->error, "%s: '%s' is not a finite decimal number", as_typed, text);
    }
    return fail(parser->error, "%s: is of no kind", as_typed);
}

/* The value glued to the option, or else the next argument. */
static bool take_value(struct parser *parser, const struct option *option, const char *as_typed,
                       const char *glued) {
    if (glued)
        return set_value(parser, option, as_typed, glued);
    if (parser->next == parser->argc)
        return fail(parser->error, "%s needs a value: %s", as_typed, option->argument);
    return set_value(parser, option, as_typed, parser->argv[parser->next++]);
}

/* ---- one argument ---- */

static bool parse_long(struct parser *parser, const char *name) {
    size_t length = strcspn(name, "=");
    const struct option *option = find_option(parser, 0, name, length);
    if (!option)
        return unknown_option(parser, name, length);
    const char *glued = name[length] ? name + length + 1 : NULL;
    char as_typed[NAME_MAX_LENGTH + 3];
    snprintf(as_typed, sizeof as_typed, "--%s", long_name(option));
    if (option->kind == OPTION_FLAG && glued)
        return fail(parser->error, "%s takes no value", as_typed);
    return option->kind == OPTION_FLAG ? set_value(parser, option, as_typed, NULL)
                                       : take_value(parser, option, as_typed, glued);
}

/* Flags may share a dash; the first option with a value takes the rest. */
static bool parse_short(struct parser *parser, const char *letters) {
    for (; *letters; letters++) {
        const struct option *option = find_option(parser, *letters, NULL, 0);
        char as_typed[3] = {'-', *letters};
        if (!option)
            return fail(parser->error, "unknown option %s; --help lists the known ones", as_typed);
        if (option->kind != OPTION_FLAG)
            return take_value(parser, option, as_typed, letters[1] ? letters + 1 : NULL);
        set_value(parser, option, as_typed, NULL);
    }
    return true;
}

static bool parse_arguments(struct parser *parser, struct text_list *arguments) {
    bool options_end = false;
    for (parser->next = 1; parser->next < parser->argc;) {
        const char *argument = parser->argv[parser->next++];
        bool parsed;
        if (options_end || argument[0] != '-' || argument[1] == '\0')
            parsed = append(parser, arguments, argument);
        else if (strcmp(argument, "--") == 0)
            parsed = options_end = true;
        else
            parsed =
                argument[1] == '-' ? parse_long(parser, argument + 2) : parse_short(parser, argument + 1);
        if (!parsed)
            return false;
    }
    return true;
}

static bool check_argument_count(const struct parser *parser, const struct text_list *arguments) {
    const struct command *command = parser->command;
    if (arguments->count < command->min_arguments)
        return fail(parser->error, "%zu of at least %zu arguments given; usage: %s %s", arguments->count,
                    command->min_arguments, command->name, command->synopsis);
    if (arguments->count > command->max_arguments)
        return fail(parser->error, "one argument too many: '%s'; usage: %s %s",
                    arguments->items[command->max_arguments], command->name, command->synopsis);
    return true;
}

/* ---- help ---- */

/* "-p, --prompt TEXT" */
static int spell(const struct option *option, char *text, size_t size) {
    char letter[] = {'-', short_name(option), '\0'};
    const char *name = long_name(option), *argument = option->argument ? option->argument : "";
    bool has_letter = letter[1] != '\0', has_name = *name != '\0';
    return snprintf(text, size, "%s%s%s%s%s%s", has_letter ? letter : "  ",
                    has_letter && has_name ? ", " : "  ", has_name ? "--" : "", name, *argument ? " " : "",
                    argument);
}

static int widest(const struct option *options) {
    char text[120];
    int width = 0;
    for (; options->name; options++) {
        int length = spell(options, text, sizeof text);
        width = length > width ? length : width;
    }
    return width;
}

static void print_options(const struct option *options, int width) {
    char text[120];
    for (; options->name; options++) {
        spell(options, text, sizeof text);
        printf("  %-*s  %s\n", width, text, options->help);
    }
}

static void print_help(const struct parser *parser) {
    const struct command *command = parser->command;
    int own = widest(command->options), shared = widest(parser->common), width = own > shared ? own : shared;
    printf("usage: %s [OPTIONS] %s\n\n%s\n\n", command->name, command->synopsis, command->summary);
    print_options(command->options, width);
    if (command->options->name)
        puts("");
    print_options(parser->common, width);
}

/* ---- the whole ---- */

enum parsed options_parse(const struct command *command, int argc, char **argv, struct common *common,
                          struct text_list *arguments, struct arena *arena, struct error *error) {
    bool help = false, version = false;
    const struct option shared[] = {
        {"j|threads", OPTION_COUNT, &common->n_threads, "N", "threads to use; one per processor without it"},
        {"cpu", OPTION_TEXT, &common->cpu, "LEVEL",
         "instructions to stay within: scalar, avx2, avx512, avx512vnni, amx, neon, neondot"},
        {"q|quiet", OPTION_FLAG, &common->quiet, NULL, "no progress and no remarks"},
        {"v|verbose", OPTION_FLAG, &common->verbose, NULL, "say more"},
        {"force", OPTION_FLAG, &common->force, NULL, "replace outputs that exist"},
        {"h|help", OPTION_FLAG, &help, NULL, "this text"},
        {"version", OPTION_FLAG, &version, NULL, "the version"},
        {0},
    };
    struct parser parser = {command, shared, argc, 1, argv, arena, error};
    if (!parse_arguments(&parser, arguments))
        return PARSED_WRONG;
    if (help || version) {
        if (help)
            print_help(&parser);
        else
            printf("%s (qm) %s\n", command->name, PROJECT_VERSION);
        return finish_output(error) ? PARSED_EXIT : PARSED_WRONG;
    }
    if (!check_argument_count(&parser, arguments) || (common->cpu && !cpu_limit(common->cpu, error)))
        return PARSED_WRONG;
    return PARSED_RUN;
}

bool finish_output(struct error *error) {
    bool failed_before = ferror(stdout);
    if (fflush(stdout) != 0)
        return fail_errno(error, "standard output can't be written");
    return !failed_before || fail(error, "standard output could not be written");
}

int report_failure(const struct command *command, const struct error *error) {
    progress_done();
    fprintf(stderr, "%s: %s\n", command->name, error->text);
    return EXIT_UNABLE;
}
