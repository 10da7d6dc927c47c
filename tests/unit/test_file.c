/* Inputs are read exactly or not at all; outputs appear whole or not at all, however writing ends. */
#include "lib/file.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/test_file.XXXXXX";

static int enter_folder(void **state) {
    (void)state;
    return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int remove_folder(void **state) {
    (void)state;
    return chdir("/") == 0 && rmdir(folder) == 0 ? 0 : -1; /* fails if a test left something */
}

static void put_file(const char *path, const char *text) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static void assert_content(const char *path, const char *expected) {
    struct arena arena = {0};
    struct error error;
    char *data;
    size_t size;
    assert_true(file_read_all(path, 1 << 20, &arena, &data, &size, &error));
    assert_string_equal(data, expected);
    assert_int_equal(size, strlen(expected));
    arena_free(&arena);
}

static size_t count_entries(void) {
    FILE *list = popen("ls -A | wc -l", "r");
    size_t n = 0;
    assert_int_equal(fscanf(list, "%zu", &n), 1);
    pclose(list);
    return n;
}

/* ---- reading ---- */

static void inputs_are_read_exactly(void **state) {
    (void)state;
    struct arena arena = {0};
    struct error error;
    struct input input;
    char bytes[8] = "";
    put_file("in", "0123456789");
    assert_true(input_open(&input, "in", &arena, &error));
    assert_int_equal(input.size, 10);
    assert_true(input_read(&input, bytes, 4, 6, &error));
    assert_string_equal(bytes, "6789");
    assert_true(input_read(&input, bytes, 0, 10, &error));
    assert_false(input_read(&input, bytes, 4, 7, &error));
    assert_string_equal(error.text, "in: ends at 10, but 4 bytes at 7 are needed");
    assert_false(input_read(&input, bytes, 4, UINT64_MAX - 1, &error));
    assert_non_null(strstr(error.text, "beyond any file"));
    assert_true(input_map(&input, &error));
    assert_memory_equal(input.map, "0123456789", 10);
    assert_int_equal(truncate("in", 5), 0);
    assert_false(input_read(&input, bytes, 4, 2, &error));
    assert_string_equal(error.text, "in: ends at 5, but 4 bytes at 2 are needed");
    input_close(&input);
    arena_free(&arena);
    unlink("in");
}

static void an_empty_file_maps_to_nothing(void **state) {
    (void)state;
    struct arena arena = {0};
    struct error error;
    struct input input;
    put_file("empty", "");
    assert_true(input_open(&input, "empty", &arena, &error) && input_map(&input, &error));
    assert_null(input.map);
    input_close(&input);
    arena_free(&arena);
    unlink("empty");
}

static void only_regular_files_are_inputs(void **state) {
    (void)state;
    struct arena arena = {0};
    struct error error;
    struct input input;
    assert_false(input_open(&input, "absent", &arena, &error));
    assert_string_equal(error.text, "absent: No such file or directory");
    assert_false(input_open(&input, ".", &arena, &error));
    assert_string_equal(error.text, ".: is a folder, not a file");
    assert_false(input_open(&input, "/dev/null", &arena, &error));
    assert_string_equal(error.text, "/dev/null: is not a regular file");
    assert_int_equal(mkfifo("pipe", 0600), 0); /* without a writer: must not wait for one */
    assert_false(input_open(&input, "pipe", &arena, &error));
    assert_string_equal(error.text, "pipe: is not a regular file");
    input_close(&input);
    arena_free(&arena);
    unlink("pipe");
}

static void small_files_are_read_whole_within_the_limit(void **state) {
    (void)state;
    struct arena arena = {0};
    struct error error;
    char *data;
    size_t size;
    put_file("small", "12345");
    assert_content("small", "12345");
    assert_true(file_read_all("small", 5, &arena, &data, &size, &error));
    assert_false(file_read_all("small", 4, &arena, &data, &size, &error));
    assert_string_equal(error.text, "small: is larger than 4 bytes");
    assert_false(file_read_all("/dev/zero", 1 << 20, &arena, &data, &size, &error));
    assert_string_equal(error.text, "/dev/zero: is larger than 1048576 bytes");
    assert_false(file_read_all(".", 5, &arena, &data, &size, &error));
    assert_string_equal(error.text, ".: is a folder, not a file");
    arena_free(&arena);
    unlink("small");
}

static void a_dash_is_standard_input(void **state) {
    (void)state;
    int ends[2], before = dup(STDIN_FILENO);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "piped", 5), 5);
    close(ends[1]);
    dup2(ends[0], STDIN_FILENO);
    close(ends[0]);
    assert_content("-", "piped");
    dup2(before, STDIN_FILENO);
    close(before);
}

static void failing_reads_name_file_and_place(void **state) {
    (void)state;
    struct arena arena = {0};
    struct error error;
    struct input input;
    char bytes[4], *data;
    size_t size;
    put_file("in", "0123456789");
    assert_true(input_open(&input, "in", &arena, &error));
    file_fail_at(1, EIO);
    assert_false(input_read(&input, bytes, 4, 2, &error));
    assert_string_equal(error.text, "in: reading 4 bytes at 2: Input/output error");
    file_fail_at(1, EINTR); /* interrupted calls are repeated */
    assert_true(input_read(&input, bytes, 4, 2, &error));
    file_fail_at(2, EIO);
    assert_false(file_read_all("in", 100, &arena, &data, &size, &error));
    assert_string_equal(error.text, "in: reading at 10: Input/output error");
    file_fail_at(0, 0);
    input_close(&input);
    arena_free(&arena);
    unlink("in");
}

/* ---- paths ---- */

static void paths_are_joined_at_slashes(void **state) {
    (void)state;
    struct arena arena = {0};
    struct error error;
    assert_string_equal(path_beside("a/b/model.qm", "config.json", &arena, &error), "a/b/config.json");
    assert_string_equal(path_beside("model.qm", "config.json", &arena, &error), "config.json");
    assert_string_equal(path_beside("/model.qm", "x", &arena, &error), "/x");
    assert_string_equal(path_join("a/b", "c", &arena, &error), "a/b/c");
    assert_string_equal(path_join("a/b/", "c", &arena, &error), "a/b/c");
    assert_string_equal(path_join("/", "c", &arena, &error), "/c");
    assert_string_equal(path_join("", "c", &arena, &error), "c");
    assert_string_equal(path_base("a/b"), "b");
    assert_string_equal(path_base("b"), "b");
    assert_string_equal(path_base("a/"), "");
    arena_free(&arena);
}

static void one_file_has_many_spellings(void **state) {
    (void)state;
    put_file("a", "");
    put_file("b", "");
    assert_int_equal(symlink("a", "to-a"), 0);
    assert_int_equal(link("a", "also-a"), 0);
    assert_true(file_same("a", "./a"));
    assert_true(file_same("a", "to-a"));
    assert_true(file_same("a", "also-a"));
    assert_false(file_same("a", "b"));
    assert_false(file_same("a", "absent"));
    assert_true(file_exists("a") && file_exists(".") && !file_exists("absent"));
    assert_true(file_is_folder(".") && !file_is_folder("a") && !file_is_folder("absent"));
    assert_int_equal(unlink("a") | unlink("b") | unlink("to-a") | unlink("also-a"), 0);
}

/* ---- writing ---- */

static void an_output_appears_whole_at_its_commit(void **state) {
    (void)state;
    struct error error;
    struct output *output = output_create("out", false, &error);
    assert_non_null(output);
    assert_true(output_write(output, "world", 5, 7, &error));
    assert_false(file_exists("out"));
    assert_true(output_write(output, "hello, ", 7, 0, &error));
    assert_true(output_write(output, "", 0, 0, &error));
    assert_true(output_commit(output, &error));
    assert_content("out", "hello, world");
    assert_int_equal(count_entries(), 1);
    unlink("out");
}

static void gaps_read_as_zeros(void **state) {
    (void)state;
    struct error error;
    struct output *output = output_create("out", false, &error);
    assert_true(output_write(output, "x", 1, 3, &error));
    assert_true(output_commit(output, &error));
    FILE *file = fopen("out", "r");
    char bytes[5];
    assert_int_equal(fread(bytes, 1, 5, file), 4);
    assert_memory_equal(bytes, "\0\0\0x", 4);
    fclose(file);
    unlink("out");
}

static void room_is_made_ahead_and_what_is_left_given_back(void **state) {
    (void)state;
    struct error error;
    struct stat status;
    struct output *output = output_create("out", false, &error);
    assert_true(output_reserve(output, 1 << 20, &error));
    assert_true(output_write(output, "abc", 3, 0, &error));
    assert_true(output_commit(output, &error));
    assert_content("out", "abc");
    assert_int_equal(stat("out", &status), 0);
    assert_true(status.st_blocks * 512 < 1 << 20);
    output = output_create("out", true, &error);
    assert_true(output_reserve(output, 2, &error));
    assert_true(output_reserve(output, 0, &error));
    assert_true(output_write(output, "longer", 6, 0, &error)); /* than what was reserved */
    assert_true(output_commit(output, &error));
    assert_content("out", "longer");
    output = output_create("out", true, &error);
    assert_false(output_reserve(output, UINT64_MAX, &error));
    assert_string_equal(error.text, "out: no file can have 18446744073709551615 bytes");
    file_fail_at(1, ENOSPC);
    assert_false(output_reserve(output, 5000, &error));
    assert_string_equal(error.text, "out: making room for 5000 bytes: No space left on device");
    output_abandon(output);
    unlink("out");
}

/* Enough for the disk to be started early. */
static void large_outputs_are_whole(void **state) {
    (void)state;
    enum { PIECE = 1 << 20, N = 40 };
    static unsigned char piece[PIECE], again[PIECE];
    struct arena arena = {0};
    struct error error;
    struct input input;
    struct output *output = output_create("out", false, &error);
    for (int i = 0; i < N; i++) {
        memset(piece, i, PIECE);
        assert_true(output_write(output, piece, PIECE, (uint64_t)i * PIECE, &error));
    }
    assert_true(output_commit(output, &error));
    assert_true(input_open(&input, "out", &arena, &error));
    assert_int_equal(input.size, N * PIECE);
    for (int i = 0; i < N; i++) {
        memset(piece, i, PIECE);
        assert_true(input_read(&input, again, PIECE, (uint64_t)i * PIECE, &error));
        assert_memory_equal(piece, again, PIECE);
    }
    input_close(&input);
    arena_free(&arena);
    unlink("out");
}

static void an_abandoned_output_leaves_nothing(void **state) {
    (void)state;
    struct error error;
    struct output *output = output_create("out", false, &error);
    assert_true(output_write(output, "x", 1, 0, &error));
    assert_int_equal(count_entries(), 1);
    output_abandon(output);
    assert_int_equal(count_entries(), 0);
    output_abandon(NULL);
}

static void what_exists_is_replaced_only_with_force(void **state) {
    (void)state;
    struct error error;
    put_file("out", "old");
    assert_null(output_create("out", false, &error));
    assert_string_equal(error.text, "out: already exists; --force replaces it");
    struct output *output = output_create("out", true, &error);
    assert_true(output_write(output, "new", 3, 0, &error));
    assert_content("out", "old");
    assert_true(output_commit(output, &error));
    assert_content("out", "new");
    unlink("out");
    assert_int_equal(symlink("nowhere", "out"), 0); /* even a link to nothing is something */
    assert_null(output_create("out", false, &error));
    unlink("out");
}

static void what_was_created_meanwhile_is_not_overwritten(void **state) {
    (void)state;
    struct error error;
    struct output *output = output_create("out", false, &error);
    put_file("out", "theirs");
    assert_false(output_commit(output, &error));
    assert_string_equal(error.text, "out: was created by someone else meanwhile; --force replaces it");
    assert_content("out", "theirs");
    assert_int_equal(count_entries(), 1);
    unlink("out");
}

static void only_files_are_replaced(void **state) {
    (void)state;
    struct error error;
    assert_null(output_create("/tmp", true, &error));
    assert_string_equal(error.text, "/tmp: is a folder");
    assert_null(output_create("/dev/null", true, &error));
    assert_string_equal(error.text, "/dev/null: is not a regular file and can't be replaced");
    assert_null(output_create("absent/out", false, &error));
    assert_string_equal(error.text, "absent/out: can't be created: No such file or directory");
}

static void the_longest_name_can_be_written(void **state) {
    (void)state;
    struct error error;
    char name[256];
    memset(name, 'n', 255);
    name[255] = '\0';
    struct output *output = output_create(name, false, &error);
    assert_non_null(output);
    assert_true(output_commit(output, &error));
    assert_int_equal(unlink(name), 0);
}

static mode_t mode_of(const char *path) {
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    return status.st_mode & 07777;
}

static void modes_follow_the_umask_or_the_old_file(void **state) {
    (void)state;
    struct error error;
    mode_t before = umask(027);
    assert_true(output_commit(output_create("out", false, &error), &error));
    assert_int_equal(mode_of("out"), 0640);
    assert_int_equal(chmod("out", 0604), 0);
    assert_true(output_commit(output_create("out", true, &error), &error));
    assert_int_equal(mode_of("out"), 0604);
    umask(before);
    unlink("out");
}

/* Whichever call fails, the old file stays or the new one is whole, and nothing else is left. */
static void every_call_can_fail_without_harm(void **state) {
    (void)state;
    for (int force = 0; force <= 1; force++)
        for (size_t n = 1;; n++) {
            struct error error = {""};
            if (force)
                put_file("out", "old");
            file_fail_at(n, ENOSPC);
            struct output *output = output_create("out", force, &error);
            assert_non_null(output);
            bool written = output_write(output, "new", 3, 0, &error);
            if (!written)
                output_abandon(output);
            bool done = written && output_commit(output, &error);
            file_fail_at(0, 0);
            if (file_exists("out"))
                assert_content("out", done || strstr(error.text, "is complete") ? "new" : "old");
            else
                assert_false(done || force);
            if (!done)
                assert_non_null(strstr(error.text, "No space left on device"));
            assert_int_equal(count_entries(), file_exists("out"));
            unlink("out");
            if (done) {
                assert_true(n > 4);
                break;
            }
        }
}

static void a_full_disk_is_a_sentence(void **state) {
    (void)state;
    struct error error;
    struct rlimit before, small = {1 << 16, 1 << 16};
    getrlimit(RLIMIT_FSIZE, &before);
    small.rlim_max = before.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    struct output *output = output_create("out", false, &error);
    static char bytes[100000];
    bool written = output_write(output, bytes, sizeof bytes, 0, &error);
    setrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, SIG_DFL);
    assert_false(written);
    assert_string_equal(error.text, "out: writing 100000 bytes at 0: File too large");
    output_abandon(output);
}

static void many_outputs_have_a_limit(void **state) {
    (void)state;
    struct output *outputs[100] = {0};
    struct error error;
    size_t n = 0;
    for (;; n++) {
        char name[8];
        snprintf(name, sizeof name, "%zu", n);
        outputs[n] = output_create(name, false, &error);
        if (!outputs[n])
            break;
    }
    assert_int_equal(n, 64);
    assert_string_equal(error.text, "64: more than 64 files are being written");
    for (size_t i = 0; i < n; i++)
        output_abandon(outputs[i]);
    assert_int_equal(count_entries(), 0);
}

static void memory_may_fail(void **state) {
    (void)state;
    for (size_t n = 1;; n++) {
        struct error error;
        memory_fail_at(n);
        struct output *output = output_create("out", false, &error);
        memory_fail_at(0);
        if (output) {
            output_abandon(output);
            break;
        }
        assert_non_null(strstr(error.text, "out of memory"));
        assert_int_equal(count_entries(), 0);
    }
}

/* ---- ends of the process ---- */

/* In a child with two live outputs, one over an old file; `end` ends it. Returns wait's status. */
static int child_status(void (*end)(void)) {
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct error error;
        outputs_guard_signals();
        static struct output *volatile fresh, *volatile over; /* alive at exit, not leaked */
        fresh = output_create("fresh", false, &error);
        over = output_create("over", true, &error);
        if (!fresh || !over || !output_write(over, "part", 4, 0, &error))
            _exit(99);
        end();
        _exit(98);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void within_a_folder(void) {
    struct folder made;
    struct error error;
    outputs_guard_signals();
    if (!folder_create(&made, "made", false, &error) || !output_create("made/file", false, &error))
        _exit(99);
    raise(SIGINT);
}

static void by_interrupt(void) {
    raise(SIGINT);
}
static void by_termination(void) {
    raise(SIGTERM);
}
static void by_hangup(void) {
    raise(SIGHUP);
}
static void by_closed_pipe(void) {
    raise(SIGPIPE);
}
static void by_exit(void) {
    exit(2);
}

static void no_end_of_the_process_leaves_temporaries(void **state) {
    (void)state;
    static const struct {
        void (*end)(void);
        int signal;
    } ends[] = {{by_interrupt, SIGINT},
                {by_termination, SIGTERM},
                {by_hangup, SIGHUP},
                {by_closed_pipe, SIGPIPE},
                {by_exit, 0}};
    put_file("over", "old");
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        int status = child_status(ends[i].end);
        if (ends[i].signal) {
            assert_true(WIFSIGNALED(status)); /* as the shell expects it of an interrupted program */
            assert_int_equal(WTERMSIG(status), ends[i].signal);
        } else
            assert_int_equal(WEXITSTATUS(status), 2);
        assert_int_equal(count_entries(), 1);
        assert_content("over", "old");
    }
    unlink("over");
}

/* ---- folders ---- */

static void put_output(const char *path) {
    struct error error;
    struct output *output = output_create(path, false, &error);
    assert_true(output && output_write(output, "x", 1, 0, &error) && output_commit(output, &error));
}

static void a_folder_stays_if_it_is_kept(void **state) {
    (void)state;
    struct folder made;
    struct error error;
    assert_true(folder_create(&made, "made", false, &error));
    put_output("made/file");
    assert_true(folder_keep(&made, &error));
    folder_abandon(&made);
    assert_content("made/file", "x");

    assert_false(folder_create(&made, "made", false, &error));
    assert_string_equal(error.text, "made: already exists; --force replaces files in it");
    assert_true(folder_create(&made, "made", true, &error));
    folder_abandon(&made);
    assert_content("made/file", "x");
    unlink("made/file");
    rmdir("made");
}

static void a_folder_goes_with_what_failed(void **state) {
    (void)state;
    struct folder made;
    struct error error;
    assert_false(folder_create(&made, "absent/made", false, &error));
    assert_string_equal(error.text, "absent/made: can't be created: No such file or directory");
    put_file("file", "");
    assert_false(folder_create(&made, "file", true, &error));
    unlink("file");
    assert_true(folder_create(&made, "made", false, &error));
    folder_abandon(&made);
    assert_int_equal(count_entries(), 0);
    int status = child_status(within_a_folder);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
    assert_int_equal(count_entries(), 0);
}

static void hangup_without_effect(void) {
    signal(SIGHUP, SIG_IGN);
    outputs_guard_signals();
    raise(SIGHUP);
    exit(3);
}

static void ignored_signals_stay_ignored(void **state) {
    (void)state;
    int status = child_status(hangup_without_effect); /* as under nohup */
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 3);
    assert_int_equal(count_entries(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inputs_are_read_exactly),
        cmocka_unit_test(an_empty_file_maps_to_nothing),
        cmocka_unit_test(only_regular_files_are_inputs),
        cmocka_unit_test(small_files_are_read_whole_within_the_limit),
        cmocka_unit_test(a_dash_is_standard_input),
        cmocka_unit_test(failing_reads_name_file_and_place),
        cmocka_unit_test(paths_are_joined_at_slashes),
        cmocka_unit_test(one_file_has_many_spellings),
        cmocka_unit_test(an_output_appears_whole_at_its_commit),
        cmocka_unit_test(gaps_read_as_zeros),
        cmocka_unit_test(room_is_made_ahead_and_what_is_left_given_back),
        cmocka_unit_test(large_outputs_are_whole),
        cmocka_unit_test(an_abandoned_output_leaves_nothing),
        cmocka_unit_test(what_exists_is_replaced_only_with_force),
        cmocka_unit_test(what_was_created_meanwhile_is_not_overwritten),
        cmocka_unit_test(only_files_are_replaced),
        cmocka_unit_test(the_longest_name_can_be_written),
        cmocka_unit_test(modes_follow_the_umask_or_the_old_file),
        cmocka_unit_test(every_call_can_fail_without_harm),
        cmocka_unit_test(a_full_disk_is_a_sentence),
        cmocka_unit_test(many_outputs_have_a_limit),
        cmocka_unit_test(memory_may_fail),
        cmocka_unit_test(no_end_of_the_process_leaves_temporaries),
        cmocka_unit_test(ignored_signals_stay_ignored),
        cmocka_unit_test(a_folder_stays_if_it_is_kept),
        cmocka_unit_test(a_folder_goes_with_what_failed),
    };
    return cmocka_run_group_tests(tests, enter_folder, remove_folder);
}
